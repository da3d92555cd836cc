"""What every image adds to the curves, at about 2000 thresholds: enough to draw images again, and small."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.counting import Replay
from pyimgano_industrial.metrics.measures import Curve, Floats, Measure

Measures = Mapping[str, tuple[str, Measure]]  # name -> stream, what is measured of its curve

_THRESHOLDS = 1000  # of normal pixels, and as many of defects
_PER_IMAGE = 4096  # pixels of an image that thresholds are taken from
_AT_ONCE = 64  # draws


@dataclass(frozen=True, eq=False)
class ImageCounts:
    """Every image's part in the curves; the bins between thresholds are in the order of rising scores.

    normal:  (images, bins) uint32, pixels free of defects
    found:   stream -> (images, bins) float32, weight of the defects
    members: stream -> (images,) bool, the images that count in it
    flagged: (images, 3) int64, pixels above the given threshold that are hits and false alarms, and those below it
             that are misses; None where no threshold was given
    """

    normal: NDArray[np.uint32]
    found: Mapping[str, NDArray[np.float32]]
    members: Mapping[str, NDArray[np.bool_]]
    flagged: NDArray[np.int64] | None = None

    def only(self, chosen: NDArray[Any]) -> ImageCounts:
        """Return the images that are chosen, (images,) bool or (N,) places, in that order."""
        return ImageCounts(
            self.normal[chosen],
            {stream: one[chosen] for stream, one in self.found.items()},
            {stream: one[chosen] for stream, one in self.members.items()},
            None if self.flagged is None else self.flagged[chosen],
        )

    def curve(self, stream: str) -> Curve:
        """Return the curve of all images."""
        normal = self.normal[self.members[stream]].sum(axis=0, dtype=float)
        return _curve(normal, self.found[stream].sum(axis=0, dtype=float))

    def draws(self, wanted: Measures, times: Floats) -> dict[str, Floats]:
        """Return each number under draws of images, name -> (draws,), NaN where a draw lacks defects or normal pixels.

        times: (draws, images), how often an image is drawn
        """
        values = {name: np.full(len(times), np.nan) for name in wanted}
        streams = {stream for stream, _ in wanted.values()}
        normal, members = self.normal.astype(np.float32), {stream: self.members[stream] for stream in streams}
        for start in range(0, len(times), _AT_ONCE):
            some = times[start : start + _AT_ONCE].astype(np.float32)
            free = {stream: (some * inside) @ normal for stream, inside in members.items()}
            found = {stream: some @ self.found[stream] for stream in streams}
            for row in range(len(some)):
                curves = {stream: _curve(free[stream][row], found[stream][row]) for stream in streams}
                for name, (stream, measure) in wanted.items():
                    if curves[stream].normal.any() and curves[stream].found.any():
                        values[name][start + row] = measure(curves[stream]).value
        return values

    def f1_draws(self, times: Floats) -> Floats:
        """Return F1 at the given threshold under draws of images, (draws,), NaN where a draw lacks defects."""
        if self.flagged is None:
            return np.full(len(times), np.nan)
        return f1_draws(self.flagged, times)


def f1_draws(flagged: NDArray[np.int64], times: Floats) -> Floats:
    """Return F1 under draws of images, (draws,); flagged: (images, 3) hits, false alarms and misses."""
    hits, alarms, misses = (times @ flagged.astype(float)).T
    with np.errstate(invalid="ignore"):
        found: Floats = np.where(hits + misses > 0, 2 * hits / (2 * hits + alarms + misses), np.nan)
    return found


def count_images(replay: Replay, sample: Replay, streams: Sequence[str]) -> ImageCounts:
    """Return what each image of a replay adds to each stream; the thresholds come from a sample of it."""
    edges = _edges(sample)
    normal: list[NDArray[np.uint32]] = []
    found: dict[str, list[NDArray[np.float32]]] = {stream: [] for stream in streams}
    members: dict[str, list[bool]] = {stream: [] for stream in streams}
    size = edges.size + 1
    for pixels in replay():
        ordered = np.sort(pixels.all)
        counts = np.diff(np.searchsorted(ordered, edges), prepend=0, append=ordered.size)
        if pixels.defective.size:
            counts -= np.bincount(np.searchsorted(edges, pixels.defective, side="right"), minlength=size)
        normal.append(counts.astype(np.uint32))
        bins = np.searchsorted(edges, pixels.found, side="right")
        for stream in streams:
            weights = pixels.weights.get(stream, np.zeros(bins.size))
            found[stream].append(np.bincount(bins, weights, minlength=size).astype(np.float32))
            members[stream].append(stream in pixels.weights)
    return ImageCounts(
        np.stack(normal),
        {stream: np.stack(rows) for stream, rows in found.items()},
        {stream: np.array(inside) for stream, inside in members.items()},
    )


def _curve(normal: NDArray[Any], found: NDArray[Any]) -> Curve:
    exact = np.ones(normal.size, bool)  # bins this small are taken as straight lines
    return Curve(normal[::-1].astype(float), found[::-1].astype(float), exact)


def _edges(sample: Replay) -> NDArray[Any]:
    """Return scores that divide normal pixels evenly and towards the top ever finer, and defects evenly."""
    normal, found = [], []
    for pixels in sample():
        normal.append(pixels.all[:: max(1, pixels.all.size // _PER_IMAGE)])
        found.append(pixels.found[:: max(1, pixels.found.size // _PER_IMAGE)])
    falling = np.geomspace(1e-5, 1, _THRESHOLDS // 2)
    shares = np.concatenate([1 - falling, np.linspace(0, 1, _THRESHOLDS // 2)])
    edges = [np.quantile(np.concatenate(normal), shares, method="lower")]
    edges.append(np.quantile(np.concatenate(found), np.linspace(0, 1, _THRESHOLDS), method="lower"))
    return np.unique(np.concatenate(edges))
