"""`drift --benchmark`: what each preset, the profile and variants are worth on a data set of one's own."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyimgano_industrial.cli.model_flags import json_object
from pyimgano_industrial.core.columns import aligned, terminal_width
from pyimgano_industrial.core.errors import IndustrialError, UnknownNameError, closest
from pyimgano_industrial.core.progress import TerminalProgress

if TYPE_CHECKING:
    from pyimgano_industrial.evaluation.drift_table import Splits


def add(parser: argparse.ArgumentParser) -> None:
    """Add the flags of the benchmark to those of `drift`."""
    group = parser.add_argument_group(
        "benchmark",
        "Fits a model on good images of a data set, sets its threshold on others, and scores the test images under\n"
        "eight drifts at five strengths: with each preset, the profile, a fit on variants of the images, and without.",
    )
    group.add_argument("--benchmark", action="store_true", help="measure what helps against drift, in place of --input")
    group.add_argument("--dataset", metavar="NAME", default="industrial_folder", help="default: %(default)s")
    group.add_argument("--root", type=Path, metavar="DIR", help="its folder")
    group.add_argument("--category", metavar="NAME", help="the object or product in it")
    group.add_argument("--model", metavar="NAME", default="vision_industrial_filter_bank", help="default: %(default)s")
    group.add_argument("--model-kwargs", type=json_object, default={}, metavar="JSON", help="of its constructor")
    group.add_argument("--ways", metavar="NAME,...", help="default: all; none, profile, profile+variants, presets, ...")
    group.add_argument("--drifts", metavar="NAME,...", help="default: all eight")
    group.add_argument("--strengths", metavar="N,...", default="1,2,3,4,5", help="default: %(default)s")
    group.add_argument("--target-fpr", type=float, default=0.05, metavar="SHARE", help="default: %(default)s")


def run(args: argparse.Namespace) -> int:
    """Measure and print the table, or JSON with every score."""
    from pyimgano_industrial.evaluation.drift_proof import measure_drift
    from pyimgano_industrial.evaluation.drift_ways import ways
    from pyimgano_industrial.evaluation.drifts import DRIFTS
    from pyimgano_industrial.evaluation.results import ModelSpec
    from pyimgano_industrial.host.evaluation import Maker, completed

    if args.root is None or args.category is None:
        raise IndustrialError("drift --benchmark needs --root DIR and --category NAME, the images to measure on")
    known = ways()
    chosen = {"none": known["none"], **{name: _one_of(name, known, "way") for name in _list(args.ways) or known}}
    drifts = _list(args.drifts) or list(DRIFTS)
    for drift in drifts:
        _one_of(drift, dict.fromkeys(DRIFTS), "drift")
    spec = ModelSpec(args.model, args.model, args.model_kwargs)
    spec = completed(spec, device="cpu", pretrained=False, contamination=args.target_fpr, seed=0)
    with TerminalProgress("images under drift") as progress:
        results = measure_drift(
            lambda: Maker(0)(spec),
            _trial(args),
            ways=list(chosen.values()),
            rate=args.target_fpr,
            drifts=drifts,  # type: ignore[arg-type] # checked above
            strengths=[_strength(text) for text in _list(args.strengths)],
            progress=progress,
        )
    if args.json:
        print(json.dumps([_plain(one) for one in results], indent=1))
    else:
        print(_shown([(one,) for one in results], width=terminal_width()))
    return 0


def _shown(ways: Sequence[Splits], *, width: int | None) -> str:
    """Return the table as Markdown, or in columns on a terminal that is too narrow for that."""
    from pyimgano_industrial.evaluation.drift_table import table, to_markdown

    text = to_markdown(ways)
    if width is None or max(map(len, text.splitlines())) <= width:
        return text
    return "\n".join(aligned(table(ways), left={0}, width=width))


def _trial(args: argparse.Namespace) -> Any:
    from pyimgano_industrial.evaluation.drift_proof import Trial
    from pyimgano_industrial.evaluation.normals import split_of
    from pyimgano_industrial.evaluation.protocols import default_settings, protocol_of
    from pyimgano_industrial.host.evaluation import Opener

    dataset = Opener(args.dataset, args.root)(args.category)
    split = split_of(dataset, default_settings(args.dataset, f"{args.root}", protocol_of(type(dataset))))
    test = dataset.samples(dataset.test_split)
    bad = [sample for sample in test if sample.label == 1]
    return Trial(
        fit=[dataset.image(sample) for sample in split.fit],
        calibrate=[dataset.image(sample) for sample in split.normal],
        good=[dataset.image(sample) for sample in test if sample.label == 0],
        bad=[dataset.image(sample) for sample in bad],
        masks=[dataset.mask(sample) for sample in bad] if dataset.has_masks else (),
    )


def _plain(one: Any) -> dict[str, Any]:
    conditions = [
        {name: value.tolist() if hasattr(value, "tolist") else value for name, value in vars(condition).items()}
        for condition in one.conditions
    ]
    return {"way": one.way, "threshold": one.threshold, "conditions": conditions}


def _list(text: str | None) -> list[str]:
    return [name for name in (text or "").split(",") if name]


def _strength(text: str) -> int:
    if text not in "12345" or len(text) != 1:
        raise IndustrialError(f"--strengths must be numbers in 1..5, separated by commas; got {text!r}")
    return int(text)


def _one_of(name: str, known: dict[str, Any], kind: str) -> Any:
    if name not in known:
        raise UnknownNameError(f"unknown {kind} {name!r}; {closest(name, known)}")
    return known[name]
