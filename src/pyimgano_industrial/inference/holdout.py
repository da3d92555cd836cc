"""Scores of normal images that the detector was not fitted on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import as_scores
from pyimgano_industrial.inference.calibration import Calibration, CalibrationError, Source
from pyimgano_industrial.inference.calibrator import Calibrator

How = Literal["held-out", "out-of-fold", "train"]
HOWS: tuple[How, ...] = get_args(How)
Score = Callable[[Any, list[Any]], Any]


@dataclass(frozen=True)
class Scored:
    """Scores (N,) float32 of the images `kept`, indices into those given, and where they came from."""

    scores: NDArray[np.float32]
    kept: tuple[int, ...]
    source: Source


def held_out(count: int, *, share: float = 0.2, seed: int = 0) -> list[int]:
    """Return which of `count` images are kept back, a random `share` of them, at least one; empty below two images.

    >>> held_out(10), held_out(1)
    ([6, 7], [])
    """
    if not 0 < share < 1:
        raise CalibrationError(f"share must be in (0, 1), of the images to keep back; got {share}")
    if count < 2:
        return []
    kept = min(max(1, round(share * count)), count - 1)
    return sorted(np.random.default_rng(seed).choice(count, kept, replace=False).tolist())


def fold_indices(count: int, *, folds: int = 5, seed: int = 0) -> list[list[int]]:
    """Return the images of each fold, at random and as even as can be; each image is in one fold."""
    if not folds >= 2:
        raise CalibrationError(f"folds must be at least 2; got {folds}")
    order = np.random.default_rng(seed).permutation(count)
    return [sorted(part.tolist()) for part in np.array_split(order, min(folds, count))]


def fit_and_score(
    detector: Any,
    images: Sequence[Any],
    *,
    how: How = "held-out",
    share: float = 0.2,
    folds: int = 5,
    seed: int = 0,
    factory: Callable[[], Any] | None = None,
    score: Score | None = None,
) -> Scored:
    """Fit a detector on normal images and return scores of normal images for a threshold.

    how: "held-out": fit on all but a `share`, which is scored; "out-of-fold": fit on all, and score each image by one
    of `folds` further detectors that was fitted without it; "train": score what it was fitted on.
    factory: makes a further detector; without it the detector, not yet fitted, is copied.
    score: called as score(detector, images) in place of `detector.decision_function(images)`.
    One image alone cannot be kept back and is scored as "train".
    """
    if how not in HOWS:
        raise CalibrationError(f"how must be one of {', '.join(HOWS)}; got {how!r}")
    if not images:
        raise CalibrationError("a threshold needs at least one normal image; got none")
    everything = list(range(len(images)))
    call = score or _decision_function
    if how == "out-of-fold" and len(images) > 1:
        scored = score_out_of_fold(factory or _copies(detector), images, folds=folds, seed=seed, score=call)
        detector.fit(list(images))
        return scored
    kept = held_out(len(images), share=share, seed=seed) if how == "held-out" else []
    detector.fit(_some(images, sorted(set(everything) - set(kept))))
    return Scored(_scores(call, detector, _some(images, kept or everything)), tuple(kept or everything),
                  "held-out" if kept else "train")  # fmt: skip


def score_out_of_fold(
    factory: Callable[[], Any],
    images: Sequence[Any],
    *,
    folds: int = 5,
    seed: int = 0,
    score: Score | None = None,
) -> Scored:
    """Return a score of each image, at least two, by one of `folds` new detectors that was fitted without it."""
    scores = np.empty(len(images), np.float32)
    for part in fold_indices(len(images), folds=folds, seed=seed):
        one = factory()
        one.fit(_some(images, sorted(set(range(len(images))) - set(part))))
        scores[part] = _scores(score or _decision_function, one, _some(images, part))
    return Scored(scores, tuple(range(len(images))), "out-of-fold")


def fit_and_calibrate(
    detector: Any, images: Sequence[Any], calibrator: Calibrator | None = None, **options: Any
) -> Calibration:
    """Fit a detector on normal images, set its `threshold_` from those kept back, and return what that promises.

    images: (H, W[, C]) arrays or paths, as the detector takes them; paths become the calibration's names.
    calibrator: `Calibrator()` by default, at most 5 % with 90 % confidence. options: those of `fit_and_score`.
    """
    scored = fit_and_score(detector, images, **options)
    names = None if isinstance(images[0], np.ndarray) else [images[index] for index in scored.kept]
    calibration = (calibrator or Calibrator()).fit(scored.scores, images=names, source=scored.source)
    calibration.apply(detector)
    return calibration


def _copies(detector: Any) -> Callable[[], Any]:
    """Return what makes unfitted copies of a detector that is not fitted yet."""
    try:
        fresh = copy.deepcopy(detector)
    except TypeError as error:
        raise CalibrationError(
            f"out-of-fold scores need further detectors, and a {type(detector).__name__} cannot be copied ({error}); "
            f"pass factory=, a function that makes one, or keep images back with how='held-out'"
        ) from error
    return lambda: copy.deepcopy(fresh)


def _some(images: Sequence[Any], indices: Sequence[int]) -> list[Any]:
    return [images[index] for index in indices]


def _scores(score: Score, detector: Any, images: list[Any]) -> NDArray[np.float32]:
    return as_scores(score(detector, images), len(images))


def _decision_function(detector: Any, images: list[Any]) -> Any:
    return detector.decision_function(images)
