"""AU-sPRO: the saturated overlap of MVTec LOCO AD's defect channels (Bergmann et al., IJCV 2022).

A channel's overlap at a threshold is the share of its saturation area that lies above it, at most 1. That is the share
above it of the channel's highest scores, as many as its saturation area: so the channel counts with these alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.bootstrap import drawn, intervals
from pyimgano_industrial.metrics.checks import MetricError, checked_limits, checked_map, checked_mask, checked_region
from pyimgano_industrial.metrics.collector import MEMORY, TOLERANCE, Choose, Collector, Image, Region, Stream, Weigh
from pyimgano_industrial.metrics.image_counts import ImageCounts
from pyimgano_industrial.metrics.measures import Measured, area
from pyimgano_industrial.metrics.results import Estimate, Interval, SPROReport

LIMITS = (0.01, 0.05, 0.1, 0.3, 1.0)
_AT_ONCE = 8  # kinds and defects that are counted in one pass


class ChannelLike(Protocol):
    """What a channel must have; those of the data set `mvtec_loco` do."""

    @property
    def mask(self) -> NDArray[np.bool_]: ...
    @property
    def saturation_area(self) -> int: ...
    @property
    def defect_name(self) -> str | None: ...


@dataclass(frozen=True, eq=False)
class DefectChannel:
    """One defect of an image. mask: (H, W) bool; saturation_area: pixels that must be found, 1 or more."""

    mask: NDArray[np.bool_]
    saturation_area: int
    defect_name: str | None = None


def saturation_area(defect_area: int, threshold: float, *, relative: bool) -> int:
    """Return the saturation area of a defect, as `defects_config.json` states it: at least 1.

    threshold: a share of the defect's area in (0, 1] where `relative`, else pixels

    >>> saturation_area(7, 0.5, relative=True), saturation_area(7, 6300, relative=False)
    (3, 7)
    """
    if threshold <= 0 or (relative and threshold > 1):
        raise MetricError(
            f"a saturation threshold must be above 0, and up to 1 where it is relative; got {threshold}: "
            "take it from defects_config.json"
        )
    return max(int(threshold * defect_area), 1) if relative else min(int(threshold), defect_area)


class AUSPRO(Collector):
    """AU-sPRO of each kind of anomaly, of their mean, and of each defect; parameters as for `PixelMetrics`.

    >>> metric = AUSPRO(limits=(0.05,))
    >>> channel = DefectChannel(np.array([[False, True, True]]), saturation_area=1)
    >>> metric.update(np.array([[0.1, 0.2, 0.9]]), [channel], kind="logical_anomalies")
    >>> metric.compute().mean[0.05].value
    1.0
    """

    def __init__(
        self,
        *,
        limits: float | Iterable[float] = LIMITS,
        tolerance: float = TOLERANCE,
        memory: int = MEMORY,
        folder: Path | str | None = None,
        copy: bool = True,
    ) -> None:
        super().__init__(memory=memory, folder=folder, copy=copy)
        self._limits, self._tolerance = checked_limits(limits), tolerance

    def update(
        self,
        anomaly_map: NDArray[Any],
        channels: Sequence[ChannelLike] = (),
        *,
        kind: str | None = None,
        name: str | None = None,
        inside: NDArray[Any] | None = None,
    ) -> None:
        """Add one image.

        anomaly_map: (H, W), real and finite, at the image's own size
        channels:    its defects; none where it is good
        kind:        "logical_anomalies" or "structural_anomalies"; needed where there are channels, None elsewhere
        name:        the image's, for errors
        inside:      (H, W), binary, the region of interest: pixels outside do not count, and of a channel the part
                     inside does; a channel that lies outside is left out

        Raises MetricError, which names the image, and adds nothing then.
        """
        image = name or f"image {self.count}"
        if bool(channels) != (kind is not None and kind != "good"):
            raise MetricError(
                f"an image has channels and a kind of anomaly, or neither; {image} has {len(channels)} channels "
                f"and kind {kind!r}: pass both, or leave both out where it is good"
            )
        values = checked_map(anomaly_map, image)
        masks = [self._checked(channel, values, image) for channel in channels]
        counted = values
        if inside is not None:
            region = checked_region(inside, (values.shape[0], values.shape[1]), image)
            counted, masks = values[region], [mask & region for mask in masks]
        found, regions = [values.reshape(-1)[:0]], []
        for channel, mask in zip(channels, masks, strict=True):
            if not mask.any():
                continue  # it lies outside the region
            scores = values.reshape(-1)[np.flatnonzero(mask)]
            highest = _highest(scores, channel.saturation_area)
            found.append(highest)
            regions.append(Region(scores.size, highest.size, channel.defect_name))
        defective = values.reshape(-1)[np.flatnonzero(reduce(np.logical_or, masks))] if masks else found[0]
        kept = kind if regions else None
        self._keep(counted, defective, np.concatenate(found), regions, kind=kept, given=anomaly_map)

    def compute(self) -> SPROReport:
        """Return every number by limit, with its error bound."""
        self._check(lambda _: True, "the set")
        kinds = self._kinds()
        names = self._names()
        streams: dict[str, Stream] = {f"{kind} and good images": (_of_kind(kind), _weigh) for kind in kinds}
        streams |= {f"defect {name!r}": (_with(name), _named(name)) for name in names}
        found = self._of(streams)
        by_kind = dict(zip(kinds, found, strict=False))
        by_defect = dict(zip(names, found[len(kinds) :], strict=True))
        mean = {limit: _mean([one[limit] for one in by_kind.values()]) for limit in self._limits}
        return SPROReport(by_kind, mean, by_defect)

    def bootstrap(self, *, samples: int = 1000, confidence: float = 0.95, seed: int = 0) -> dict[str, Interval]:
        """Return intervals of `KIND@LIMIT` for each kind, of `mean@LIMIT` and of "defect NAME@LIMIT".

        Images are drawn with replacement. The curves are taken at about 2000 thresholds for this, as in
        `PixelMetrics.bootstrap`. Raises MetricError where no draw holds normal and anomalous pixels.
        """
        counts, kinds = self.image_counts(), self._kinds()
        wanted = {f"{stream}@{limit:g}": (stream, area(limit)) for stream in counts.found for limit in self._limits}
        means = {f"mean@{limit:g}": [f"{kind}@{limit:g}" for kind in kinds] for limit in self._limits}
        found = intervals(counts, wanted, samples=samples, confidence=confidence, seed=seed, means=means)
        held = {name: one for name, one in found.items() if one is not None}
        if not held:
            raise MetricError("no draw of images had normal and anomalous pixels: add images")
        return held

    def curves(self, *, points: int = 500) -> dict[str, list[tuple[float, float]]]:
        """Return a curve to draw for each kind, mean sPRO over the false positive rate, as `PixelMetrics.curves`."""
        counts = self.image_counts()
        return {kind: drawn(counts.curve(kind), points) for kind in self._kinds()}

    def image_counts(self) -> ImageCounts:
        """Return what each image adds to the curve of each kind and of each defect ("defect NAME"); one pass."""
        self._check(lambda _: True, "the set")
        if self._counted is None:
            streams: dict[str, Stream] = {kind: (_of_kind(kind), _weigh) for kind in self._kinds()}
            streams |= {f"defect {name}": (_with(name), _named(name)) for name in self._names()}
            self._counted = self._count_images(streams)
        return self._counted

    def _names(self) -> list[str]:
        return sorted({region.name for image in self._images for region in image.regions if region.name})

    def _kinds(self) -> list[str]:
        return sorted({image.kind for image in self._images if image.kind is not None})

    def _checked(self, channel: ChannelLike, values: NDArray[Any], image: str) -> NDArray[np.bool_]:
        mask = checked_mask(channel.mask, (values.shape[0], values.shape[1]), image, what="channel")
        if not mask.any():
            raise MetricError(f"a channel must have pixels; one of {image} is empty: leave it out")
        if channel.saturation_area < 1:
            raise MetricError(
                f"a saturation area must be 1 pixel or more; that of a channel of {image} is "
                f"{channel.saturation_area}: use saturation_area()"
            )
        return mask

    def _of(self, streams: Mapping[str, Stream]) -> list[dict[float, Estimate]]:
        """Return the numbers of each stream by limit; a pass over the scores serves a few streams."""
        found: dict[str, Measured] = {}
        for what, (choose, _) in streams.items():
            self._check(choose, what)
        for start in range(0, len(streams), _AT_ONCE):
            some = dict(islice(streams.items(), start, start + _AT_ONCE))
            wanted = {f"{what} {limit}": (what, area(limit)) for what in some for limit in self._limits}
            found |= self._resolve(wanted, some, tolerance=self._tolerance).numbers
        return [{limit: _estimate(found[f"{what} {limit}"]) for limit in self._limits} for what in streams]


def _highest(scores: NDArray[Any], count: int) -> NDArray[Any]:
    count = min(count, scores.size)
    return np.partition(scores, scores.size - count)[scores.size - count :]


def _weigh(region: Region) -> float:
    return 1 / region.kept


def _named(name: str) -> Weigh:
    return lambda region: 1 / region.kept if region.name == name else 0.0


def _of_kind(kind: str) -> Choose:
    return lambda image: image.kind in (None, kind)


def _with(name: str) -> Choose:
    def choose(image: Image) -> bool:
        return not image.regions or any(region.name == name for region in image.regions)

    return choose


def _estimate(measured: Measured) -> Estimate:
    return Estimate(measured.value, measured.bound)


def _mean(found: Sequence[Estimate]) -> Estimate:
    values, bounds = [one.value for one in found], [one.bound for one in found]
    return Estimate(sum(values) / len(values), sum(bounds) / len(bounds))
