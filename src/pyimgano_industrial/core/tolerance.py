"""Order statistics of normal scores: which one a new normal score exceeds no more often than promised.

The rank-th smallest of n scores is exceeded by a share of all normal images that is Beta(n - rank + 1, rank)
distributed, whatever the distribution of the scores (Wilks, Determination of Sample Sizes for Setting Tolerance
Limits, 1941).
"""

from __future__ import annotations

import math
import warnings

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialWarning

CONFIDENCE = 0.9  # that a threshold's promise holds


def tolerance_rank(count: int, *, rate: float, confidence: float = 0.9) -> int | None:
    """Return the rank, 1 to `count`, of the smallest score that at most a share `rate` of normal images exceeds.

    It holds with probability `confidence` over the choice of the images; None when `count` images cannot show it.

    >>> tolerance_rank(100, rate=0.1), tolerance_rank(45, rate=0.05), tolerance_rank(44, rate=0.05)
    (95, 45, None)
    """
    if not 0 < rate < 1:
        return None if rate <= 0 else 1
    below = 0.0  # the probability that fewer than `above` of `count` images exceed the true quantile
    above = 0
    while above < count:
        below += _binomial(above, count, rate)
        if below > 1 - confidence:
            break
        above += 1
    return count + 1 - above if above else None


def images_needed(rate: float, *, confidence: float = 0.9) -> int:
    """Return how many normal images can show a share of false alarms of at most `rate`, 0 < rate < 1.

    >>> [images_needed(rate) for rate in (0.05, 0.01, 0.001)]
    [45, 230, 2302]
    """
    return math.ceil(math.log1p(-confidence) / math.log1p(-rate))


def smallest_rate(count: int, *, confidence: float = 0.9) -> float:
    """Return the smallest share of false alarms that `count` normal images can show: that of their largest score.

    >>> round(smallest_rate(20), 3)
    0.109
    """
    return -math.expm1(math.log1p(-confidence) / count)


def promised_threshold(scores: NDArray[np.float32], *, rate: float) -> float:
    """Return the score that at most a share `rate` of normal images exceeds, at 90 % confidence.

    scores: (N,) of normal images that the detector was not fitted on. The threshold is the order statistic that keeps
    the promise whatever the distribution (Wilks, 1941); too few images cannot, and then it is their maximum, with a
    warning that says what that promises. Out-of-fold scores are of detectors that saw fewer images than the one that
    stays: with them the confidence is that of experience, not of proof.
    """
    rank = tolerance_rank(len(scores), rate=rate, confidence=CONFIDENCE)
    if rank is None:
        needed = f"{images_needed(rate, confidence=CONFIDENCE)} can" if rate > 0 else "no number can promise none"
        warnings.warn(
            f"{len(scores)} scores of normal images cannot promise to flag at most {rate:.1%} of such images; "
            f"{needed}: the threshold is their largest score, which promises "
            f"{smallest_rate(len(scores), confidence=CONFIDENCE):.1%} ({CONFIDENCE:.0%} confidence)",
            IndustrialWarning,
            stacklevel=4,
        )
    return float(np.sort(scores)[(rank or len(scores)) - 1])


def _binomial(hits: int, count: int, rate: float) -> float:
    choices = math.lgamma(count + 1) - math.lgamma(hits + 1) - math.lgamma(count - hits + 1)
    return math.exp(choices + hits * math.log(rate) + (count - hits) * math.log1p(-rate))
