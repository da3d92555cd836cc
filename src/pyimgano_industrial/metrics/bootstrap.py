"""Confidence intervals by drawing images again with replacement (Efron, Bootstrap methods, 1979)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.checks import MetricError
from pyimgano_industrial.metrics.counting import Replay
from pyimgano_industrial.metrics.measures import Curve, Floats, Measure
from pyimgano_industrial.metrics.results import Interval

_THRESHOLDS = 1000  # of normal pixels, and as many of defects
_PER_IMAGE = 4096  # pixels of an image that thresholds are taken from


def intervals(
    replay: Replay,
    wanted: Mapping[str, tuple[str, Measure]],
    *,
    samples: int,
    confidence: float,
    seed: int,
) -> dict[str, Interval]:
    """Return a percentile interval of every wanted number (name -> stream, measure)."""
    checked(samples, confidence)
    normal, found = _counts(replay, _edges(replay))
    images = normal.shape[0]
    exact = np.ones(normal.shape[1], bool)  # bins this small are taken as straight lines
    values: dict[str, list[float]] = {name: [] for name in wanted}
    rng = np.random.default_rng(seed)
    for _ in range(samples):
        times = np.bincount(rng.integers(0, images, images), minlength=images).astype(float)
        drawn = {stream: times @ one for stream, one in found.items()}
        free = times @ normal
        for name, (stream, measure) in wanted.items():
            if drawn[stream].sum() > 0 and free.sum() > 0:
                values[name].append(measure(Curve(free[::-1], drawn[stream][::-1], exact)).value)
    return {name: interval(found, confidence) for name, found in values.items()}


def checked(samples: int, confidence: float) -> None:
    if samples < 1 or not 0 < confidence < 1:
        raise MetricError(
            f"a bootstrap needs 1 sample or more and a confidence between 0 and 1; got {samples} and {confidence}: "
            "try 1000 and 0.95"
        )


def interval(values: list[float], confidence: float) -> Interval:
    """Return the percentile interval of bootstrapped values."""
    if not values:
        raise MetricError("no draw of images had normal and anomalous pixels: add images")
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return Interval(low, high, confidence, len(values))


def _edges(replay: Replay) -> NDArray[Any]:
    """Return scores that divide normal pixels evenly and towards the top ever finer, and defects evenly."""
    normal, found = [], []
    for pixels in replay():
        normal.append(pixels.all[:: max(1, pixels.all.size // _PER_IMAGE)])
        found.append(pixels.found[:: max(1, pixels.found.size // _PER_IMAGE)])
    falling = np.geomspace(1e-5, 1, _THRESHOLDS // 2)
    shares = np.concatenate([1 - falling, np.linspace(0, 1, _THRESHOLDS // 2)])
    edges = [np.quantile(np.concatenate(normal), shares, method="lower")]
    edges.append(np.quantile(np.concatenate(found), np.linspace(0, 1, _THRESHOLDS), method="lower"))
    return np.unique(np.concatenate(edges))


def _counts(replay: Replay, edges: NDArray[Any]) -> tuple[Floats, dict[str, Floats]]:
    """Return per image and bin the normal pixels, and the weight of each stream."""
    normal: list[Floats] = []
    found: dict[str, list[Floats]] = {}
    size = edges.size + 1
    for pixels in replay():
        ordered = np.sort(pixels.all)
        below = np.searchsorted(ordered, edges)
        counts = np.diff(below, prepend=0, append=ordered.size).astype(float)
        if pixels.defective.size:
            counts -= np.bincount(np.searchsorted(edges, pixels.defective, side="right"), minlength=size)
        normal.append(counts)
        bins = np.searchsorted(edges, pixels.found, side="right")
        for stream, weights in pixels.weights.items():
            found.setdefault(stream, []).append(np.bincount(bins, weights, minlength=size).astype(float))
    return np.stack(normal), {stream: np.stack(rows) for stream, rows in found.items()}
