"""One model on one category: fit once, thresholds from normal images, one pass over the test images, numbers."""

from __future__ import annotations

import hashlib
import json
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from pyimgano_industrial.core.errors import DatasetError, IndustrialError, IndustrialWarning
from pyimgano_industrial.datasets.faults import FaultError
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.loco import MVTecLOCO
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.evaluation.counts import CellCounts
from pyimgano_industrial.evaluation.detectors import Detector, Maker
from pyimgano_industrial.evaluation.folder import RunFolder, RunFolderError
from pyimgano_industrial.evaluation.machine import peak_mib, versions
from pyimgano_industrial.evaluation.maps import check_names, map_file
from pyimgano_industrial.evaluation.normals import Split, below, calibrate, split_of
from pyimgano_industrial.evaluation.numbers import numbers_of
from pyimgano_industrial.evaluation.results import Cell, Cost, ModelSpec, Settings
from pyimgano_industrial.evaluation.tally import Scorer

Opener = Callable[[str], FolderDataset]  # opens a category; it pickles
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Task:
    """One cell to be run. output: the run's folder; export: where maps go, or None; again: run even if it is there."""

    spec: ModelSpec
    category: str
    settings: Settings
    open: Opener
    make: Maker
    output: Path
    export: Path | None = None
    again: bool = False


@dataclass(frozen=True)
class Outcome:
    """A cell, and whether it was run now; else it was there."""

    cell: Cell
    fresh: bool = True


def run_cell(task: Task, progress: Progress | None = None) -> Outcome:
    """Return the cell and leave it in the run's folder; one that is there and rests on the same is not run again.

    An error of the model or of the data set makes the cell "failed", with its reason; traceback.txt has the whole.
    """
    folder = RunFolder(task.output)
    try:
        dataset = task.open(task.category)
        mark = fingerprint(task, dataset)
        if (found := _finished(task, folder, dataset, mark)) is not None:
            return Outcome(found, fresh=False)
        cell = _with_log(_run(task, folder, dataset, progress or _silent), folder)
    except Exception as error:  # noqa: BLE001 - the other cells must not fall with this one
        reason = f"{error}" if isinstance(error, IndustrialError) else f"{type(error).__name__}: {error}"
        cell = Cell(task.spec.label, task.category, "failed", reason, versions=versions(), fingerprint="")
        trace = folder.cell_folder(cell.model, cell.category) / "traceback.txt"
        trace.parent.mkdir(parents=True, exist_ok=True)
        trace.write_text(traceback.format_exc(), encoding="utf-8")
    else:
        cell = replace(cell, fingerprint=mark)
    folder.save_cell(cell)
    return Outcome(cell)


