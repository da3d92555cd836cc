"""The tail of normal scores beyond the largest of them, by extreme-value theory.

Above a high enough level, the excesses of almost any distribution follow a generalised Pareto distribution (Balkema and
de Haan 1974; Pickands 1975). It is fitted by probability-weighted moments (Hosking and Wallis, Parameter and quantile
estimation for the generalized Pareto distribution, Technometrics 1987), which small samples bear better than maximum
likelihood. Siffer et al. (Anomaly detection in streams with extreme value theory, KDD 2017) set thresholds so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FEWEST_PEAKS = 10


@dataclass(frozen=True)
class Tail:
    """The scores above `level`, a share `share` of all.

    P(score > level + y) = share (1 + shape y / scale)^(-1 / shape).
    """

    level: float
    share: float
    shape: float
    scale: float

    def threshold(self, rate: float) -> float:
        """Return the score that a share `rate` of normal images exceeds, 0 < rate <= share."""
        ratio = self.share / rate
        if abs(self.shape) < 1e-9:
            return self.level + self.scale * math.log(ratio)
        return self.level + self.scale * math.expm1(self.shape * math.log(ratio)) / self.shape


def peaks(count: int) -> int:
    """Return how many of `count` scores the fit takes: the highest tenth, at least 10, at most half.

    >>> peaks(20), peaks(200), peaks(10)
    (10, 20, 5)
    """
    return min(max(FEWEST_PEAKS, math.ceil(count / 10)), count // 2)


def fit_tail(scores: NDArray[np.float64]) -> Tail | None:
    """Fit the highest scores; None when there are too few, or when they do not differ.

    scores: (N,) in ascending order.
    """
    taken = peaks(len(scores))
    if taken < FEWEST_PEAKS:
        return None
    level = (scores[-taken] + scores[-taken - 1]).item() / 2
    shape_scale = _moments(scores[-taken:] - level, np.full(taken, 1 / taken))
    return None if shape_scale is None else Tail(level, taken / len(scores), *shape_scale)


def fit_weighted(values: NDArray[np.float64], weights: NDArray[np.float64], *, level: float) -> Tail | None:
    """Fit values above `level`, each with its share of everything; `fit_tail` for a histogram of pixels.

    values, weights: (N,), values in ascending order.
    """
    share = weights.sum().item()
    shape_scale = _moments(values - level, weights / share) if share > 0 else None
    return None if shape_scale is None else Tail(level, share, *shape_scale)


def _moments(excess: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, float] | None:
    """Return shape and scale from the mean of the excesses and the mean of excess times share above it."""
    above = 1 - np.cumsum(weights) + weights / 2
    mean = np.dot(weights, excess).item()
    ranked = np.dot(weights, excess * above).item()
    spread = mean - 2 * ranked
    if not spread > 1e-12 * mean:
        return None
    return 2 - mean / spread, 2 * mean * ranked / spread
