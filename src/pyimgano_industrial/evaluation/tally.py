"""The test images of a cell, one at a time into the metrics, and what became of each."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.loco import MVTecLOCO
from pyimgano_industrial.datasets.sample import Channel, Sample
from pyimgano_industrial.evaluation.detectors import Detector
from pyimgano_industrial.evaluation.maps import map_file, write_map
from pyimgano_industrial.evaluation.normals import Thresholds, below
from pyimgano_industrial.evaluation.previews import Gallery
from pyimgano_industrial.evaluation.results import ImageRow, Settings
from pyimgano_industrial.inference.result import Result
from pyimgano_industrial.metrics.pixel import PixelMetrics
from pyimgano_industrial.metrics.spro import AUSPRO

NO_MAPS = "the model gives no maps"


@dataclass
class Tally:
    """What the test images gave.

    rows:    one a test image, in order
    pixels:  None where there are no masks or no maps; spro: None but for MVTec LOCO AD
    no_pixels: why there are no pixel metrics, else None
    mapped:  places in `rows` of images with a map; counted: files of the images in `pixels` and `spro`, in their order
    """

    rows: list[ImageRow] = field(default_factory=list)
    pixels: PixelMetrics | None = None
    spro: AUSPRO | None = None
    no_pixels: str | None = None
    mapped: set[int] = field(default_factory=set)
    counted: list[str] = field(default_factory=list)


class Scorer:
    """Counts the test images of one dataset as they come."""

    def __init__(
        self,
        dataset: FolderDataset,
        detector: Detector,
        settings: Settings,
        thresholds: Thresholds,
        *,
        export: Path | None = None,
    ) -> None:
        self.dataset, self.detector, self.settings, self.thresholds = dataset, detector, settings, thresholds
        self.gallery, self.tally, self._export = Gallery(), Tally(), export
        self.tally.no_pixels = self._why_no_pixels()
        if self.tally.no_pixels is None:
            threshold = None if thresholds.pixel is None else thresholds.pixel.threshold
            self.tally.pixels = PixelMetrics(limits=settings.limits, threshold=threshold, sizes=settings.sizes)
            if settings.protocol == "mvtec_loco":
                self.tally.spro = AUSPRO(limits=settings.spro_limits)

    def add(self, sample: Sample, result: Result) -> ImageRow:
        """Count one image; an error stays with it."""
        row = ImageRow(
            below(self.dataset, sample),
            1 if sample.label else 0,
            kind=sample.anomaly_type,
            defects=(sample.defect,) if sample.defect else (),
            lighting=sample.lighting,
        )
        try:
            row = self._scored(row, sample, result)
        except IndustrialError as error:  # a mask that cannot be read, a map that does not fit
            row = replace(row, error=f"{error}")
        self.tally.rows.append(row)
        return row

    def finish(self) -> Tally:
        """Return the tally; images without a map count in nothing where others have one."""
        tally = self.tally
        scored = [index for index, row in enumerate(tally.rows) if row.error is None]
        if tally.pixels is not None and scored and not tally.mapped:
            self.close()
            tally.pixels = tally.spro = None
            tally.no_pixels = NO_MAPS
        elif tally.pixels is not None:
            for index in scored:
                if index not in tally.mapped:
                    tally.rows[index] = replace(
                        tally.rows[index], score=None, flagged=None, error="the model gave no map for it"
                    )
        return tally

    def close(self) -> None:
        """Remove the temporary files of the metrics."""
        for metric in (self.tally.pixels, self.tally.spro):
            if metric is not None:
                metric.close()

    def _scored(self, row: ImageRow, sample: Sample, result: Result) -> ImageRow:
        if result.error is not None:
            return replace(row, error=_text(result.error))
        score = self.detector.score(sample, result, self.settings.image_score)
        one = result.anomaly_map
        if one is not None:
            row = replace(row, defects=self._count(sample, one) or row.defects)
            self.tally.mapped.add(len(self.tally.rows))
            if self._export is not None:
                write_map(map_file(self._export, self.dataset, sample), one)
        threshold = self.thresholds.image
        self.gallery.add(sample, score, one)
        return replace(row, score=score, flagged=None if threshold is None else score > threshold.threshold)

    def _count(self, sample: Sample, one: NDArray[np.float32]) -> tuple[str, ...]:
        """Count a map's pixels, and return the names of its image's defects."""
        pixels, spro, name = self.tally.pixels, self.tally.spro, f"{sample.image}"
        if pixels is None:
            return ()
        inside = self.detector.inside(sample, one.shape)
        channels: tuple[Channel, ...] = ()
        if sample.label == 0:
            mask = self.dataset.mask(sample) if sample.masks else None
        elif spro is not None and isinstance(self.dataset, MVTecLOCO):
            channels = self.dataset.channels(sample)
            mask = np.logical_or.reduce([channel.mask for channel in channels]) if channels else None
        else:
            mask = self.dataset.mask(sample)
        if spro is not None:
            spro.update(one, channels, kind=sample.anomaly_type if channels else None, name=name, inside=inside)
        pixels.update(one, mask, name=name, lighting=sample.lighting, inside=inside)
        self.tally.counted.append(below(self.dataset, sample))
        return tuple(sorted({channel.defect_name for channel in channels if channel.defect_name}))

    def _why_no_pixels(self) -> str | None:
        if not self.detector.has_maps:
            return NO_MAPS
        labels = {sample.label for sample in self.dataset.samples(self.dataset.test_split)}
        if 1 in labels and not self.dataset.has_masks:
            return "the data set ships no masks for this category"
        return None


def _text(error: Exception) -> str:
    return f"{error}" if isinstance(error, IndustrialError) else f"{type(error).__name__}: {error}"
