"""What presets, the camera profile and a memory bank of variants are worth when light and camera drift.

    python tests/benchmarks/drift.py run --set cookie --fold 0 --ways none,profile --out runs/drift
    python tests/benchmarks/drift.py table --out runs/drift
    python tests/benchmarks/drift.py alone

`run` measures some ways on one set and keeps their scores, one file a way and fold, so that a long benchmark is
done in parts; `table` prints the Markdown of all that was measured; `alone` prints what a profile of the images fitted
on changes in good images that it has not seen. The sets: cookie and ballscrew of the folder that
PYIMGANO_INDUSTRIAL_SHARED names, with its detector (needs onnxruntime), and `generated`, rendered trays with 1,000 good
test images, with it too. Of the photographed sets every good image is tested once: they are dealt into folds, and the
detector that tests a fold is fitted and calibrated on the others. Images are brought to --side pixels along their
longer side, then drift, then are corrected.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from stamp import stamp

from pyimgano_industrial.core.images import read_raw, read_rgb
from pyimgano_industrial.core.progress import TerminalProgress
from pyimgano_industrial.demo.scene import STRUCTURAL, render
from pyimgano_industrial.evaluation import drift_ways
from pyimgano_industrial.evaluation.drift_proof import Condition, Trial, Way, WayResult, measure_drift
from pyimgano_industrial.evaluation.drift_table import UP_TO, clean, drop, less, relative_drop, to_markdown
from pyimgano_industrial.evaluation.drifts import DRIFTS, PHOTOMETRIC, STRENGTHS

SETS = ("cookie", "ballscrew", "generated")
PHOTOGRAPHED = ("cookie", "ballscrew")
RECOMMENDED = "profile+variants"
FOLDS = 3
RATE = 0.05
BANK = 1000  # patches
GENERATED = {"fit": 60, "calibrate": 100, "good": 1000, "bad": 40}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    run = commands.add_parser("run", help="measure some ways on one set")
    run.add_argument("--set", choices=SETS, required=True)
    run.add_argument("--fold", type=int, choices=range(FOLDS), default=0, help="of a photographed set")
    run.add_argument("--ways", default="", help="names, separated by commas; default: all that are not there yet")
    run.add_argument("--side", type=int, default=512)
    run.add_argument("--drifts", default="", help="some of them only, into files of their own")
    run.set_defaults(run=measure)
    table = commands.add_parser("table", help="print what was measured")
    table.set_defaults(run=show)
    commands.add_parser("alone", help="what a profile changes in good images").set_defaults(run=left_alone)
    for command in (run, table):
        command.add_argument("--out", type=Path, required=True, help="folder of the results")
    args = parser.parse_args()
    args.run(args)
    return 0


# The ways.


def ways() -> dict[str, Way]:
    """Return every way, the bare one first."""
    none, *ours = drift_ways.ways().values()
    return {way.name: way for way in (none, *_host_schemes(), *ours)}


def _host_schemes() -> Iterator[Way]:
    """Yield pyimgano's own schemes, those that one of its functions applies."""
    from pyimgano.preprocessing.catalog import ILLUMINATION_CONTRAST_KEY, list_preprocessing_schemes
    from pyimgano.preprocessing.industrial_presets import IlluminationContrastKnobs, apply_illumination_contrast

    for scheme in list_preprocessing_schemes():
        if scheme.config_key != ILLUMINATION_CONTRAST_KEY or "_row" in vars(scheme):
            continue
        knobs = {key: value for key, value in (scheme.payload or {}).items() if key != "enabled" and value is not None}
        chain = partial(apply_illumination_contrast, knobs=IlluminationContrastKnobs(**knobs))
        yield Way(
            f"pyimgano {scheme.name.removeprefix('illumination-contrast-')}", prepare=lambda _, chain=chain: chain
        )


# The sets.


@dataclass(frozen=True)
class Set:
    trial: Trial
    drifts: Sequence[Any]
    strengths: Sequence[int]


