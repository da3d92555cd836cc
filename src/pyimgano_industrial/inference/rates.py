"""Bounds on a share of false alarms, whatever the distribution of the scores.

The count that matters is that of images: they are drawn independently, the pixels of one image are not.
"""

from __future__ import annotations

import math
from collections.abc import Callable


def count_bounds(above: int, count: int, *, confidence: float) -> tuple[float, float]:
    """Return the lower and the upper bound on the share of normal images that exceed a threshold.

    above: how many of `count` normal scores do. Each bound holds with probability `confidence` over the choice of the
    images (Clopper and Pearson, The use of confidence or fiducial limits, Biometrika 1934). The upper one also holds
    where the threshold is the score with `above` scores above it (Wilks 1941).

    >>> [round(bound, 3) for bound in count_bounds(0, 45, confidence=0.9)]
    [0.0, 0.05]
    """
    from scipy.special import betaincinv  # the host brings SciPy; importing it takes longer than this room

    low = float(betaincinv(above, count - above + 1, 1 - confidence)) if above else 0.0
    high = float(betaincinv(above + 1, count - above, confidence)) if above < count else 1.0
    return low, high


def mean_bounds(mean: float, count: int, *, confidence: float) -> tuple[float, float]:
    """Return the lower and the upper bound on the mean share of an image's normal pixels that exceed a threshold.

    mean: of the shares, 0..1, of `count` images. Each bound holds with probability `confidence` for independent
    images (Hoeffding, Probability inequalities for sums of bounded random variables, JASA 1963, theorem 1).

    >>> [round(bound, 3) for bound in mean_bounds(0.0, 45, confidence=0.9)]
    [0.0, 0.05]
    """
    limit = -math.log1p(-confidence) / count
    low = _solve(0.0, mean, lambda rate: divergence(mean, rate) > limit) if mean > 0 else 0.0
    high = _solve(mean, 1.0, lambda rate: divergence(mean, rate) <= limit) if mean < 1 else 1.0
    return low, high


def largest_mean(rate: float, count: int, *, confidence: float) -> float | None:
    """Return the largest mean share of `count` images that shows a share of at most `rate`; None when none does.

    It turns `mean_bounds` round, so that a threshold can be looked up.
    """
    limit = -math.log1p(-confidence) / count
    if not 0 < rate < 1 or divergence(0.0, rate) < limit * (1 - 1e-12):
        return None
    return _solve(0.0, rate, lambda mean: divergence(mean, rate) >= limit)


def divergence(mean: float, rate: float) -> float:
    """Return the Kullback-Leibler divergence of two coins, in nats.

    >>> round(divergence(0.0, 0.05), 4)
    0.0513
    """
    if rate in (0.0, 1.0):
        return 0.0 if mean == rate else math.inf
    hit = mean * math.log(mean / rate) if mean > 0 else 0.0
    miss = (1 - mean) * (math.log1p(-mean) - math.log1p(-rate)) if mean < 1 else 0.0
    return hit + miss


def _solve(low: float, high: float, holds: Callable[[float], bool]) -> float:
    """Return, by bisection, where a condition that holds at `low` ceases to hold; the side where it holds."""
    for _ in range(80):
        middle = (low + high) / 2
        if holds(middle):
            low = middle
        else:
            high = middle
    return low
