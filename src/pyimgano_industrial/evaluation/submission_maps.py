"""Where the maps of a submission come from: a model that is fitted object by object, or a folder of maps."""

from __future__ import annotations

import hashlib
import json
import shutil
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyimgano_industrial.core.errors import IndustrialError, IndustrialWarning
from pyimgano_industrial.core.files import written
from pyimgano_industrial.core.progress import Progress
from pyimgano_industrial.datasets.ad2 import MVTecAD2
from pyimgano_industrial.evaluation.detectors import Detector, Maker
from pyimgano_industrial.evaluation.machine import versions
from pyimgano_industrial.evaluation.results import ModelSpec
from pyimgano_industrial.evaluation.submission import SPLITS, SubmissionError, Wanted
from pyimgano_industrial.evaluation.tiff import MAP_SUFFIXES, read_map
from pyimgano_industrial.inference.calibration import Calibration, CalibrationError
from pyimgano_industrial.inference.calibrator import Calibrator
from pyimgano_industrial.inference.pixels import PixelScores


@dataclass(frozen=True)
class Maps:
    """Maps of one object's private images.

    files:       `Wanted.key` -> a file that `tiff.read_map` reads
    calibration: the threshold of pixels, from normal validation images; None where there is none
    failed:      `Wanted.key` -> why there is no map
    """

    files: Mapping[str, Path]
    calibration: Calibration | None = None
    failed: Mapping[str, str] = field(default_factory=dict)


def model_maps(
    dataset: MVTecAD2,
    images: Sequence[Wanted],
    work: Path,
    *,
    spec: ModelSpec,
    make: Maker,
    calibrator: Calibrator | None,
    fingerprint: str,
    progress: Progress | None = None,
) -> Maps:
    """Fit a model on train/good, calibrate it on validation/good, and keep a float32 map of each private image.

    work:        a folder for `maps/<split>/<image>.npy`; those of an earlier run with the same fingerprint are kept,
                 and where none is missing, nothing is fitted
    calibrator:  of pixels; None where no thresholded images are wanted
    progress:    called as `progress(done, total)` after each image that is scored
    Raises SubmissionError where the model gives no maps or there is nothing to calibrate on.
    """
    state = work / "state.json"
    known = _read(state)
    if known.get("fingerprint") != fingerprint:
        shutil.rmtree(work, ignore_errors=True)
        known = {"fingerprint": fingerprint, "calibration": None}
        _write(state, known)
    files = {one.key: work / "maps" / one.split / f"{one.image.stem}.npy" for one in images}
    missing = [one for one in images if not files[one.key].exists()]
    calibration = None if known["calibration"] is None else Calibration.from_dict(known["calibration"])
    normal = dataset.samples("validation") if calibrator is not None and calibration is None else ()
    if calibrator is not None and calibration is None and not normal:
        raise SubmissionError(
            f"a threshold needs normal images in {dataset.folder}/validation/good; there is none: add them, state "
            f"--threshold, or pass --no-thresholded"
        )
    if not missing and not normal:
        return Maps(files, calibration)
    detector = Detector(spec, make, dataset)
    detector.fit(dataset.samples("train"))
    if not detector.has_maps:
        raise SubmissionError(f"a submission is made of anomaly maps; {spec.name} gives none: choose another model")
    done, total = 0, len(normal) + len(missing)
    if calibrator is not None and calibration is None:
        pixels = PixelScores()
        for sample, result in detector.results(normal):
            if result.error is not None or result.anomaly_map is None:
                raise SubmissionError(f"a threshold needs every validation image; {sample.image}: {result.error}")
            pixels.add(result.anomaly_map, detector.inside(sample, result.anomaly_map.shape))
            done += 1
            _tell(progress, done, total)
        calibration = _calibrated(calibrator, pixels, [sample.image for sample in normal])
        _write(state, {**known, "calibration": calibration.to_dict()})
    failed: dict[str, str] = {}
    by_image = {one.image: one for one in missing}
    samples = [sample for split in SPLITS for sample in dataset.samples(split) if sample.image in by_image]
    for sample, result in detector.results(samples):
        key = by_image[sample.image].key
        if result.error is not None or result.anomaly_map is None:
            failed[key] = f"{result.error or 'the model gave no map'}"
        else:
            with written(files[key]) as spare, spare.open("wb") as file:
                np.save(file, result.anomaly_map)
        done += 1
        _tell(progress, done, total)
    return Maps(files, calibration, failed)


def given_maps(folder: Path, name: str, images: Sequence[Wanted], *, calibrator: Calibrator | None) -> Maps:
    """Find the maps of an object in `folder/<object>/<split>/<image>.{tiff,tif,npy}`.

    Those of normal images in `folder/<object>/validation/good` give the threshold of pixels, where there are any.
    """
    place = folder / name
    if not place.is_dir():
        there = ", ".join(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else "no such folder"
        raise SubmissionError(f"maps of {name} must lie in {place}; {folder} holds {there}")
    files: dict[str, Path] = {}
    for one in images:
        choices = [place / one.split / f"{one.image.stem}{suffix}" for suffix in MAP_SUFFIXES]
        found = [path for path in choices if path.exists()]
        if len(found) > 1:
            raise SubmissionError(f"an image must have one map; {found[0]} and {found[1]} are two: take one away")
        if found:
            files[one.key] = found[0]
    normal = sorted(path for path in (place / "validation" / "good").glob("*") if path.suffix.lower() in MAP_SUFFIXES)
    if calibrator is None or not normal:
        return Maps(files)
    pixels = PixelScores()
    for path in normal:
        try:
            pixels.add(read_map(path))
        except CalibrationError as error:
            raise SubmissionError(f"the threshold cannot rest on {path}: {error}") from error
    return Maps(files, _calibrated(calibrator, pixels, normal))


def fingerprint_of(inputs: Iterable[Path], **settings: Any) -> str:
    """Return a digest of settings, versions, and the names, sizes and times of files: what a resumed run compares."""
    files = [(f"{path}", (stat := path.stat()).st_size, stat.st_mtime_ns) for path in inputs]
    text = json.dumps([files, settings, versions()], sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def inputs_of(dataset: MVTecAD2) -> list[Path]:
    """Return the images that a model is fitted on, calibrated on, and gives maps of."""
    return [sample.image for split in ("train", "validation", *SPLITS) for sample in dataset.samples(split)]


def plain(spec: ModelSpec) -> dict[str, Any]:
    """Return a model as plain data."""
    return asdict(spec)


def _calibrated(calibrator: Calibrator, pixels: PixelScores, images: Sequence[Path]) -> Calibration:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndustrialWarning)  # the calibration says the same
        return calibrator.fit_pixels(pixels, images=[path.name for path in images], source="validation")


def _tell(progress: Progress | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _read(path: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise IndustrialError(f"cannot read {path}: {error}; delete it, and its maps are made again") from error
    return found


def _write(path: Path, data: Mapping[str, Any]) -> None:
    with written(path) as spare:
        spare.write_text(json.dumps(data, indent=1), encoding="utf-8")
