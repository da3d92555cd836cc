"""`evaluate`: the official numbers of models on a data set, at native size, with all that repeats them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from pyimgano_industrial import load
from pyimgano_industrial.cli import command, model_flags
from pyimgano_industrial.core.columns import terminal_width
from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.progress import running

if TYPE_CHECKING:
    from pyimgano_industrial.evaluation.cell import Outcome
    from pyimgano_industrial.evaluation.results import Settings
    from pyimgano_industrial.host.evaluation import Opener

_DESCRIPTION = """\
Fits each model on each category, takes thresholds from the validation split, passes over the test images once, and
measures by the data set's official protocol, maps and masks at the images' own size. What is done is kept: the same
command goes on where it was interrupted.

  pyimgano-industrial evaluate --dataset mvtec_loco --root DIR --category all \\
      --model vision_industrial_filter_bank --output runs/loco
  pyimgano-industrial evaluate --dataset mvtec_ad2 --root DIR --category can \\
      --model vision_industrial_filter_bank \\
      --model vision_industrial_filter_bank --label tiled \\
      --tile-size 512 --tile-stride 384 --output runs/can
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = command.add(
        commands,
        "evaluate",
        help="the official numbers of models on a data set",
        description=_DESCRIPTION,
        usage="--dataset NAME --root DIR --category NAME\n           --model NAME --output RUN [...]",
    )
    needed = parser.add_argument_group("what is needed")
    needed.add_argument("--dataset", required=True, metavar="NAME", help="for example mvtec_loco, or manifest")
    needed.add_argument("--root", required=True, type=Path, metavar="DIR", help="its folder; of a manifest the file")
    needed.add_argument("--category", required=True, action="append", metavar="NAME", help="or all; may be repeated")
    model_flags.add_model(needed, help="a registered model or preset; may be repeated")
    needed.add_argument("--output", required=True, type=Path, metavar="RUN", help="the folder of the results")
    group = parser.add_argument_group("the run")
    group.add_argument("--again", action="store_true", help="run categories that are there already, too")
    group.add_argument("--jobs", type=int, default=1, metavar="N", help="categories and models at a time. Default: 1")
    group.add_argument("--dask", metavar="ADDRESS", help="a Dask scheduler whose workers run them")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    group.add_argument("--export-maps", type=Path, metavar="DIR", help="write maps as .tiff, as MVTec's scripts do")
    group.add_argument("--missing-masks", choices=["error", "allow"], default="error", help="default: %(default)s")
    group.add_argument("--manifest-path", type=Path, metavar="FILE", help="the manifest, --root then has its images")
    command.finish(group, json="print results.json in place of the table")
    _add_metrics(parser)
    model_flags.add(parser)


def _add_metrics(parser: argparse.ArgumentParser) -> None:
    from pyimgano_industrial.evaluation.protocols import LIMITS, SIZES, ImageScore
    from pyimgano_industrial.inference.thresholds import METHODS

    group = parser.add_argument_group("metrics and thresholds", "Defaults are those of the data set's protocol.")
    group.add_argument("--limits", type=_numbers, default=LIMITS, metavar="X,...", help="of AU-PRO: 0.3,0.05,0.01")
    group.add_argument("--sizes", type=_whole, default=SIZES, metavar="N,...", help="defect areas: 281,5000")
    group.add_argument("--image-score", choices=get_args(ImageScore), help="the maximum of the map, or the model's own")
    group.add_argument(
        "--threshold-method", choices=METHODS, metavar="METHOD", help=f"of image scores: {', '.join(METHODS)}"
    )
    group.add_argument("--target-fpr", type=float, metavar="SHARE", help="of normal images above the threshold")
    group.add_argument("--pixel-threshold-method", choices=METHODS, metavar="METHOD", help="of pixels; the same six")
    group.add_argument("--pixel-target-fpr", type=float, metavar="SHARE", help="of normal pixels above the threshold")
    group.add_argument(
        "--holdout", type=float, default=0.2, metavar="SHARE", help="kept back without a validation split"
    )
    group.add_argument("--bootstrap", type=int, default=1000, metavar="N", help="draws for intervals, 0 for none")