def load(name: str, side: int, fold: int = 0) -> Set:
    if name == "generated":
        return Set(_rendered(), PHOTOMETRIC, UP_TO)
    root = Path(os.environ["PYIMGANO_INDUSTRIAL_SHARED"]) / "data" / name
    paths = np.array(sorted((*(root / "train/good").iterdir(), *(root / "test/good").iterdir())))
    order = np.random.default_rng(0).permutation(len(paths))
    others = np.delete(order, np.s_[fold::FOLDS])
    kept = round(0.4 * len(others))
    bad = sorted((root / "test/bad").iterdir())
    masks = [read_raw(root / "ground_truth/bad" / f"{path.stem}_mask.png") for path in bad]
    images = [_smaller(read_rgb(path), side) for path in bad]
    return Set(
        Trial(
            fit=[_smaller(read_rgb(path), side) for path in paths[others[kept:]]],
            calibrate=[_smaller(read_rgb(path), side) for path in paths[others[:kept]]],
            good=[_smaller(read_rgb(path), side) for path in paths[order[fold::FOLDS]]],
            bad=images,
            masks=[_mask(mask, image.shape[:2]) for mask, image in zip(masks, images, strict=True)],
        ),
        DRIFTS,
        STRENGTHS,
    )


def _rendered() -> Trial:
    height = 192
    starts = np.cumsum([0, *GENERATED.values()])
    parts = {
        part: [render(10_000 + index, height=height).image for index in range(starts[number], starts[number + 1])]
        for number, part in enumerate(("fit", "calibrate", "good"))
    }
    bad = [
        render(50_000 + index, height=height, defects=(STRUCTURAL[index % len(STRUCTURAL)],))
        for index in range(GENERATED["bad"])
    ]
    masks = [np.any([defect.mask for defect in scene.defects], axis=0) for scene in bad]
    return Trial(**parts, bad=[scene.image for scene in bad], masks=masks)


def _smaller(image: NDArray[Any], side: int) -> NDArray[Any]:
    scale = side / max(image.shape[:2])
    return image if scale >= 1 else cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)