def fingerprint(task: Task, dataset: FolderDataset) -> str:
    """Return a digest of all that a cell rests on: settings, model, versions, and the files with size and time."""
    files = []
    for split in dict.fromkeys((dataset.fit_split, dataset.calibration_split or dataset.fit_split, dataset.test_split)):
        for sample in dataset.samples(split):
            files += [_stamp(path) for path in (sample.image, *sample.masks)]
    stated = {"settings": asdict(replace(task.settings, root="")), "model": asdict(task.spec), "versions": versions()}
    text = json.dumps([stated, task.category, files], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _finished(task: Task, folder: RunFolder, dataset: FolderDataset, mark: str) -> Cell | None:
    if task.again:
        return None
    path = folder.cell_folder(task.spec.label, task.category)
    try:
        cell = folder.load_cell_at(path)
    except RunFolderError:
        return None
    if cell.state != "done" or cell.fingerprint != mark:
        return None
    scored = {row.file for row in cell.images if row.error is None}
    if task.export is not None:
        for sample in dataset.samples(dataset.test_split):
            written = map_file(task.export, dataset, sample).exists()
            if below(dataset, sample) in scored and not written and "pixel_threshold" not in cell.gaps:
                return None
    return cell


def _with_log(cell: Cell, folder: RunFolder) -> Cell:
    """Return a cell whose thresholds go on with the log of the one that it takes the place of."""
    try:
        before = folder.load_cell_at(folder.cell_folder(cell.model, cell.category))
    except RunFolderError:
        return cell
    image, pixel = cell.threshold, cell.pixel_threshold
    return replace(
        cell,
        threshold=image and image.after(before.threshold),
        pixel_threshold=pixel and pixel.after(before.pixel_threshold),
    )


def _run(task: Task, folder: RunFolder, dataset: FolderDataset, progress: Progress) -> Cell:
    test = dataset.samples(dataset.test_split)
    _check(dataset, test, task)
    notes: list[str] = []
    with _noting(notes):
        split = split_of(dataset, task.settings)
        clock = _Clock()
        detector = Detector(task.spec, task.make, dataset)
        detector.fit(split.fit)
        clock.lap("fit")
        thresholds = calibrate(detector, split, dataset, task.settings)
        notes += thresholds.notes
        clock.lap("calibrate")
        scorer = Scorer(dataset, detector, task.settings, thresholds, export=task.export)
        try:
            for done, (sample, result) in enumerate(detector.results(test), start=1):
                scorer.add(sample, result)
                progress(done, len(test))
            tally = scorer.finish()
            clock.lap("test")
            image = None if thresholds.image is None else thresholds.image.threshold
            found = numbers_of(tally, task.settings, threshold=image)
        finally:
            scorer.close()
        pixel = None if thresholds.pixel is None else thresholds.pixel.threshold
        previews, scale = scorer.gallery.write(
            folder.cell_folder(task.spec.label, task.category), dataset, threshold=pixel
        )
        if found.curves:
            folder.save_curves(task.spec.label, task.category, found.curves)
        if found.counts:
            folder.save_counts(task.spec.label, task.category, CellCounts(tuple(tally.counted), found.counts))
        clock.lap("metrics")
    failed = [row for row in tally.rows if row.error is not None]
    return Cell(
        model=task.spec.label,
        category=task.category,
        state="done",
        fitted=len(split.fit),
        test=len(tally.rows) - len(failed),
        metrics=found.metrics,
        gaps={**thresholds.gaps, **found.gaps},
        by_kind=found.by_kind,
        by_lighting=found.by_lighting,
        by_size=found.by_size,
        by_defect=found.by_defect,
        threshold=thresholds.image,
        pixel_threshold=thresholds.pixel,
        notes=(*_notes(dataset, split, len(failed), len(tally.rows), task), *dict.fromkeys(notes)),
        images=tuple(tally.rows),
        scale=scale,
        previews=previews,
        curves=tuple(sorted(found.curves)),
        cost=Cost(**clock.laps, peak_mib=peak_mib()),
        versions=versions(),
    )


def _check(dataset: FolderDataset, test: Sequence[Sample], task: Task) -> None:
    """Raise before anything is fitted where the test split cannot be evaluated as asked."""
    unlabelled = [sample for sample in test if sample.label is None]
    if unlabelled:
        raise DatasetError(f"an evaluation needs labels; {unlabelled[0].image} has none: evaluate a labelled split")
    if dataset.has_masks and task.settings.missing_masks == "error":
        for sample in test:
            if sample.label == 1 and not sample.masks:
                fault = dataset.contradiction(sample, marked=0)
                if fault is not None:
                    raise FaultError(fault, more=len(dataset.without_mask) - 1)
    if task.export is not None:
        check_names(task.export, dataset, tuple(test))


def _notes(dataset: FolderDataset, split: Split, failed: int, count: int, task: Task) -> Iterator[str]:
    if split.note:
        yield split.note
    if failed:
        yield f"{failed} of {count} test images failed and count in no number"
    if isinstance(dataset, MVTecLOCO) and not dataset.defects:
        yield "there is no defects_config.json: saturation areas are whole areas, and sPRO is not the official one"
    missing = sum(1 for sample in dataset.samples(dataset.test_split) if sample.label == 1 and not sample.masks)
    if missing and dataset.has_masks:
        yield f"{missing} anomalous images have no mask: all their pixels count as normal"
    if task.settings.protocol != "generic" and task.settings.image_score == "detector":
        yield "image scores are the model's own; the official evaluator takes the maximum of the map"
    if task.spec.roi is not None:
        yield f"only pixels inside the region {task.spec.roi} count"


class _Clock:
    """Seconds between laps."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name] = round(now - self._last, 3)
        self._last = now


@contextmanager
def _noting(notes: list[str]) -> Iterator[None]:
    """Keep our own warnings as notes of the cell; all others are shown as they are."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", IndustrialWarning)
        try:
            yield
        finally:
            others = [one for one in caught if not issubclass(one.category, IndustrialWarning)]
            notes += [f"{one.message}" for one in caught if issubclass(one.category, IndustrialWarning)]
    for one in others:
        print(warnings.formatwarning(one.message, one.category, one.filename, one.lineno), end="", file=sys.stderr)


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        state = path.stat()
    except OSError:  # whoever reads it will say what is wrong
        return path.name, -1, 0
    return f"{path.parent.name}/{path.name}", state.st_size, state.st_mtime_ns


def _silent(done: int, total: int) -> None:
    """Show nothing."""
