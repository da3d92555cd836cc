"""From a model as it was asked for to a detector that fits and scores: tiles and a region of interest around it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import calls_of
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.evaluation.results import ModelSpec
from pyimgano_industrial.inference.region_detector import RegionDetector
from pyimgano_industrial.inference.region_files import load_mask
from pyimgano_industrial.inference.result import Result
from pyimgano_industrial.inference.rois import RoiLike, Rois, differ, parse_roi
from pyimgano_industrial.inference.run import infer_iter
from pyimgano_industrial.presets.detector import PresetDetector
from pyimgano_industrial.tiling.detector import TiledDetector

Maker = Callable[[ModelSpec], Any]  # makes a detector that is not fitted; it pickles


@dataclass(frozen=True)
class Again:
    """Makes the same detector again, for tile positions and folds: without its chain, which tiles come after."""

    make: Maker
    spec: ModelSpec

    def __call__(self) -> Any:
        made = self.make(self.spec)
        return made.detector if isinstance(made, PresetDetector) else made


class Detector:
    """One detector in an evaluation. region: where its pixels count, None everywhere."""

    inner: Any

    def __init__(self, spec: ModelSpec, make: Maker, dataset: FolderDataset) -> None:
        roi = None if spec.roi is None else parse_roi(spec.roi)
        self._of(dataset, None if roi is None else Rois(roi))
        self.inner = self._tiled(spec, make, roi) if spec.tiling else make(spec)
        looks = self._tiles is not None and self._tiles.roi is not None
        if roi is not None and not looks:
            self.inner = RegionDetector(self.inner, roi=roi)
        self._fits_files = self._u16_max is None or bool(spec.tiling)

    @classmethod
    def fitted(cls, detector: Any, dataset: FolderDataset, *, region: Rois | None = None) -> Detector:
        """Return a detector that is fitted already, and looks at the region by itself."""
        made = cls.__new__(cls)
        made._of(dataset, region)
        made.inner = detector
        return made

    def _of(self, dataset: FolderDataset, region: Rois | None) -> None:
        self.region, self._dataset = region, dataset
        self._u16_max = None if dataset.bit_depth is None else 2**dataset.bit_depth - 1

    @property
    def has_maps(self) -> bool:
        return calls_of(self.inner).has_maps

    @property
    def _tiles(self) -> TiledDetector | None:
        inner = self.inner
        while isinstance(inner, (PresetDetector, RegionDetector)):
            inner = inner.detector
        return inner if isinstance(inner, TiledDetector) else None

    def fit(self, samples: Sequence[Sample]) -> None:
        """Fit on the samples' files, or on their pixels where the data set's bit depth must be told."""
        images: list[Any] = [f"{sample.image}" for sample in samples]
        if not self._fits_files:
            images = [self._dataset.image(sample) for sample in samples]
        with warnings.catch_warnings():
            if self._tiles is not None:  # what it says of its own threshold, which is not used
                warnings.simplefilter("ignore", IndustrialWarning)
            if isinstance(self.inner, RegionDetector):
                self.inner.fit_only(images, names=[f"{sample.image}" for sample in samples])
            else:
                self.inner.fit(images)

    def results(self, samples: Sequence[Sample]) -> Iterator[tuple[Sample, Result]]:
        """Yield a score and, where there are maps, a map of each sample, in one pass; errors come with their image."""
        found = infer_iter(
            self.inner,
            (sample.image for sample in samples),
            u16_max=self._u16_max,
            include_maps=self.has_maps,
            on_error="report",
        )
        yield from zip(samples, found, strict=True)

    def inside(self, sample: Sample, shape: tuple[int, ...]) -> NDArray[np.bool_] | None:
        """Return the pixels (H, W) of a sample's map that count; None: all do."""
        return None if self.region is None else self.region.mask(f"{sample.image}", shape)

    def score(self, sample: Sample, result: Result, how: str) -> float:
        """Return an image's score: the model's own or, with "map_max", the largest pixel that counts of its map."""
        one = result.anomaly_map
        if how != "map_max" or one is None:
            return result.score
        inside = self.inside(sample, one.shape)
        largest: float = (one if inside is None else one[inside]).max().item()
        return largest

    def _tiled(self, spec: ModelSpec, make: Maker, roi: RoiLike | None) -> TiledDetector | PresetDetector:
        """Return the detector on tiles; a chain stays around it, since it works on whole images."""
        options = dict(spec.tiling)
        if not standardises(options):  # the threshold comes from elsewhere, and one of its own costs folds of fitting
            options.setdefault("calibration", "none")
        if roi is not None and not differ(roi):
            options["roi"] = load_mask(roi) if isinstance(roi, Path) else roi
        made = make(spec)
        behind = isinstance(made, PresetDetector)
        model = made.detector if behind else made
        tiled = TiledDetector(detector=model, factory=Again(make, spec), u16_max=self._u16_max, **options)
        return PresetDetector(detector=tiled, preset=made.chain_, u16_max=self._u16_max) if behind else tiled


def standardises(tiling: Mapping[str, Any]) -> bool:
    """Return whether scores are measured by normal ones of their position or scale, which calibration finds."""
    return tiling.get("fit_mode") == "position" or len(tiling.get("scales", (1.0,))) > 1
