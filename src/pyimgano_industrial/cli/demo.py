"""`demo`: renders an inspection job, or takes yours, runs pyimgano's commands on it and shows what they find."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from pyimgano_industrial import __version__
from pyimgano_industrial.cli import command
from pyimgano_industrial.core.columns import terminal_width
from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.progress import running

if TYPE_CHECKING:
    from pyimgano_industrial.datasets.folder import FolderDataset
    from pyimgano_industrial.datasets.sample import Sample
    from pyimgano_industrial.demo.commands import Inferred
    from pyimgano_industrial.demo.job import Job
    from pyimgano_industrial.demo.report import Result

Say = Callable[[str], None]

_DESCRIPTION = """\
Renders an inspection job (trays of machined parts, with defects) in the layouts of MVTec LOCO AD and MVTec AD 2,
runs `pyimgano benchmark` and `pyimgano infer` on it, prints what they measure, and writes pictures that show image,
ground truth and anomaly map side by side. With --root, --dataset and --category it does the same with your images.

  pyimgano-industrial demo
  pyimgano-industrial demo --root DIR --dataset industrial_folder \\
      --category NAME

It needs about 0.6 GB of disk while it runs and under two minutes on two cores.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = command.add(
        commands, "demo", help="run an inspection job from images to pictures of its defects", description=_DESCRIPTION
    )
    parser.add_argument(
        "--output", type=Path, default=Path("industrial_demo"), metavar="DIR", help="default: %(default)s"
    )
    parser.add_argument("--root", type=Path, metavar="DIR", help="the folder of your data set")
    parser.add_argument("--dataset", metavar="NAME", help="its kind, for example industrial_folder")
    parser.add_argument("--category", metavar="NAME", help="the object or product in it")
    parser.add_argument("--model", default="vision_industrial_filter_bank", metavar="NAME", help="default: %(default)s")
    parser.add_argument("--pictures", type=int, default=32, metavar="N", help="test images to infer (%(default)s)")
    parser.add_argument("--small", action="store_true", help="render 512 x 384 pixels and few images: a first look")
    command.finish(parser, json="print the numbers as JSON, the progress on stderr")


def run(args: argparse.Namespace) -> int:
    """Run the job; a host command that fails raises HostCommandError, which the command line reports."""
    from pyimgano_industrial.demo import report
    from pyimgano_industrial.demo.job import rendered_jobs

    if args.pictures < 2:
        raise IndustrialError(f"--pictures must be at least 2, a normal and an anomalous image; got {args.pictures}")
    stream = sys.stderr if args.json else sys.stdout
    say = partial(print, file=stream, flush=True)
    started = time.perf_counter()
    own = _own_job(args)
    jobs = [own] if own else rendered_jobs(args.output / "data", small=args.small, say=say)
    results, pictures = [], []
    for job in jobs:
        result, drawn = _inspect(job, args, say)
        results.append(result)
        pictures.append(drawn)
    overview = _overview(pictures, args.output / "overview.png")
    seconds = time.perf_counter() - started
    following = _next(own, args.model, pixel=results[0].measured.pixel_auroc is not None)

    say("\n" + report.table(results, width=terminal_width(stream)))
    say("AU-PRO to a false positive rate of 0.3; pixel metrics at 256 x 256; seconds of `pyimgano benchmark`.")
    for result in results:
        say("\n" + report.decisions(result))
    say(f"\n{sum(map(len, pictures))} pictures in {args.output / 'pictures'}, {overview} shows some; {seconds:.0f} s.")
    say(f"Next{', with your own images' if own is None else ''}:\n  {following}")
    if args.json:
        numbers = {"model": args.model, "results": [asdict(result) for result in results], "seconds": seconds}
        files = {"pictures": [str(path) for drawn in pictures for path in drawn], "overview": str(overview)}
        print(json.dumps({"version": __version__, **numbers, **files, "next": following}, indent=2))
    return 0


def _own_job(args: argparse.Namespace) -> Job | None:
    given = {f"--{name}": getattr(args, name) for name in ("root", "dataset", "category")}
    missing = [name for name, value in given.items() if value is None]
    if len(missing) == len(given):
        return None
    if missing:
        raise IndustrialError(f"--root, --dataset and --category belong together; {' and '.join(missing)} missing")
    from pyimgano_industrial.demo.job import Job

    return Job(args.dataset, args.root, args.category)


def _next(own: Job | None, model: str, *, pixel: bool) -> str:
    from pyimgano_industrial.demo.commands import benchmark_command, shown

    if own is None:
        return "pyimgano-industrial demo --root DIR --dataset industrial_folder --category NAME"
    return shown(benchmark_command(**vars(own), model=model, pixel=pixel, output=Path("benchmark.json")))


# One category through the host's commands.


