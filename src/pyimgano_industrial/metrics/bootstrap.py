"""Confidence intervals by drawing images again with replacement (Efron, Bootstrap methods, 1979)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.checks import MetricError
from pyimgano_industrial.metrics.image_counts import ImageCounts, Measures, f1_draws
from pyimgano_industrial.metrics.measures import Curve, Floats
from pyimgano_industrial.metrics.results import Interval

_MOST = 1 << 22  # times that images are drawn, at once


def intervals(
    counts: ImageCounts,
    wanted: Measures,
    *,
    samples: int,
    confidence: float,
    seed: int,
    means: Mapping[str, Sequence[str]] | None = None,
) -> dict[str, Interval | None]:
    """Return a percentile interval of every wanted number and of means of these; None where no draw gave one."""
    checked(samples, confidence)
    values: dict[str, list[float]] = {name: [] for name in wanted}
    for times in _times(len(counts.normal), samples, seed):
        for name, some in counts.draws(wanted, times).items():
            values[name] += some.tolist()
    for name, parts in (means or {}).items():
        values[name] = np.mean([values[part] for part in parts], axis=0).tolist()
    return {name: _interval([one for one in drawn if one == one], confidence) for name, drawn in values.items()}


def f1_interval(counts: NDArray[np.int64], *, samples: int, confidence: float, seed: int) -> Interval:
    """Return the interval of F1 at a fixed threshold; counts: (images, 3) hits, false alarms and misses of each."""
    checked(samples, confidence)
    values = np.concatenate([f1_draws(counts, times) for times in _times(len(counts), samples, seed)])
    return interval(values[np.isfinite(values)].tolist(), confidence)


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
    found = _interval(values, confidence)
    if found is None:
        raise MetricError("no draw of images had normal and anomalous pixels: add images")
    return found


def _interval(values: list[float], confidence: float) -> Interval | None:
    if not values:
        return None
    low, high = np.quantile(values, [(1 - confidence) / 2, (1 + confidence) / 2]).tolist()
    return Interval(low, high, confidence, len(values))


def _times(images: int, samples: int, seed: int) -> list[Floats]:
    """Return how often each image is drawn, (draws, images) each, some draws at a time."""
    rng = np.random.default_rng(seed)
    some = max(1, _MOST // images)
    return [
        np.stack([np.bincount(rng.integers(0, images, images), minlength=images) for _ in range(count)]).astype(float)
        for count in (min(some, samples - start) for start in range(0, samples, some))
    ]