def run(args: argparse.Namespace) -> int:
    """Evaluate; the exit code is 1 when a cell failed or a test image could not be scored."""
    load()
    from pyimgano_industrial.evaluation.report import write_report
    from pyimgano_industrial.evaluation.run import Plan, evaluate
    from pyimgano_industrial.evaluation.table import render
    from pyimgano_industrial.host.evaluation import Maker

    opener = _opener(args)
    settings = _settings(args, opener)
    plan = Plan(
        settings,
        model_flags.specs(args, seed=args.seed),
        _categories(args.category, opener),
        opener,
        Maker(args.seed),
        args.output,
        args.export_maps,
        jobs=args.jobs,
        dask=args.dask,
        again=args.again,
        command=tuple(sys.argv[1:]),
    )
    outcomes = []

    def told(outcome: Outcome) -> None:
        outcomes.append(outcome)
        print(_line(outcome), file=sys.stderr, flush=True)

    found = evaluate(plan, told=told)
    cells = {(one.cell.model, one.cell.category): one.cell for one in outcomes}
    with running("writing"):
        report = write_report(args.output)
    if args.json:
        print(json.dumps(asdict(found), indent=1, allow_nan=False))
    else:
        print(render(found, [cells[row.model, row.category] for row in found.rows], width=terminal_width()))
        print(f"\nEverything is in {args.output / 'results.json'} and {args.output / 'cells'}")
        print(f"To look at: {report}")
    return 1 if any(row.state == "failed" or row.errors for row in found.rows) else 0


def _opener(args: argparse.Namespace) -> Opener:
    from pyimgano_industrial.host.evaluation import MANIFEST, Opener

    if args.manifest_path is not None and args.dataset != MANIFEST:
        raise IndustrialError(f"--manifest-path belongs to --dataset manifest; got --dataset {args.dataset}")
    root, images = (args.root, None) if args.manifest_path is None else (args.manifest_path, args.root.absolute())
    return Opener(args.dataset, root.expanduser().absolute(), args.missing_masks, images, args.seed)


def _categories(stated: Sequence[str], opener: Opener) -> tuple[str, ...]:
    names = list(dict.fromkeys(stated))
    if names == ["all"]:
        names = opener.categories()
        if not names:
            raise IndustrialError(f"{opener.root} must hold categories of {opener.dataset}; it holds none: see --root")
    for name in names:
        opener(name)  # raises, naming the closest, before anything is fitted
    return tuple(names)


def _settings(args: argparse.Namespace, opener: Opener) -> Settings:
    from pyimgano_industrial.evaluation.protocols import default_settings, protocol_of
    from pyimgano_industrial.inference.calibrator import Calibrator
    from pyimgano_industrial.metrics.checks import checked_limits

    protocol = protocol_of(opener.type)
    usual = default_settings(args.dataset, f"{opener.root}", protocol, missing_masks=args.missing_masks)
    method, pixel = args.threshold_method or usual.method, args.pixel_threshold_method or usual.pixel_method
    settings = replace(
        usual,
        limits=checked_limits(args.limits),
        sizes=tuple(sorted(args.sizes)),
        method=method,
        target_fpr=usual.target_fpr if args.target_fpr is None else args.target_fpr,
        # A stated rate asks for the k that belongs to it.
        k=usual.k if args.target_fpr is None and args.pixel_target_fpr is None else None,
        share=args.holdout,
        bootstrap=args.bootstrap,
        seed=args.seed,
        image_score=args.image_score or usual.image_score,
        pixel_method=pixel,
        pixel_target_fpr=usual.pixel_target_fpr if args.pixel_target_fpr is None else args.pixel_target_fpr,
    )
    for name, rate in ((method, settings.target_fpr), (pixel, settings.pixel_target_fpr)):
        # A wrong rate is better refused before the fit than after it.
        Calibrator(method=name, target_fpr=rate)  # type: ignore[arg-type] # argparse has checked it
    if not 0 < args.holdout < 1:
        raise IndustrialError(f"--holdout must be in (0, 1), a share of the training images; got {args.holdout}")
    if args.bootstrap < 0:
        raise IndustrialError(f"--bootstrap must be 0 or more draws; got {args.bootstrap}")
    return settings


def _line(outcome: Outcome) -> str:
    cell = outcome.cell
    where = f"{cell.model} {cell.category}"
    if cell.state == "failed":
        return f"failed  {where}: {cell.reason}"
    errors = f", {len(cell.failures)} of {len(cell.images)} test images failed" if cell.failures else ""
    if not outcome.fresh:
        return f"kept    {where}, run before{errors}"
    seconds = "" if cell.cost is None else f" in {cell.cost.seconds:.1f} s"
    return f"done    {where}{seconds}{errors}"


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(",") if part)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be numbers such as 0.3,0.05; got {text!r}") from error


def _whole(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",") if part)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"must be whole numbers such as 281,5000; got {text!r}") from error
