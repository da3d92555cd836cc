"""Metrics of anomaly maps against masks: pixel AUROC, AP, SegF1 and AU-PRO, in one pass and bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.bootstrap import drawn, f1_interval, intervals, totals
from pyimgano_industrial.metrics.checks import (
    checked_limits,
    checked_map,
    checked_mask,
    checked_region,
    checked_threshold,
)
from pyimgano_industrial.metrics.collector import MEMORY, TOLERANCE, Choose, Collector, Image, Region, Weigh
from pyimgano_industrial.metrics.components import components
from pyimgano_industrial.metrics.measures import Measure, area, average_precision, best_f1
from pyimgano_industrial.metrics.resolve import Wanted
from pyimgano_industrial.metrics.results import F1, Estimate, Interval, PixelReport, f1_of

Size = tuple[int, int | None]


class PixelMetrics(Collector):
    """All pixel metrics of one set of images, which share one copy of the scores.

    limits:    of the false positive rate, for AU-PRO, each above 0 and up to 1
    threshold: for SegF1; a pixel strictly above it is called anomalous
    sizes:     areas in pixels at which defects are divided for the breakdown by size, for example (281, 5000)
    tolerance: the largest error of any number
    memory:    bytes of scores that are kept in memory; the others lie in a temporary file in `folder`
    copy:      False where the caller keeps all maps in memory as they are, until the numbers are there: saves the copy

    AU-PRO: Bergmann et al., The MVTec Anomaly Detection Dataset, IJCV 2021. SegF1: Heckler-Kram et al., The MVTec
    AD 2 Dataset, arXiv 2503.21622, over all pixels of the set. Scores are compared as float32, or as float64 where maps
    are.

    >>> metrics = PixelMetrics(limits=(0.3,))
    >>> metrics.update(np.array([[0.1, 0.2], [0.3, 0.9]]), np.array([[0, 0], [0, 1]]))
    >>> metrics.compute().aupro[0.3].value
    1.0
    """

    def __init__(
        self,
        *,
        limits: float | Iterable[float] = (0.3, 0.05),
        threshold: float | None = None,
        sizes: Sequence[int] = (),
        tolerance: float = TOLERANCE,
        memory: int = MEMORY,
        folder: Path | str | None = None,
        copy: bool = True,
    ) -> None:
        super().__init__(memory=memory, folder=folder, copy=copy)
        self._limits, self._threshold = checked_limits(limits), checked_threshold(threshold)
        edges = [1, *sorted(sizes)]
        self._sizes: list[Size] = [*zip(edges, (edge - 1 for edge in edges[1:]), strict=False), (edges[-1], None)]
        self._tolerance = tolerance

    def update(
        self,
        anomaly_map: NDArray[Any],
        mask: NDArray[Any] | None = None,
        *,
        name: str | None = None,
        lighting: str | None = None,
        inside: NDArray[Any] | None = None,
    ) -> None:
        """Add one image.

        anomaly_map: (H, W), real and finite, higher is more anomalous
        mask:        (H, W), the image's own size, binary; None where the image is good
        name:        the image's, for errors
        lighting:    the group that the image belongs to in the breakdown by lighting
        inside:      (H, W), binary, the region of interest: pixels outside do not count, and of a defect the part
                     inside does; None: all of them count

        Raises MetricError, which names the image, and adds nothing then.
        """
        image = name or f"image {self.count}"
        values = checked_map(anomaly_map, image)
        size = (values.shape[0], values.shape[1])
        marked = None if mask is None else checked_mask(mask, size, image)
        counted = values
        if inside is not None:
            region = checked_region(inside, size, image)
            counted, marked = values[region], None if marked is None else marked & region
        found, regions = _regions(values, marked)
        self._keep(counted, found, None, regions, lighting=lighting, given=anomaly_map)

    def compute(self) -> PixelReport:
        """Return every number with its error bound; may be called at any time, and again after more updates."""
        self._check(_every, "the set")
        lightings = sorted({image.lighting for image in self._images if image.lighting is not None})
        whole = self._report(_every, self._sizes if len(self._sizes) > 1 else ())
        by_lighting = {lighting: self._of_lighting(lighting) for lighting in lightings}
        return PixelReport(**{**vars(whole), "by_lighting": by_lighting})

    def bootstrap(self, *, samples: int = 1000, confidence: float = 0.95, seed: int = 0) -> dict[str, Interval]:
        """Return intervals of auroc, ap, f1, best_f1 and `aupro@LIMIT`, by drawing images with replacement.

        "f1" is that at the given threshold, and absent without one. The curves are taken at about 2000 thresholds for
        this, which moves an interval by less than 1e-3.
        """
        self._check(_every, "the set")
        wanted: dict[str, tuple[str, Measure]] = {
            "auroc": ("pixels", area(1.0)),
            "ap": ("pixels", average_precision),
            "best_f1": ("pixels", best_f1),
        }
        wanted |= {f"aupro@{limit:g}": ("regions", area(limit)) for limit in self._limits}
        replay = self._pixels({name: (_every, weigh) for name, weigh in _STREAMS.items()})
        found = intervals(replay, wanted, samples=samples, confidence=confidence, seed=seed)
        if self._threshold is not None:
            counts = [self._counts_above(self._threshold, one) for one in map(_only, self._images)]
            found["f1"] = f1_interval(np.array(counts), samples=samples, confidence=confidence, seed=seed)
        return found

    def curves(self, *, points: int = 500) -> dict[str, list[tuple[float, float]]]:
        """Return curves to draw, at most `points` points from (0, 0) to (1, 1), false positive rate first.

        "roc": true positive rate of pixels; "pro": mean overlap of the defects. Half the points lie below a rate of
        0.1; the thresholds are those of `bootstrap`.
        """
        self._check(_every, "the set")
        replay = self._pixels({name: (_every, weigh) for name, weigh in _STREAMS.items()})
        found = totals(replay, sorted(_STREAMS))
        return {name: drawn(found[stream], points) for name, stream in (("roc", "pixels"), ("pro", "regions"))}

    @property
    def areas(self) -> list[int]:
        """The areas of all defects so far, in pixels."""
        return [region.area for image in self._images for region in image.regions]

    def _of_lighting(self, lighting: str) -> PixelReport | None:
        chosen = [image for image in self._images if image.lighting == lighting]
        if not any(image.regions for image in chosen) or self._no_normal(chosen):
            return None
        return self._report(lambda image: image.lighting == lighting, ())

    def _no_normal(self, images: Sequence[Image]) -> bool:
        return all(self._spool.size(image.scores) == self._spool.size(image.defective) for image in images)

    def _report(self, choose: Choose, sizes: Sequence[Size]) -> PixelReport:
        streams: dict[str, Weigh] = dict(_STREAMS)
        areas = [region.area for image in self._images if choose(image) for region in image.regions]
        held = [size for size in sizes if any(_within(area, size) for area in areas)]
        streams |= {f"size {size}": _of_size(size) for size in held}
        wanted: Wanted = {
            "auroc": ("pixels", area(1.0)), "ap": ("pixels", average_precision), "f1": ("pixels", best_f1),
            **{f"regions {limit}": ("regions", area(limit)) for limit in self._limits},
            **{f"size {size} {limit}": (f"size {size}", area(limit)) for size in held for limit in self._limits},
        }  # fmt: skip
        resolved = self._resolve(
            wanted, {name: (choose, weigh) for name, weigh in streams.items()}, tolerance=self._tolerance
        )
        found = resolved.numbers
        numbers = {name: Estimate(one.value, one.bound) for name, one in found.items()}
        threshold = resolved.below(found["f1"].best)
        best = f1_of(*self._counts_above(threshold, choose), threshold, found["f1"].bound)
        return PixelReport(
            auroc=numbers["auroc"],
            ap=numbers["ap"],
            aupro={limit: numbers[f"regions {limit}"] for limit in self._limits},
            f1=self._f1(choose),
            best_f1=best,
            images=sum(map(choose, self._images)),
            by_size={
                size: {limit: numbers[f"size {size} {limit}"] for limit in self._limits} if size in held else None
                for size in sizes
            },
        )

    def _f1(self, choose: Choose) -> F1 | None:
        if self._threshold is None:
            return None
        return f1_of(*self._counts_above(self._threshold, choose), self._threshold)

    def _single(self, stream: str, measure: Measure) -> Estimate:
        self._check(_every, "the set")
        wanted = {"it": (stream, measure)}
        found = self._resolve(wanted, {stream: (_every, _STREAMS[stream])}, tolerance=self._tolerance).numbers["it"]
        return Estimate(found.value, found.bound)


def _every(image: Image) -> bool:  # noqa: ARG001 - it stands for a choice among images
    return True


def _only(chosen: Image) -> Choose:
    return lambda image: image is chosen


def _within(size: int, sizes: Size) -> bool:
    return sizes[0] <= size and (sizes[1] is None or size <= sizes[1])


def _of_size(sizes: Size) -> Weigh:
    return lambda region: 1 / region.area if _within(region.area, sizes) else 0.0


_STREAMS: dict[str, Weigh] = {"pixels": lambda _: 1.0, "regions": lambda region: 1 / region.area}


def _regions(values: NDArray[Any], mask: NDArray[np.bool_] | None) -> tuple[NDArray[Any], list[Region]]:
    """Return the defects' scores component by component (8-connected), and the components."""
    flat = values.reshape(-1)
    found = [] if mask is None else [flat[places] for places in components(mask)]
    return np.concatenate([flat[:0], *found]), [Region(one.size, one.size) for one in found]
