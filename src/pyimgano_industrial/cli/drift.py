"""`drift`: fits the profile of a line's good images, and says what has left it in other images, and since when."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pyimgano_industrial.cli import command, drift_benchmark
from pyimgano_industrial.core.columns import terminal_width
from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.images import read_rgb, write_png
from pyimgano_industrial.core.progress import TerminalProgress

if TYPE_CHECKING:
    from pyimgano_industrial.cli.drift_report import Report
    from pyimgano_industrial.presets.profile import CameraProfile

_PLOTS = (".png", ".pdf", ".svg")
_DESCRIPTION = """\
Compares images with the profile of a line: exposure, white balance, contrast, illumination, glare, noise, sharpness and
compression. The first command below makes the profile from good images; the second compares others with it, in the
order of their names, and says what moved, by how much, since which image, and whether the profile can take it out.

  pyimgano-industrial drift --profile line.json --fit good/
  pyimgano-industrial drift --profile line.json --input today/ --plot drift.png

The third measures on labelled images what each preset, the profile and a fit on variants are worth under drift.

  pyimgano-industrial drift --benchmark --root parts --category bolt \\
      --ways profile,profile+variants

The exit code is 1 when something has moved, an image was rejected or could not be read.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = command.add(
        commands,
        "drift",
        help="compare images with the profile of a line, or make one",
        description=_DESCRIPTION,
        usage="--profile FILE (--fit DIR | --input DIR) [...]\n"
        "       pyimgano-industrial drift --benchmark --root DIR --category NAME [...]",
    )
    parser.add_argument("--profile", type=Path, metavar="FILE", help="the profile, NAME.json with NAME.npz beside it")
    parser.add_argument("--fit", type=Path, metavar="DIR", help="make the profile from the good images in this folder")
    parser.add_argument("--input", type=Path, metavar="DIR", help="compare the images in this folder with the profile")
    parser.add_argument("--order", choices=["name", "time"], default="name", help="of the images; default: %(default)s")
    parser.add_argument(
        "--run-length",
        type=int,
        default=10_000,
        metavar="N",
        help="at least N images on average before a false alarm; default: %(default)s",
    )
    parser.add_argument("--corrected", type=Path, metavar="DIR", help="write the images as the profile corrects them")
    parser.add_argument(
        "--plot", type=Path, metavar="FILE", help="draw every property over the images: png, pdf or svg"
    )
    command.finish(parser, json="print JSON, with the measurement of every image")
    drift_benchmark.add(parser)


def run(args: argparse.Namespace) -> int:
    """Fit, compare, or both; the exit code is 1 when something has moved or an image is of no use."""
    if args.benchmark:
        return drift_benchmark.run(args)
    if args.profile is None or (args.fit is None and args.input is None):
        raise DriftCommandError(
            "drift needs --profile FILE, and --fit DIR to make it or --input DIR to compare with it; see --help"
        )
    if args.plot is not None and args.plot.suffix.lower() not in _PLOTS:
        raise DriftCommandError(f"--plot must end in {', '.join(_PLOTS)}; got {args.plot}")
    if args.fit is not None:
        profile = _fit(args.fit, args.profile)
        if args.input is None and args.json:
            made = {"profile": f"{args.profile}", "fit": f"{args.fit}"}
            print(json.dumps({**made, "good": len(profile.good), "left_out": list(profile.left_out)}, indent=2))
        elif not args.json:
            _tell(profile, args.fit, args.profile)
        if args.input is None:
            return 0
    report = _compare(args)
    print(json.dumps(report.to_dict(), indent=2) if args.json else report.render(width=terminal_width()))
    if args.plot is not None:
        report.plot(args.plot)
        if not args.json:
            print(f"plot: {args.plot}")
    return 0 if report.quiet else 1


def _fit(folder: Path, path: Path) -> CameraProfile:
    from pyimgano_industrial.presets.profile import CameraProfile

    images = _images(folder, "name")
    with TerminalProgress("fitting") as progress:

        def counted() -> object:
            for index, image in enumerate(images):
                yield image
                progress(index + 1, len(images))

        profile = CameraProfile.fit(counted())  # type: ignore[arg-type]  # a generator of paths
    profile.save(path)
    return profile


def _tell(profile: CameraProfile, folder: Path, path: Path) -> None:
    print(f"{path}: {len(profile.good)} good images of {folder}")
    if profile.left_out:
        print(f"left out, since they look like no other ({len(profile.left_out)}):")
        for name in profile.left_out:
            print(f"  {name}")


def _compare(args: argparse.Namespace) -> Report:
    from pyimgano_industrial.cli.drift_report import Report
    from pyimgano_industrial.presets.drift import DriftMonitor
    from pyimgano_industrial.presets.profile import CameraProfile

    profile = CameraProfile.load(args.profile)
    monitor = DriftMonitor(profile, run_length=args.run_length)
    images = _images(args.input, args.order)
    report = Report(args.profile, args.input, monitor)
    with TerminalProgress("comparing") as progress:
        for index, path in enumerate(images):
            try:
                image = read_rgb(path)
                report.add(path, monitor.observe(image, name=f"{path}"))
                if args.corrected is not None:
                    target = args.corrected / path.relative_to(args.input).with_suffix(".png")
                    write_png(target, profile.correct(image, name=f"{path}")[0])
            except IndustrialError as error:
                report.fail(path, error)
            progress(index + 1, len(images))
    return report


def _images(folder: Path, order: str) -> list[Path]:
    from pyimgano_industrial.datasets.tree import image_files

    images = image_files(folder)
    if not images:
        raise DriftCommandError(f"a folder of images is needed; {folder} holds none")
    return images if order == "name" else sorted(images, key=lambda path: (path.stat().st_mtime_ns, path))


class DriftCommandError(IndustrialError, ValueError):
    """The command was given too little, or a folder without images."""
