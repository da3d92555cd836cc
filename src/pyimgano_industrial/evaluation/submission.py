"""The files of a submission to the evaluation server of MVTec AD 2, object by object.

    anomaly_images/<object>/{test_private,test_private_mixed}/NNN_*.tiff                float16, (H, W) of the image
    anomaly_images_thresholded/<object>/{test_private,test_private_mixed}/NNN_*.png     0 and 255; may be left out

Which files these are is read from the data set on disk.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import DatasetError, IndustrialError, PluginError
from pyimgano_industrial.core.images import image_size, write_png
from pyimgano_industrial.core.progress import Progress
from pyimgano_industrial.datasets.ad2 import MVTecAD2
from pyimgano_industrial.evaluation.half import HalfError, HalfScale, HalfStatistics, above
from pyimgano_industrial.evaluation.tiff import read_map, write_half
from pyimgano_industrial.inference.calibration import Calibration
from pyimgano_industrial.inference.changes import ThresholdChange, followed, stated

OBJECTS = MVTecAD2.known_categories
SPLITS = MVTecAD2.unlabelled_splits
MAPS, MASKS = "anomaly_images", "anomaly_images_thresholded"


class SubmissionError(IndustrialError, ValueError):
    """A submission that cannot be made as asked."""


@dataclass(frozen=True)
class Wanted:
    """One private image, and the names of its files in a submission."""

    image: Path
    object: str
    split: str

    @property
    def key(self) -> str:
        return f"{self.object}/{self.split}/{self.image.stem}"

    @property
    def map(self) -> str:
        return f"{MAPS}/{self.key}.tiff"

    @property
    def mask(self) -> str:
        return f"{MASKS}/{self.key}.png"


@dataclass(frozen=True)
class Written:
    """What became of one object.

    images:     the number that was written
    scale:      "plain" or "shared", see `half.HalfScale`; reason: why it is not "plain"
    threshold:  of the pixels of float32 maps, None where no thresholded images are written; half_threshold: what it is
                in the float16 maps; said: the calibration's own words
    flagged:    the share of all pixels above the threshold
    failed:     image -> why it has no files
    changes:    the log of the threshold, oldest first; it goes on when the object is written again
    """

    object: str
    images: int
    scale: str
    reason: str = ""
    threshold: float | None = None
    half_threshold: float | None = None
    said: str = ""
    flagged: float | None = None
    failed: Mapping[str, str] = field(default_factory=dict)
    fingerprint: str = ""
    changes: tuple[ThresholdChange, ...] = ()


def wanted(root: Path | str, name: str) -> list[Wanted]:
    """Return the private images of an object, sorted; raises DatasetError where the data set lacks any of it."""
    dataset = MVTecAD2(root, name)
    return [Wanted(sample.image, name, split) for split in SPLITS for sample in dataset.samples(split)]


def write_object(
    images: Sequence[Wanted],
    maps: Mapping[str, Path],
    folder: Path,
    *,
    threshold: float | None = None,
    calibration: Calibration | None = None,
    failed: Mapping[str, str] | None = None,
    fingerprint: str = "",
    earlier: Written | None = None,
    progress: Progress | None = None,
) -> Written:
    """Write the files of one object, in two passes over its maps, of which one is in memory at a time.

    maps:      `Wanted.key` -> file of a map (H, W), see `tiff.read_map`; one that is missing, of a wrong size or not
               finite makes its image fail, and the others are written
    threshold: of pixels; `calibration`, where it came from; neither: no thresholded images
    failed:    images that are known to have no map, and why
    earlier:   what was written of the object before
    progress:  called as `progress(done, total)`, twice an image
    """
    cut = calibration.threshold if calibration is not None else threshold
    faults = dict(failed or {})
    statistics = HalfStatistics()
    for done, one in enumerate(images, 1):
        if one.key not in faults:
            try:
                statistics.add(_map_of(one, maps))
            except (DatasetError, HalfError, SubmissionError, PluginError) as error:
                faults[one.key] = f"{error}"
        if progress is not None:
            progress(done, 2 * len(images))
    rest = [one for one in images if one.key not in faults]
    if not rest:
        first = next(iter(faults.values()), "there is no image")
        raise SubmissionError(f"none of the {len(images)} private images of {images[0].object} has a map: {first}")
    scale = statistics.scale(cut)
    flagged = pixels = 0
    for done, one in enumerate(rest, len(images) + 1):
        anomaly_map = _map_of(one, maps)
        write_half(folder / one.map, scale(anomaly_map))
        if cut is not None:
            mask = above(anomaly_map, cut)
            _write_mask(folder / one.mask, mask)
            flagged, pixels = flagged + int(mask.sum()), pixels + mask.size
        if progress is not None:
            progress(done, 2 * len(images))
    if progress is not None:
        progress(2 * len(images), 2 * len(images))
    _tidy(folder, images, faults, masks=cut is not None)
    return Written(
        images[0].object,
        len(rest),
        scale.kind,
        scale.reason,
        cut,
        None if cut is None else _half_threshold(scale, cut),
        "" if calibration is None else f"{calibration}",
        None if cut is None else flagged / pixels,
        faults,
        fingerprint,
        _log(cut, calibration, () if earlier is None else earlier.changes),
    )


def _log(
    cut: float | None, calibration: Calibration | None, log: tuple[ThresholdChange, ...]
) -> tuple[ThresholdChange, ...]:
    if cut is None:
        return log
    return followed(log, calibration.changes[-1] if calibration is not None else stated(cut, level="pixel"))


def _half_threshold(scale: HalfScale, cut: float) -> float | None:
    found = scale.of(cut)
    return found if np.isfinite(found) else None  # of a plain scale: above all scores


def _map_of(one: Wanted, maps: Mapping[str, Path]) -> NDArray[np.float32]:
    if one.key not in maps:
        raise SubmissionError(f"every private image needs a map; there is none of {one.key}")
    found = read_map(maps[one.key])
    size = image_size(one.image)
    if found.shape != size:
        raise SubmissionError(
            f"a map must have its image's size {size}; {maps[one.key]} is {found.shape}: write maps at the image's size"
        )
    if not np.isfinite(found).all():
        raise SubmissionError(f"a map must be finite; {maps[one.key]} holds NaN or infinity")
    return found


def _write_mask(path: Path, mask: NDArray[np.bool_]) -> None:
    write_png(path, mask.astype(np.uint8) * np.uint8(255))


def _tidy(folder: Path, images: Sequence[Wanted], faults: Mapping[str, str], *, masks: bool) -> None:
    """Take away files of an earlier run that this one does not write."""
    for one in images:
        if one.key in faults:
            (folder / one.map).unlink(missing_ok=True)
        if one.key in faults or not masks:
            (folder / one.mask).unlink(missing_ok=True)