def _mask(mask: NDArray[Any], size: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return a mask of the smaller size, anomalous where any pixel that it covers was."""
    flat = (mask if mask.ndim == 2 else mask.max(axis=2)) > 0
    return cv2.resize(flat.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0


# Running and telling.


def measure(args: argparse.Namespace) -> None:
    sys.path.insert(0, str(Path(os.environ["PYIMGANO_INDUSTRIAL_SHARED"]) / "tools"))
    from patch_memory import PatchMemory

    known = ways()
    wanted = [name for name in args.ways.split(",") if name] or list(known)
    found = load(args.set, args.side, args.fold)
    folder = args.out / args.set
    folder.mkdir(parents=True, exist_ok=True)
    drifts = [name for name in args.drifts.split(",") if name] or found.drifts
    part = f".{args.fold}" + (f"@{'_'.join(drifts)}" if args.drifts else "")
    paths = {name: folder / f"{name.replace(' ', '_')}{part}.json" for name in wanted}
    missing = [name for name in wanted if args.ways or not paths[name].exists()]
    results = measure_drift(
        lambda: OnePass(PatchMemory(bank=BANK)), found.trial, ways=[known[name] for name in missing], rate=RATE,
        drifts=drifts, strengths=found.strengths, progress=TerminalProgress("conditions"),
    )  # fmt: skip
    for name, result in zip(missing, results, strict=True):
        paths[name].write_text(json.dumps(_plain(result)), encoding="utf-8")


class OnePass:
    """The shared detector with score and map from one forward: its score is the maximum of its coarse map."""

    def __init__(self, detector: Any) -> None:
        import onnxruntime
        from patch_memory import WEIGHTS

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1  # several ways are measured beside one another
        detector._session = onnxruntime.InferenceSession(str(WEIGHTS), options, providers=["CPUExecutionProvider"])
        self.detector = detector

    def fit(self, images: Sequence[NDArray[Any]]) -> OnePass:
        self.detector.fit(images)
        return self

    def score_and_map(self, images: Sequence[NDArray[Any]]) -> tuple[list[float], list[NDArray[np.float32]]]:
        grids = [self.detector._grid(image) for image in images]
        sizes = [image.shape[1::-1] for image in images]
        return [grid.max() for grid in grids], [cv2.resize(g, s) for g, s in zip(grids, sizes, strict=True)]


def _plain(result: WayResult) -> dict[str, Any]:
    conditions = [
        {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in vars(one).items()}
        for one in result.conditions
    ]
    return {"way": result.way, "threshold": result.threshold, "conditions": conditions}


def _read(path: Path) -> WayResult:
    plain = json.loads(path.read_text(encoding="utf-8"))
    conditions = [
        Condition(
            **{
                key: np.array(value, bool if key == "flagged" else np.float32) if isinstance(value, list) else value
                for key, value in one.items()
            }
        )
        for one in plain["conditions"]
    ]
    return WayResult(plain["way"], plain["threshold"], tuple(conditions))


def _splits(folder: Path) -> list[tuple[WayResult, ...]]:
    """Return the folds of each way that has as many as the first, each with the conditions of all its files."""
    found: dict[str, dict[str, WayResult]] = {}
    for path in sorted(folder.glob("*.json")):
        one, fold = _read(path), path.stem.partition("@")[0].rpartition(".")[2]
        folds = found.setdefault(one.way, {})
        known = folds.get(fold)
        if known is not None:
            assert np.array_equal(known.conditions[0].good, one.conditions[0].good), path
            one = replace(known, conditions=(*known.conditions, *one.conditions[1:]))
        folds[fold] = one
    order = [way for way in ways() if way in found]
    whole = [way for way in order if len(found[way]) == len(found[order[0]])]
    if len(whole) < len(order):
        print(f"Left out, with folds still to be measured: {', '.join(way for way in order if way not in whole)}.\n")
    return [tuple(found[way].values()) for way in whole]


def show(args: argparse.Namespace) -> None:
    print(f"{stamp('onnxruntime')}\n")
    found = {name: _splits(args.out / name) for name in SETS}
    for name, results in found.items():
        if results:
            _table(name, results)
    _together([{splits[0].way: splits for splits in found[name]} for name in PHOTOGRAPHED])


def _together(sets: Sequence[dict[str, tuple[WayResult, ...]]]) -> None:
    """Print every way that all photographed sets have: means over the sets, and the recommended way less it."""
    print(f"### {' and '.join(PHOTOGRAPHED)}, mean of both\n")
    print(
        f"| way | drop | {RECOMMENDED}'s drop less it | its AUROC without drift less it |\n| --- | ---: | ---: | ---: |"
    )
    for way in sets[0]:
        if any(way not in one or RECOMMENDED not in one for one in sets):
            continue
        mean = np.mean([drop(one[way]) for one in sets])
        pairs = [(one[RECOMMENDED], one[way]) for one in sets]
        apart = ["-", "-"]
        if way != RECOMMENDED:
            apart = ["{:+.2%} ({:+.2%} to {:+.2%})".format(*less(pairs, measure)) for measure in (relative_drop, clean)]
        print(f"| {way} | {mean:.2%} | {' | '.join(apart)} |")


def left_alone(_: argparse.Namespace) -> None:
    """Print how many good images that were not fitted on a profile changes, and by how much."""
    from pyimgano_industrial.presets import CameraProfile

    print("| set | fitted on | others | changed | mean change | largest |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for name in SETS:
        trial = load(name, 512).trial
        profile = CameraProfile.fit(trial.fit)
        changes = []
        for image in (*trial.calibrate, *trial.good):
            corrected, correction = profile.correct(image)
            changes.append(np.abs(corrected.astype(float) - image).mean() if correction.changed else 0.0)
        counted = f"{len(trial.fit)} | {len(changes)} | {np.count_nonzero(changes)}"
        print(f"| {name} | {counted} | {np.mean(changes):.2f} | {np.max(changes):.1f} |")


def _table(name: str, results: Sequence[tuple[WayResult, ...]]) -> None:
    count = sum(one.conditions[0].good.size for one in results[0])
    print(f"### {name}\n\n{count} good and {results[0][0].conditions[0].bad.size} anomalous test images.\n")
    print(f"{to_markdown(results)}\n")


if __name__ == "__main__":
    raise SystemExit(main())
