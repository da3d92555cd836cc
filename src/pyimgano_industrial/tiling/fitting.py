"""How a tiled detector is fitted, and from which scores of normal images its threshold comes."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.tiling.cut import Image
from pyimgano_industrial.tiling.detectors import Detectors, OneDetector, PositionDetectors, TilingError
from pyimgano_industrial.tiling.samples import Samples

FitMode = Literal["tiles", "position", "whole"]
Calibration = Literal["folds", "holdout", "fitted", "none"]
ScoreSource = Literal["out-of-fold", "held-out", "train"]


@dataclass(frozen=True)
class Step:
    """Images to fit on, and images to score with what was fitted; by their indices."""

    fit_on: Sequence[int]
    score_on: Sequence[int]


def plan(count: int, calibration: Calibration, *, folds: int, holdout: float, seed: int) -> list[Step]:
    """Return the steps of a fit on `count` images; what the last one fits stays.

    "folds": each image is scored by a detector that was fitted on the others of `folds` shares. "holdout": a share is
    kept back and scored. "fitted": all images are scored by the detector that was fitted on them. "none": none are.
    """
    every = range(count)
    if calibration == "none":
        return [Step(every, ())]
    order = np.random.default_rng(seed).permutation(count)
    if calibration == "folds" and count > 1:
        parts = [sorted(part.tolist()) for part in np.array_split(order, min(folds, count))]
        return [*(Step(_without(every, part), part) for part in parts), Step(every, ())]
    kept = sorted(order[: round(holdout * count)].tolist()) if calibration == "holdout" else []
    if kept:
        return [Step(_without(every, kept), kept)]
    warnings.warn(
        f"the threshold rests on the {count} images that the detector was fitted on, whose scores may be too low; "
        f"give more images, or take the threshold from others",
        IndustrialWarning,
        stacklevel=4,
    )
    return [Step(every, every)]


def source_of(steps: Sequence[Step]) -> ScoreSource:
    """Return where the scores of a plan come from: unseen images, by what stays or by its folds, or those fitted on."""
    if len(steps) > 1:
        return "out-of-fold"
    return "held-out" if set(steps[0].score_on).isdisjoint(steps[0].fit_on) else "train"


def _without(every: Sequence[int], part: Sequence[int]) -> list[int]:
    left_out = set(part)
    return [index for index in every if index not in left_out]


@dataclass(frozen=True)
class Fitter:
    """Fits detectors as `mode` says; `another` makes an unfitted one."""

    mode: FitMode
    images: Sequence[Image]
    samples: Samples | None  # None for whole images
    another: Callable[[], Any]
    most: int | None
    seed: int
    keywords: dict[str, Any]

    def fit(self, chosen: Sequence[int], *, detector: Any | None) -> Detectors:
        """Fit on the chosen images; `detector` None takes another one, and "position" always does."""
        if self.mode == "position":
            return self._fit_positions(chosen)
        one = self.another() if detector is None else detector
        if self.samples is None:
            one.fit([self.images[index] for index in chosen], **self.keywords)
        else:
            one.fit(self.samples.of(chosen, most=self.most, seed=self.seed), **self.keywords)
        return OneDetector(one)

    def _fit_positions(self, chosen: Sequence[int]) -> PositionDetectors:
        assert self.samples is not None
        shapes = set(self.samples.shapes)
        if len(shapes) > 1:
            raise TilingError(f"fit_mode='position' needs images of one size; got {sorted(shapes)}: use 'tiles'")
        found = {}
        here = set(chosen)
        for place in sorted({place for image, place in self.samples.places if image in here}):
            found[place] = self.another()
            found[place].fit(self.samples.of(chosen, place=place), **self.keywords)
        return PositionDetectors(found, shape=shapes.pop())


def copied(detector: Any) -> Any:
    """Return an unfitted copy of a detector; raises TilingError for one that cannot be copied."""
    try:
        return copy.deepcopy(detector)
    except (TypeError, AttributeError, RuntimeError, pickle.PicklingError) as error:
        raise TilingError(
            f"fit_mode='position' and calibration='folds' need several detectors, and a {type(detector).__name__} "
            f"cannot be copied ({error}); pass factory=, a function that makes one"
        ) from error