def _inspect(job: Job, args: argparse.Namespace, say: Say) -> tuple[Result, list[Path]]:
    """Benchmark a category, infer maps of its test images, draw them; return the numbers and the pictures' paths."""
    from pyimgano_industrial.core.lazy import resolve
    from pyimgano_industrial.demo import commands, report
    from pyimgano_industrial.demo.selection import choose, spread
    from pyimgano_industrial.plugins.manager import plugins

    data: FolderDataset = resolve(plugins().row("datasets", job.dataset))(job.root, job.category)
    fit, test = data.samples(data.fit_split), data.samples(data.test_split)
    normal = spread(data.samples(data.calibration_split) if data.calibration_split else (), args.pictures)
    shown = choose(test, args.pictures)
    images = [sample.image for sample in (*normal, *shown)]

    args.output.mkdir(parents=True, exist_ok=True)
    written = args.output / f"{job.dataset}_{job.category}.json"
    benchmark = commands.benchmark_command(**vars(job), model=args.model, pixel=data.has_masks, output=written)
    measured = commands.read_benchmark(written, seconds=_told(benchmark, say))
    if data.has_masks and measured.pixel_auroc is None:  # the host leaves them out without a word
        raise IndustrialError(f"the model must give anomaly maps; {args.model} gives none: {commands.WITH_MAPS}")
    with tempfile.TemporaryDirectory(dir=args.output, prefix="maps-") as spare:
        maps, fit_folder = Path(spare) / "maps", folder_of(fit, Path(spare) / "fit")
        _told(commands.infer_command(model=args.model, fit=fit_folder, images=images, maps=maps), say)
        inferred = commands.read_inferred(maps, images)
        drawn = _draw(job, data, shown, inferred[: len(normal)], inferred[len(normal) :], args.output)

    threshold = report.threshold_of([one.score for one in inferred[: len(normal)]])
    fitted_light = {sample.lighting for sample in fit}
    judged = [
        report.Judged(_kind(sample), sample.label or 0, one.score, sample.lighting in fitted_light)
        for sample, one in zip(shown, inferred[len(normal) :], strict=True)
    ]
    result = report.Result(
        dataset=job.dataset,
        category=job.category,
        fit=len(fit),
        test=len(test),
        measured=measured,
        normal=len(normal),
        threshold=threshold,
        decided=report.decide(judged, threshold) if threshold is not None and len(shown) == len(test) else (),
    )
    return result, drawn


def _told(command: Sequence[str], say: Say) -> float:
    from pyimgano_industrial.demo.commands import run_host, shown

    say(f"$ {shown(command)}")
    with running(f"  pyimgano {command[0]}"):
        seconds = run_host(command)
    say(f"  {seconds:.1f} s")
    return seconds


def folder_of(samples: Sequence[Sample], spare: Path) -> Path:
    """Return a folder with these images and no other: the one that they lie in, or `spare` filled with links."""
    from pyimgano_industrial.datasets.tree import image_files
    from pyimgano_industrial.demo.selection import link_all

    images = [sample.image for sample in samples]
    if set(image_files(images[0].parent)) == set(images):
        return images[0].parent
    link_all(images, spare)
    return spare


def _kind(sample: Sample) -> str:
    return sample.lighting or sample.anomaly_type or "test"


# Pictures.


def _draw(
    job: Job,
    data: FolderDataset,
    samples: Sequence[Sample],
    normal: Sequence[Inferred],
    inferred: Sequence[Inferred],
    output: Path,
) -> list[Path]:
    """Draw the anomalous images and one normal image of each kind, all on one colour scale."""
    from pyimgano_industrial.core.images import write_png
    from pyimgano_industrial.demo.picture import common_limits, side_by_side

    folder = output / "pictures" / f"{job.dataset}_{job.category}"
    folder.mkdir(parents=True, exist_ok=True)
    for earlier in folder.glob("*.png"):
        earlier.unlink()
    good = [one for sample, one in zip(samples, inferred, strict=True) if sample.label == 0]
    limits = common_limits(one.map() for one in normal or good or inferred)
    first_good = {_kind(sample): sample for sample in reversed(samples) if sample.label == 0}
    drawn = []
    for sample, one in zip(samples, inferred, strict=True):
        if sample.label == 0 and sample is not first_good[_kind(sample)]:
            continue
        where = sample.image.relative_to(data.root)
        caption = f"{job.dataset}   {where.as_posix()}   score {one.score:.3g}"
        mask = data.mask(sample) if sample.label == 0 or sample.masks else None
        picture = side_by_side(data.image(sample), mask, one.map(), limits=limits, caption=caption)
        drawn.append(folder / f"{'_'.join(where.with_suffix('').parts[1:])}.png")
        write_png(drawn[-1], picture)
    return drawn


def _overview(pictures: Sequence[Sequence[Path]], path: Path) -> Path:
    """Write a sheet of eight of the pictures, evenly spread over the categories."""
    from pyimgano_industrial.core.images import read_rgb, write_png
    from pyimgano_industrial.demo.picture import contact_sheet
    from pyimgano_industrial.demo.selection import spread

    some = [file for drawn in pictures for file in spread(drawn, 8 // len(pictures))]
    write_png(path, contact_sheet([read_rgb(file) for file in some]))
    return path
