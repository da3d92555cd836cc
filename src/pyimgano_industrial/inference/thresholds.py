"""A threshold from the scores of normal images, by six methods, and what each can promise.

An image is flagged when its score is above the threshold. `target` is the share of normal images that may be.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.tolerance import tolerance_rank
from pyimgano_industrial.inference.tail import fit_tail

Method = Literal["tolerance", "conformal", "quantile", "mean_sigma", "median_mad", "tail"]
METHODS: tuple[Method, ...] = get_args(Method)
Promise = Literal["proven", "on average", "estimated", "extrapolated", "refused"]
PROMISES: tuple[Promise, ...] = get_args(Promise)

Scores = NDArray[np.float64]
MAD_TO_SIGMA = 1 / NormalDist().inv_cdf(0.75)  # 1.4826: what makes the MAD of normally distributed scores their sigma


@dataclass(frozen=True)
class Cut:
    """A threshold, and what is promised of it.

    promise:  "proven" holds with the stated confidence, "on average" over many choices of the images, "estimated" is
              near the target without a guarantee, "extrapolated" holds if the scores have the shape that the method
              takes them to have, "refused" does not hold; the threshold is then the best that there is
    expected: the share of normal images above the threshold that the method itself expects, 0..1
    above:    scores that count as above it; of pixels, the sum over images of the share above it
    """

    threshold: float
    promise: Promise
    expected: float
    above: float


def tolerance(scores: Scores, *, target: float, confidence: float = 0.9) -> Cut:
    """Return the smallest score that at most a share `target` exceeds, with probability `confidence`.

    scores: (N,) in ascending order. Refused below `core.tolerance.images_needed(target)` scores; the threshold is then
    the largest of them. S. S. Wilks, Determination of Sample Sizes for Setting Tolerance Limits, 1941.
    """
    rank = tolerance_rank(len(scores), rate=target, confidence=confidence)
    return _ranked(scores, rank or len(scores), "proven" if rank else "refused")


def conformal(scores: Scores, *, target: float) -> Cut:
    """Return the score that a new normal image exceeds with probability at most `target`, before any image is seen.

    scores: (N,) in ascending order. It holds on average over the choice of the images, not for each choice. Refused
    below 1 / target - 1 scores. Split conformal prediction: Vovk et al., Algorithmic Learning in a Random World, 2005.
    """
    rank = math.ceil((len(scores) + 1) * (1 - target) - 1e-9)
    return _ranked(scores, max(1, min(rank, len(scores))), "on average" if rank <= len(scores) else "refused")


def quantile(scores: Scores, *, target: float) -> Cut:
    """Return the (1 - target)-quantile of the scores, interpolated linearly, as numpy and the host do.

    scores: (N,) in ascending order. New images exceed it somewhat more often than the target, and at least with
    probability 1 / (N + 1): below that it is refused.
    """
    place = (len(scores) - 1) * (1 - target)
    expected = (len(scores) - place) / (len(scores) + 1)
    threshold = np.quantile(scores, 1 - target).item()
    promise: Promise = "estimated" if target * (len(scores) + 1) >= 1 else "refused"
    return Cut(threshold, promise, expected, _above(scores, threshold))


def mean_sigma(scores: Scores, *, target: float, k: float | None = None) -> Cut:
    """Return mean + k sigma, right for scores that are normally distributed.

    scores: (N,), N >= 2. k: None takes what Student's distribution asks for N scores and the target; the official
    threshold of MVTec AD 2 is k = 3.
    """
    from scipy.special import stdtr, stdtrit  # the host brings SciPy; importing it takes longer than this room

    count = len(scores)
    mean, sigma = scores.mean().item(), scores.std(ddof=1).item()
    widened = math.sqrt(1 + 1 / count)  # mean and sigma are themselves estimates
    k = widened * float(stdtrit(count - 1, 1 - target)) if k is None else k
    expected = float(stdtr(count - 1, -k / widened))
    return _shaped(scores, mean + k * sigma, expected, possible=sigma > 0)


def median_mad(scores: Scores, *, target: float, k: float | None = None) -> Cut:
    """Return median + k times the scaled median absolute deviation, which a few bad images among the good do not move.

    scores: (N,). k: None takes what the normal distribution asks for the target. Refused when more than half of the
    scores are equal. Leys et al., Detecting outliers: do not use standard deviation around the mean, 2013.
    """
    median = np.median(scores).item()
    sigma = MAD_TO_SIGMA * np.median(np.abs(scores - median)).item()
    k = NormalDist().inv_cdf(1 - target) if k is None else k
    return _shaped(scores, median + k * sigma, NormalDist().cdf(-k), possible=sigma > 0)


def tail(scores: Scores, *, target: float) -> Cut:
    """Return the score that a share `target` exceeds if the highest scores go on as they begin: for rates below 1 / N.

    scores: (N,) in ascending order. Within the scores it is the conformal threshold. Refused below 20 scores, and where
    the highest do not differ. See `tail.py` for the sources.
    """
    found = fit_tail(scores)
    if found is None:
        return _ranked(scores, len(scores), "refused")
    if target >= found.share:
        return conformal(scores, target=target)
    threshold = found.threshold(target)
    return Cut(threshold, "extrapolated", target, _above(scores, threshold))


def cut(scores: Scores, *, method: Method, target: float, confidence: float = 0.9, k: float | None = None) -> Cut:
    """Return the threshold of one method; `k` is for "mean_sigma" and "median_mad"."""
    calls: dict[Method, Callable[[], Cut]] = {
        "tolerance": lambda: tolerance(scores, target=target, confidence=confidence),
        "conformal": lambda: conformal(scores, target=target),
        "quantile": lambda: quantile(scores, target=target),
        "mean_sigma": lambda: mean_sigma(scores, target=target, k=k),
        "median_mad": lambda: median_mad(scores, target=target, k=k),
        "tail": lambda: tail(scores, target=target),
    }
    return calls[method]()


def _ranked(scores: Scores, rank: int, promise: Promise) -> Cut:
    """Return the rank-th smallest score; ties are counted as above it, which can only overstate false alarms."""
    above = len(scores) - rank
    return Cut(scores[rank - 1].item(), promise, (above + 1) / (len(scores) + 1), above)


def _shaped(scores: Scores, threshold: float, expected: float, *, possible: bool) -> Cut:
    return Cut(threshold, "extrapolated" if possible else "refused", expected, _above(scores, threshold))


def _above(scores: Scores, threshold: float) -> int:
    return int(np.count_nonzero(scores > threshold))
