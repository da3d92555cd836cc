"""`submit`: the files of a submission to the evaluation server of MVTec AD 2, made, checked and packed."""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from pyimgano_industrial import load
from pyimgano_industrial.cli import command, model_flags, submit_text
from pyimgano_industrial.cli.fault_lines import SHOWN
from pyimgano_industrial.core.columns import terminal_width
from pyimgano_industrial.core.errors import IndustrialError, closest
from pyimgano_industrial.core.files import written
from pyimgano_industrial.core.progress import TerminalProgress

if TYPE_CHECKING:
    from pyimgano_industrial.evaluation.results import ModelSpec
    from pyimgano_industrial.evaluation.submission import Written
    from pyimgano_industrial.evaluation.submission_maps import Maps
    from pyimgano_industrial.inference.calibrator import Calibrator

_DESCRIPTION = """\
Fits a model on each of the eight objects, takes its pixel threshold from the normal validation images, and writes maps
of both private splits as the server wants them; or takes maps from a folder. All is checked against the data set on
disk and packed. What is done is kept: the same command goes on where it was interrupted.

  pyimgano-industrial submit --root mvtec_ad2 --output first \\
      --model vision_industrial_filter_bank
  pyimgano-industrial submit --root mvtec_ad2 --maps DIR --output mine
  pyimgano-industrial submit --root mvtec_ad2 --check mine/submission.tar.gz

Maps of --maps lie in DIR/<object>/{test_private,test_private_mixed}/<image>.tiff or .npy; those of normal images in
DIR/<object>/validation/good give the threshold.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    from pyimgano_industrial.inference.thresholds import METHODS

    parser = command.add(
        commands,
        "submit",
        help="make, check and pack a submission to MVTec AD 2's server",
        description=_DESCRIPTION,
        usage="--root DIR [--output DIR]\n           (--model NAME | --maps DIR | --check PATH) [...]",
    )
    needed = parser.add_argument_group("what is needed", "--root, --output, and one of --model, --maps and --check.")
    needed.add_argument("--root", required=True, type=Path, metavar="DIR", help="the folder of MVTec AD 2")
    needed.add_argument("--output", type=Path, metavar="DIR", help="where all is written; not with --check")
    model_flags.add_model(needed, help="a registered model or preset")
    needed.add_argument("--maps", type=Path, metavar="DIR", help="take maps from here in place of a model's")
    needed.add_argument("--check", type=Path, metavar="PATH", help="list every fault of a folder or .tar.gz")
    group = parser.add_argument_group("the submission")
    group.add_argument("--object", action="append", metavar="NAME", help="one of the eight; may be repeated")
    group.add_argument(
        "--pixel-threshold-method",
        choices=METHODS,
        default="mean_sigma",
        metavar="METHOD",
        help=f"{', '.join(METHODS)}. Default: %(default)s",
    )
    group.add_argument(
        "--pixel-target-fpr",
        type=float,
        metavar="SHARE",
        help="normal pixels above the threshold. Default: mean + 3 sigma; 0.001 for other methods",
    )
    group.add_argument("--threshold", action="append", default=[], metavar="[OBJECT=]X", help="state it instead")
    group.add_argument("--no-thresholded", action="store_true", help="leave the thresholded images out")
    group.add_argument("--keep-maps", action="store_true", help="keep the model's float32 maps below DIR/work")
    group.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    group.add_argument("--all", action="store_true", help=f"list more than {SHOWN} faults of a kind")
    command.finish(group)
    model_flags.add(parser)


def run(args: argparse.Namespace) -> int:
    """Make or check a submission; the exit code is 1 when it has a fault or an image has no map."""
    modes = {"--check": args.check, "--maps": args.maps, "--model": getattr(args, "models", None)}
    given = [name for name, value in modes.items() if value]
    if len(given) != 1:
        raise IndustrialError(f"one of --model, --maps and --check is needed; got {' and '.join(given) or 'none'}")
    args.root = args.root.expanduser()
    for flag, folder in (("--root", args.root), ("--maps", args.maps)):
        if folder is not None and not folder.is_dir():
            raise IndustrialError(f"{flag} must be a folder that exists; got {folder}")
    return _check(args) if args.check else _make(args)


def _check(args: argparse.Namespace) -> int:
    from pyimgano_industrial.evaluation.submission_check import check

    with TerminalProgress("checking") as progress:
        report = check(args.check, args.root, objects=_objects(args.object), progress=progress)
    if args.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        print(submit_text.render(report, shown=None if args.all else SHOWN, width=terminal_width()))
    return 0 if report.ok else 1


def _make(args: argparse.Namespace) -> int:
    from pyimgano_industrial.evaluation.archive import pack
    from pyimgano_industrial.evaluation.submission import OBJECTS
    from pyimgano_industrial.evaluation.submission_check import check

    if args.output is None:
        raise IndustrialError("--output DIR says where the submission is written; it is missing")
    load()
    objects = _objects(args.object)
    job = _Job(args, objects)
    folder, target = args.output / "submission", args.output / "submission.tar.gz"
    target.unlink(missing_ok=True)  # of an earlier run, whose files are being written anew
    done, failed = job.run(folder)
    stream = sys.stderr if args.json else sys.stdout
    print(submit_text.table(done, failed, width=terminal_width(stream)), file=stream)
    report = None
    if tuple(objects) == OBJECTS and not failed and not any(one.failed for one in done):
        with TerminalProgress("checking") as progress:
            report = check(folder, args.root, progress=progress)
        if report.ok:
            names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
            with TerminalProgress("packing") as progress:
                pack(folder, names, target, progress=progress)
    if args.json:
        data = {"objects": [asdict(one) for one in done], "failed": failed, "check": report and report.to_dict()}
        print(json.dumps({**data, "archive": f"{target}" if report and report.ok else None}, indent=2))
    else:
        print(submit_text.outcome(target, report, done, failed))
    return 0 if report is not None and report.ok else int(bool(failed) or report is not None or submit_text.lacks(done))


@dataclass(frozen=True)
class _Job:
    """The objects of a submission, one after the other; one that fails leaves the others alone."""

    args: argparse.Namespace
    objects: Sequence[str]

    def run(self, folder: Path) -> tuple[list[Written], dict[str, str]]:
        spec = None if self.args.maps else self._spec()
        calibrator, stated = self._calibrator(), _stated(self.args.threshold, self.objects)
        earlier = _earlier(self.args.output / "submission.json")
        done: list[Written] = []
        failed: dict[str, str] = {}
        for name in self.objects:
            try:
                one = self._object(name, folder, spec, calibrator, stated.get(name), earlier.get(name))
            except IndustrialError as error:
                failed[name] = f"{error}"
                print(f"failed  {name}: {error}", file=sys.stderr, flush=True)
                continue
            done.append(one)
            _record(self.args.output / "submission.json", spec, {**earlier, **{one.object: one for one in done}})
            print(submit_text.line(one, kept=one is earlier.get(name)), file=sys.stderr, flush=True)
        return done, failed

    def _object(
        self,
        name: str,
        folder: Path,
        spec: ModelSpec | None,
        calibrator: Calibrator | None,
        stated: float | None,
        earlier: Written | None,
    ) -> Written:
        from pyimgano_industrial.datasets.ad2 import MVTecAD2
        from pyimgano_industrial.evaluation import submission_maps as source
        from pyimgano_industrial.evaluation.submission import wanted, write_object

        dataset = MVTecAD2(self.args.root, name)
        images = wanted(self.args.root, name)
        work = self.args.output / "work" / name
        calibrator = None if stated is not None else calibrator
        inputs = source.inputs_of(dataset) if spec else [one.image for one in images]
        if self.args.maps:
            inputs += sorted(path for path in (self.args.maps / name).rglob("*") if path.is_file())
        fingerprint = source.fingerprint_of(
            inputs, spec=spec and source.plain(spec), threshold=[calibrator, stated], seed=self.args.seed
        )
        if earlier and earlier.fingerprint == fingerprint and _whole(earlier, images, folder):
            return earlier
        if spec is None:
            found: Maps = source.given_maps(self.args.maps, name, images, calibrator=calibrator)
        else:
            from pyimgano_industrial.host.evaluation import Maker

            with TerminalProgress(f"{name}: maps") as progress:
                make = Maker(self.args.seed)
                found = source.model_maps(
                    dataset,
                    images,
                    work,
                    spec=spec,
                    make=make,
                    calibrator=calibrator,
                    fingerprint=fingerprint,
                    progress=progress,
                )
        with TerminalProgress(f"{name}: writing") as progress:
            one = write_object(
                images,
                found.files,
                folder,
                threshold=stated,
                calibration=found.calibration,
                failed=found.failed,
                fingerprint=fingerprint,
                earlier=earlier,
                progress=progress,
            )
        if spec is not None and not self.args.keep_maps and not one.failed:
            shutil.rmtree(work)
            with contextlib.suppress(OSError):  # not empty: another object's maps
                work.parent.rmdir()
        return one

    def _spec(self) -> ModelSpec:
        specs = model_flags.specs(self.args, seed=self.args.seed)
        if len(specs) != 1:
            raise IndustrialError(f"a submission is of one model; got {', '.join(one.label for one in specs)}")
        return specs[0]

    def _calibrator(self) -> Calibrator | None:
        from pyimgano_industrial.inference.calibrator import Calibrator

        if self.args.no_thresholded:
            return None
        method, rate = self.args.pixel_threshold_method, self.args.pixel_target_fpr
        if method == "mean_sigma" and rate is None:
            return Calibrator(method=method, target_fpr=NormalDist().cdf(-3.0), k=3.0)
        return Calibrator(method=method, target_fpr=0.001 if rate is None else rate)


def _objects(stated: Sequence[str] | None) -> tuple[str, ...]:
    from pyimgano_industrial.evaluation.submission import OBJECTS

    for name in stated or ():
        if name not in OBJECTS:
            raise IndustrialError(f"{name!r} is no object of MVTec AD 2; {closest(name, OBJECTS)}")
    return tuple(name for name in OBJECTS if stated is None or name in stated)


def _stated(thresholds: Sequence[str], objects: Sequence[str]) -> dict[str, float]:
    """Return the threshold of each object that has one stated: `0.5` is for all, `can=0.4` for one."""
    found: dict[str, float] = {}
    for text in sorted(thresholds, key=lambda text: "=" in text):
        name, _, value = text.rpartition("=")
        try:
            number = float(value)
        except ValueError as error:
            raise IndustrialError(f"--threshold must be a number, or OBJECT=NUMBER; got {text!r}") from error
        found |= dict.fromkeys(_objects([name]) if name else objects, number)
    return found


def _whole(one: Written, images: Sequence[Any], folder: Path) -> bool:
    masks = [image.mask for image in images] if one.threshold is not None else []
    return not one.failed and all((folder / name).exists() for name in [*(image.map for image in images), *masks])


def _earlier(path: Path) -> dict[str, Written]:
    from pyimgano_industrial.evaluation.folder import from_json
    from pyimgano_industrial.evaluation.submission import Written

    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return {one["object"]: from_json(Written, one) for one in data["objects"]}
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return {}  # nothing is known of the files, so that they are written again


def _record(path: Path, spec: ModelSpec | None, objects: Mapping[str, Written]) -> None:
    from pyimgano_industrial.evaluation.machine import machine, versions

    data = {
        "command": sys.argv[1:],
        "model": spec and asdict(spec),
        "objects": [asdict(one) for one in objects.values()],
        "versions": versions(),
        "machine": machine(),
    }
    with written(path) as spare:
        spare.write_text(json.dumps(data, indent=1) + "\n", encoding="utf-8")
