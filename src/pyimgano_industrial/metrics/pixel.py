"""Metrics of anomaly maps against masks: pixel AUROC, AP, SegF1 and AU-PRO, in one pass and bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.bootstrap import drawn, f1_interval, intervals
from pyimgano_industrial.metrics.checks import (
    MetricError,
    checked_limits,
    checked_map,
    checked_mask,
    checked_region,
    checked_threshold,
)
from pyimgano_industrial.metrics.collector import MEMORY, TOLERANCE, Choose, Collector, Image, Region, Weigh
from pyimgano_industrial.metrics.components import components
from pyimgano_industrial.metrics.image_counts import ImageCounts
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
        whole = self._report(_every, self._sizes if len(self._sizes) > 1 else ())
        by_lighting = {lighting: self._of_lighting(lighting) for lighting in self._lightings()}
        return PixelReport(**{**vars(whole), "by_lighting": by_lighting})

    def bootstrap(self, *, samples: int = 1000, confidence: float = 0.95, seed: int = 0) -> dict[str, Interval]:
        """Return intervals of auroc, ap, f1, best_f1 and `aupro@LIMIT`, by drawing images with replacement.

        "f1" is that at the given threshold, and absent without one. Those of the breakdowns are named
        "size 1-280/aupro@0.3" ("size 281-" has no end) and "lighting regular/auroc". The curves are taken at about 2000
        thresholds for this, which moves an interval by less than 1e-3. What no draw gives is absent.

        Raises MetricError where no draw holds normal and anomalous pixels.
        """
        counts = self.image_counts()
        given: dict[str, Any] = {"samples": samples, "confidence": confidence, "seed": seed}
        sizes = [size for size in self._sizes if _size_name(size) in counts.found]
        of_sizes: dict[str, tuple[str, Measure]] = {
            f"{_size_name(size)}/aupro@{limit:g}": (_size_name(size), area(limit))
            for size in sizes
            for limit in self._limits
        }
        found = intervals(counts, {**measures_of(self._limits), **of_sizes}, **given)
        if found["auroc"] is None:
            raise MetricError("no draw of images had normal and anomalous pixels: add images")
        found["f1"] = None if counts.flagged is None else f1_interval(counts.flagged, **given)
        for lighting in self._lightings():
            chosen = np.array([image.lighting == lighting for image in self._images])
            own = self._intervals_of(counts.only(chosen), given) if chosen.any() else {}
            found |= {f"lighting {lighting}/{name}": one for name, one in own.items()}
        return {name: one for name, one in found.items() if one is not None}

    def _intervals_of(self, counts: ImageCounts, given: Mapping[str, Any]) -> dict[str, Interval | None]:
        own = intervals(counts, measures_of(self._limits), **given)
        if counts.flagged is not None and own["auroc"] is not None:
            own["f1"] = f1_interval(counts.flagged, **given)
        return own

    def curves(self, *, points: int = 500) -> dict[str, list[tuple[float, float]]]:
        """Return curves to draw, at most `points` points from (0, 0) to (1, 1), false positive rate first.

        "roc": true positive rate of pixels; "pro": mean overlap of the defects. Half the points lie below a rate of
        0.1; the thresholds are those of `bootstrap`.
        """
        counts = self.image_counts()
        return {name: drawn(counts.curve(stream), points) for name, stream in (("roc", "pixels"), ("pro", "regions"))}

    def image_counts(self) -> ImageCounts:
        """Return what each image adds to the curves "pixels" and "regions" and to that of each size; one pass."""
        self._check(_every, "the set")
        if self._counted is None:
            streams = {**_STREAMS, **self._streams_of(self._sizes if len(self._sizes) > 1 else (), _every)}
            self._counted = self._count_images({name: (_every, weigh) for name, weigh in streams.items()})
            if self._threshold is not None:
                flagged = [self._counts_above(self._threshold, one) for one in map(_only, self._images)]
                self._counted = replace(self._counted, flagged=np.array(flagged))
        return self._counted

    @property
    def areas(self) -> list[int]:
        """The areas of all defects so far, in pixels."""
        return [region.area for image in self._images for region in image.regions]

    def _lightings(self) -> list[str]:
        return sorted({image.lighting for image in self._images if image.lighting is not None})

    def _streams_of(self, sizes: Sequence[Size], choose: Choose) -> dict[str, Weigh]:
        """Return a stream for each size that some defect has."""
        areas = [region.area for image in self._images if choose(image) for region in image.regions]
        held = [size for size in sizes if any(_within(area, size) for area in areas)]
        return {_size_name(size): _of_size(size) for size in held}

    def _of_lighting(self, lighting: str) -> PixelReport | None:
        chosen = [image for image in self._images if image.lighting == lighting]
        if not any(image.regions for image in chosen) or self._no_normal(chosen):
            return None
        return self._report(lambda image: image.lighting == lighting, ())

    def _no_normal(self, images: Sequence[Image]) -> bool:
        return all(self._spool.size(image.scores) == self._spool.size(image.defective) for image in images)

    def _report(self, choose: Choose, sizes: Sequence[Size]) -> PixelReport:
        of_sizes = self._streams_of(sizes, choose)
        streams = {**_STREAMS, **of_sizes}
        wanted: Wanted = {
            **measures_of(self._limits),
            **{f"{size}@{limit}": (size, area(limit)) for size in of_sizes for limit in self._limits},
        }
        resolved = self._resolve(
            wanted, {name: (choose, weigh) for name, weigh in streams.items()}, tolerance=self._tolerance
        )
        found = resolved.numbers
        numbers = {name: Estimate(one.value, one.bound) for name, one in found.items()}
        threshold = resolved.below(found["best_f1"].best)
        best = f1_of(*self._counts_above(threshold, choose), threshold, found["best_f1"].bound)
        return PixelReport(
            auroc=numbers["auroc"],
            ap=numbers["ap"],
            aupro={limit: numbers[f"aupro@{limit:g}"] for limit in self._limits},
            f1=self._f1(choose),
            best_f1=best,
            images=sum(map(choose, self._images)),
            by_size={
                size: {limit: numbers[f"{_size_name(size)}@{limit}"] for limit in self._limits}
                if _size_name(size) in of_sizes
                else None
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


def measures_of(limits: Iterable[float]) -> dict[str, tuple[str, Measure]]:
    """Return the pixel metrics but F1 at a threshold, name -> the curve that each is measured of, and how."""
    return {
        "auroc": ("pixels", area(1.0)),
        "ap": ("pixels", average_precision),
        "best_f1": ("pixels", best_f1),
        **{f"aupro@{limit:g}": ("regions", area(limit)) for limit in limits},
    }


def _every(image: Image) -> bool:  # noqa: ARG001 - it stands for a choice among images
    return True


def _only(chosen: Image) -> Choose:
    return lambda image: image is chosen


def _within(size: int, sizes: Size) -> bool:
    return sizes[0] <= size and (sizes[1] is None or size <= sizes[1])


def _size_name(size: Size) -> str:
    return f"size {size[0]}-{'' if size[1] is None else size[1]}"


def _of_size(sizes: Size) -> Weigh:
    return lambda region: 1 / region.area if _within(region.area, sizes) else 0.0


_STREAMS: dict[str, Weigh] = {"pixels": lambda _: 1.0, "regions": lambda region: 1 / region.area}


def _regions(values: NDArray[Any], mask: NDArray[np.bool_] | None) -> tuple[NDArray[Any], list[Region]]:
    """Return the defects' scores component by component (8-connected), and the components."""
    flat = values.reshape(-1)
    found = [] if mask is None else [flat[places] for places in components(mask)]
    return np.concatenate([flat[:0], *found]), [Region(one.size, one.size) for one in found]
