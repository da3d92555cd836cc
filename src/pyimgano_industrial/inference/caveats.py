"""What a threshold cannot hold, in sentences that name the number and the cure."""

from __future__ import annotations

import math

import numpy as np

from pyimgano_industrial.core.tolerance import images_needed, smallest_rate
from pyimgano_industrial.inference.calibration import Source, percent
from pyimgano_industrial.inference.tail import FEWEST_PEAKS
from pyimgano_industrial.inference.thresholds import Cut, Method, Scores


def caveats(
    cut: Cut, *, method: Method, target: float, confidence: float, count: int, low: float, of: str = "good images"
) -> list[str]:
    """Return what is to be said of a threshold from `count` images; `low`: the bound on its share of false alarms."""
    if cut.promise == "refused":
        return [_refusal(cut, method=method, target=target, confidence=confidence, count=count, of=of)]
    if cut.promise in ("estimated", "extrapolated") and low > target:
        return [
            f"at least {percent(low)} of {of} exceed the threshold of {method!r}, with {percent(confidence)} "
            f"confidence, not {percent(target)}: it does not suit these scores; 'tolerance' suits any"
        ]
    return []


def about_scores(scores: Scores, source: Source) -> list[str]:
    """Return what is to be said of the scores themselves, (N,)."""
    found = []
    if source == "train":
        found.append(about_train(scores))
    if len(scores) > 1 and np.ptp(scores) == 0:
        found.append(
            f"all {len(scores)} scores are {scores[0]:.6g}: the detector does not tell good images apart; look at "
            f"what it is given, and at its maps"
        )
    return found


def about_train(scores: Scores) -> str:
    """Return why the scores of images that a detector was fitted on are no basis for a threshold."""
    least = np.count_nonzero(scores == scores.min())
    heart = f": it knows them by heart, {least} of them score {scores.min():.6g}" if 2 * least > len(scores) > 1 else ""
    return (
        f"the threshold rests on the {len(scores)} images that the detector was fitted on{heart}; new good images "
        f"score higher, so nothing is promised: keep images back from fitting, or take a validation split"
    )


def _refusal(cut: Cut, *, method: Method, target: float, confidence: float, count: int, of: str) -> str:
    if method in ("mean_sigma", "median_mad"):
        return f"{method!r} needs values that differ; {'most' if method == 'median_mad' else 'all'} of these are equal"
    if method == "tail":
        return (
            f"'tail' needs {2 * FEWEST_PEAKS} images whose highest values differ; got {count}, so the threshold is "
            f"the largest value, {cut.threshold:.6g}"
        )
    needed = (
        f"{images_needed(target, confidence=confidence)} show it with {percent(confidence)} confidence"
        if method == "tolerance"
        else f"{math.ceil(1 / target - 1 - 1e-9)} do on average"
    )
    least = smallest_rate(count, confidence=confidence)
    place = "is their largest value, which"
    if method == "quantile":
        place = "lies just below their largest value, which"
    images = "good image" if count == 1 else "good images"
    return (
        f"{count} {images} cannot show that at most {percent(target)} of {of} are flagged; {needed}. The threshold "
        f"{place} shows at most {percent(least)} with {percent(confidence)} confidence"
    )
