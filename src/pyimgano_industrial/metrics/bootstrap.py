"""Confidence intervals by drawing images again with replacement (Efron, Bootstrap methods, 1979)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    means: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Interval]:
    """Return a percentile interval of every wanted number (name -> stream, measure) and of means of these."""
    checked(samples, confidence)
    normal, found, members = _counts(replay, _edges(replay), sorted({stream for stream, _ in wanted.values()}))
    images = normal.shape[0]
    exact = np.ones(normal.shape[1], bool)  # bins this small are taken as straight lines
    values: dict[str, list[float]] = {name: [] for name in wanted}
    rng = np.random.default_rng(seed)
    for _ in range(samples):
        times = np.bincount(rng.integers(0, images, images), minlength=images).astype(float)
        drawn = {stream: times @ one for stream, one in found.items()}
        free = {stream: (times * inside) @ normal for stream, inside in members.items()}
        for name, (stream, measure) in wanted.items():
            possible = drawn[stream].sum() > 0 and free[stream].sum() > 0
            curve = Curve(free[stream][::-1], drawn[stream][::-1], exact)
            values[name].append(measure(curve).value if possible else np.nan)
    for name, parts in (means or {}).items():
        values[name] = np.mean([values[part] for part in parts], axis=0).tolist()
    return {name: interval([one for one in drawn if one == one], confidence) for name, drawn in values.items()}


def f1_interval(counts: NDArray[np.int64], *, samples: int, confidence: float, seed: int) -> Interval:
    """Return the interval of F1 at a fixed threshold; counts: (images, 3) hits, false alarms and misses of each."""
    checked(samples, confidence)
    rng = np.random.default_rng(seed)
    values = []
    for _ in range(samples):
        hits, alarms, misses = counts[rng.integers(0, len(counts), len(counts))].sum(axis=0).tolist()
        if hits + misses:
            values.append(2 * hits / (2 * hits + alarms + misses))
    return interval(values, confidence)


def totals(replay: Replay, streams: Sequence[str]) -> dict[str, Curve]:
    """Return the curve of each stream over all images, at about 2000 thresholds."""
    normal, found, members = _counts(replay, _edges(replay), streams)
    exact = np.ones(normal.shape[1], bool)
    return {
        stream: Curve((members[stream] @ normal)[::-1], found[stream].sum(axis=0)[::-1], exact) for stream in streams
    }


def drawn(curve: Curve, points: int) -> list[tuple[float, float]]:
    """Return points of a curve (rate, height), half of them evenly below a rate of 0.1, from (0, 0) to (1, 1)."""
    sums = [np.append(0.0, np.cumsum(one)) for one in (curve.normal, curve.found)]
    rate, height = (one / one[-1] for one in sums)
    wanted = np.unique(np.concatenate([np.linspace(0, 0.1, points // 2), np.linspace(0.1, 1, points // 2)]))
    wanted = wanted[(wanted > 0) & (wanted < 1)][: points - 2]
    heights = np.interp(wanted, rate, height)
    return [(0.0, 0.0), *zip(wanted.tolist(), heights.tolist(), strict=True), (1.0, 1.0)]


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


def _counts(
    replay: Replay, edges: NDArray[Any], streams: Sequence[str]
) -> tuple[Floats, dict[str, Floats], dict[str, Floats]]:
    """Return per image and bin the normal pixels and the weight of each stream, and which images count in it (0, 1)."""
    normal: list[Floats] = []
    found: dict[str, list[Floats]] = {stream: [] for stream in streams}
    members: dict[str, list[bool]] = {stream: [] for stream in streams}
    size = edges.size + 1
    for pixels in replay():
        ordered = np.sort(pixels.all)
        below = np.searchsorted(ordered, edges)
        counts = np.diff(below, prepend=0, append=ordered.size).astype(float)
        if pixels.defective.size:
            counts -= np.bincount(np.searchsorted(edges, pixels.defective, side="right"), minlength=size)
        normal.append(counts)
        bins = np.searchsorted(edges, pixels.found, side="right")
        for stream in streams:
            weights = pixels.weights.get(stream, np.zeros(bins.size))
            found[stream].append(np.bincount(bins, weights, minlength=size).astype(float))
            members[stream].append(stream in pixels.weights)
    return (
        np.stack(normal),
        {stream: np.stack(rows) for stream, rows in found.items()},
        {stream: np.array(inside, float) for stream, inside in members.items()},
    )
