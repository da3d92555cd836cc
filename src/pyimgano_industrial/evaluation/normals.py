"""The thresholds of a cell: from the validation split, else from training images that are kept back."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from pyimgano_industrial.core.errors import IndustrialError, IndustrialWarning
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.evaluation.detectors import Detector
from pyimgano_industrial.evaluation.results import Settings
from pyimgano_industrial.inference.calibration import Calibration, CalibrationError, Source
from pyimgano_industrial.inference.calibrator import Calibrator
from pyimgano_industrial.inference.holdout import held_out
from pyimgano_industrial.inference.pixels import PixelScores


@dataclass(frozen=True)
class Split:
    """Normal images to fit on, and normal images that the thresholds come from."""

    fit: tuple[Sample, ...]
    normal: tuple[Sample, ...]
    source: Source
    note: str | None = None


@dataclass(frozen=True)
class Thresholds:
    """Of image scores and of pixels; None where `gaps` says why under "threshold" and "pixel_threshold"."""

    image: Calibration | None
    pixel: Calibration | None
    gaps: dict[str, str]
    notes: tuple[str, ...] = ()


def split_of(dataset: FolderDataset, settings: Settings) -> Split:
    """Return what to fit on and what to take the thresholds from; the note says where it is no validation split."""
    fit = dataset.samples(dataset.fit_split)
    normal = dataset.samples(dataset.calibration_split) if dataset.calibration_split else ()
    if normal:
        return Split(fit, normal, "validation")
    kept = held_out(len(fit), share=settings.share, seed=settings.seed)
    if not kept:
        note = f"thresholds rest on the {len(fit)} image fitted on: there is no validation split and none to keep back"
        return Split(fit, fit, "train", note)
    rest = tuple(sample for index, sample in enumerate(fit) if index not in set(kept))
    note = f"there is no validation split: thresholds rest on {len(kept)} of {len(fit)} training images, not fitted on"
    return Split(rest, tuple(fit[index] for index in kept), "held-out", note)


def calibrate(detector: Detector, split: Split, dataset: FolderDataset, settings: Settings) -> Thresholds:
    """Score the normal images in one pass, and return the thresholds of images and pixels.

    An image that cannot be scored is left out, which a note says. Raises CalibrationError where none is left.
    """
    scores, names, mapped, failed = [], [], [], []
    pixels = PixelScores()
    for sample, result in detector.results(split.normal):
        name = below(dataset, sample)
        if result.error is not None:
            failed.append(f"{result.error}")
            continue
        scores.append(detector.score(sample, result, settings.image_score))
        names.append(name)
        if result.anomaly_map is not None:
            pixels.add(result.anomaly_map, detector.inside(sample, result.anomaly_map.shape))
            mapped.append(name)
    if not scores:
        raise CalibrationError(f"none of the {len(split.normal)} normal images can be scored: {failed[0]}")
    gaps: dict[str, str] = {}
    image = _calibrated(
        "threshold",
        gaps,
        lambda calibrator: calibrator.fit(scores, images=names, source=split.source),
        method=settings.method,
        target_fpr=settings.target_fpr,
        settings=settings,
    )
    if pixels.count:
        pixel = _calibrated(
            "pixel_threshold",
            gaps,
            lambda calibrator: calibrator.fit_pixels(pixels, images=mapped, source=split.source),
            method=settings.pixel_method,
            target_fpr=settings.pixel_target_fpr,
            settings=settings,
        )
    else:
        pixel, gaps["pixel_threshold"] = None, "the model gives no maps"
    left_out = (
        f"{len(failed)} of {len(split.normal)} normal images are left out of the thresholds: {one}" for one in failed
    )
    return Thresholds(image, pixel, gaps, tuple(islice(left_out, 1)))


def below(dataset: FolderDataset, sample: Sample) -> str:
    """Return an image's file below the data set's root, with slashes; its whole path where it lies elsewhere."""
    if dataset.root in sample.image.parents:
        return sample.image.relative_to(dataset.root).as_posix()
    return sample.image.as_posix()


def _calibrated(
    name: str,
    gaps: dict[str, str],
    make: Callable[[Calibrator], Calibration],
    *,
    method: str,
    target_fpr: float,
    settings: Settings,
) -> Calibration | None:
    """Return a threshold, or None with the reason among the gaps."""
    try:
        calibrator = Calibrator(
            method=method,  # type: ignore[arg-type] # checked by Calibrator
            target_fpr=target_fpr,
            confidence=settings.confidence,
            k=settings.k if method in ("mean_sigma", "median_mad") else None,
        )
        with _without_caveats():
            return make(calibrator)
    except IndustrialError as error:
        gaps[name] = f"{error}"
        return None


@contextmanager
def _without_caveats() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndustrialWarning)  # the calibration says the same
        yield
