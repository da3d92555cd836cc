"""What a preset is worth on one's own images: a detector under drifts, with it and without.

For each way of meeting drift (nothing, a preset, the camera profile, a memory bank of variants) a detector is fitted on
good images, its threshold is set on other good images, and both are left alone while the test images drift. What counts
is how many good images are flagged then, and how well anomalous ones are still told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import Calls, calls_of
from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.core.progress import Meter, Progress
from pyimgano_industrial.evaluation.drifts import DRIFTS, STRENGTHS, Drift, DriftError, drifted
from pyimgano_industrial.inference.thresholds import conformal
from pyimgano_industrial.metrics import aupro, image_auroc
from pyimgano_industrial.presets.augmentation import CameraRobust
from pyimgano_industrial.presets.augmented_detector import AugmentedDetector

Image = NDArray[np.uint8]
Correction = Callable[[Image], Image]
CLEAN = "clean"


@dataclass(frozen=True)
class Way:
    """One way of meeting drift.

    name:    in tables
    prepare: given the good images that the detector is fitted on, returns what corrects every image before it is
             fitted or scored; None leaves images as they are
    augment: variants that the detector is fitted on beside the good images; copies: of each
    """

    name: str
    prepare: Callable[[Sequence[Image]], Correction] | None = None
    augment: CameraRobust | None = None
    copies: int = 2


@dataclass(frozen=True)
class Trial:
    """The images: good ones to fit on and others to set the threshold on; test images with masks of the anomalous.

    images: paths or (H, W, 3) uint8; masks: (H, W), non-zero where anomalous, one for each of `bad`
    """

    fit: Sequence[Any]
    calibrate: Sequence[Any]
    good: Sequence[Any]
    bad: Sequence[Any]
    masks: Sequence[NDArray[Any]] = ()


@dataclass(frozen=True)
class Condition:
    """What one way gave under one drift at one strength.

    drift "clean" has strength 0. good, bad: scores of the test images. flagged: (G,) bool, of the good ones.
    auroc, aupro: None without anomalous images or masks.
    """

    drift: str
    strength: int
    good: NDArray[np.float32]
    bad: NDArray[np.float32]
    flagged: NDArray[np.bool_]
    auroc: float | None
    aupro: float | None

    @property
    def false_positives(self) -> float:
        """The share of good images that are flagged."""
        return float(self.flagged.mean())


@dataclass(frozen=True)
class WayResult:
    """All conditions of one way; the first is clean."""

    way: str
    threshold: float
    conditions: tuple[Condition, ...] = field(repr=False)

    def of(self, drift: str, strength: int) -> Condition:
        return next(one for one in self.conditions if (one.drift, one.strength) == (drift, strength))

    def drop(self, measure: str) -> float | None:
        """Return the average relative drop of "auroc" or "aupro" over all drifts and strengths."""
        clean: float | None = getattr(self.conditions[0], measure)
        found = [getattr(one, measure) for one in self.conditions[1:]]
        if not clean or not found or any(one is None for one in found):
            return None
        return float(np.mean([(clean - one) / clean for one in found]))


def measure_drift(
    make: Callable[[], Any],
    trial: Trial,
    *,
    ways: Sequence[Way],
    rate: float = 0.05,
    drifts: Sequence[Drift] = DRIFTS,
    strengths: Sequence[int] = STRENGTHS,
    pro_limit: float = 0.3,
    progress: Progress | None = None,
) -> list[WayResult]:
    """Return what each way gives, clean and under each drift at each strength.

    make: returns a new detector with fit, decision_function and, for AU-PRO, maps. rate: share of good images that
    the threshold lets through, an order statistic of the calibration images. Every way sees the same drifted images.
    """
    if not trial.fit or not trial.calibrate or not trial.good:
        raise DriftError(
            f"drift is measured with good images to fit on, to calibrate on and to test; got {len(trial.fit)}, "
            f"{len(trial.calibrate)} and {len(trial.good)}"
        )
    if trial.masks and len(trial.masks) != len(trial.bad):
        raise DriftError(f"there must be one mask an anomalous image; got {len(trial.masks)} for {len(trial.bad)}")
    fit = [_pixels(one) for one in trial.fit]
    calibrate = [_pixels(one) for one in trial.calibrate]
    ready = [_Ready.of(way, make, fit, calibrate, rate) for way in ways]
    kinds = [(CLEAN, 0), *((drift, strength) for drift in drifts for strength in strengths)]
    meter = Meter(progress, len(kinds))
    found: list[list[Condition]] = [[] for _ in ways]
    for drift, strength in kinds:
        meter.begin(len(ways))
        good = [_under(one, drift, strength, seed=index) for index, one in enumerate(trial.good)]
        bad = [_under(one, drift, strength, seed=index) for index, one in enumerate(trial.bad, start=len(good))]
        for one, conditions in zip(ready, found, strict=True):
            conditions.append(one.condition(drift, strength, good, bad, trial.masks, pro_limit))
            meter.advance(1)
    return [WayResult(one.name, one.limit, tuple(own)) for one, own in zip(ready, found, strict=True)]


def _limit(scores: NDArray[np.float32], rate: float) -> float:
    """Return the score that a share `rate` of new good images exceeds on average."""
    return conformal(np.sort(scores).astype(np.float64), target=rate).threshold


def interval(
    values: Callable[[NDArray[np.intp]], float],
    count: int,
    *,
    samples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Return the percentile interval of a number over images drawn again with replacement.

    values: given indices (count,) of the drawn images, returns the number; paired, where it compares conditions
    """
    rng = np.random.default_rng(seed)
    drawn = [values(rng.integers(0, count, count)) for _ in range(samples)]
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return low.item(), high.item()


def excess(
    result: WayResult,
    drifts: Sequence[str],
    strengths: Sequence[int],
    *,
    times: float = 2.0,
    clean: WayResult | None = None,
) -> tuple[float, float, float]:
    """Return (mean, low, high) of the false-positive rate under drift less `times` the clean one, paired by image.

    The claim "under `times` the clean rate" holds where `high` is below 0. clean: whose clean rate; itself by default
    """
    base = (clean or result).conditions[0].flagged
    found = np.stack([result.of(drift, strength).flagged for drift in drifts for strength in strengths]).mean(axis=0)
    gain = found - times * base
    low, high = interval(lambda chosen: gain[chosen].mean().item(), gain.size)
    return gain.mean().item(), low, high


@dataclass(frozen=True)
class _Ready:
    """A way with its detector fitted and its threshold set."""

    name: str
    correct: Correction
    calls: Calls
    limit: float

    @classmethod
    def of(
        cls, way: Way, make: Callable[[], Any], fit: Sequence[Image], calibrate: Sequence[Image], rate: float
    ) -> _Ready:
        correct = _same if way.prepare is None else way.prepare(fit)
        detector = fitted = make()
        if way.augment is not None:
            fitted = AugmentedDetector(detector=detector, augmentation=way.augment, copies=way.copies)
        fitted.fit([correct(one) for one in fit])
        calls = calls_of(detector)
        return cls(way.name, correct, calls, _limit(_scores(calls, map(correct, calibrate)), rate))

    def condition(
        self,
        drift: str,
        strength: int,
        good: Sequence[Image],
        bad: Sequence[Image],
        masks: Sequence[NDArray[Any]],
        pro_limit: float,
    ) -> Condition:
        maps: list[NDArray[np.float32]] | None = [] if masks and self.calls.has_maps else None
        normal = _scores(self.calls, map(self.correct, good), maps)
        anomalous = _scores(self.calls, map(self.correct, bad), maps)
        auroc = aupro_value = None
        if anomalous.size:
            labels = [0] * normal.size + [1] * anomalous.size
            auroc = image_auroc(np.concatenate([normal, anomalous]), labels)
        if maps is not None:
            nothing = [np.zeros(one.shape, bool) for one in maps[: normal.size]]
            aupro_value = aupro(maps, [*nothing, *masks], limit=pro_limit).value
        return Condition(drift, strength, normal, anomalous, normal > self.limit, auroc, aupro_value)


def _scores(
    calls: Calls, images: Iterable[Image], maps: list[NDArray[np.float32]] | None = None
) -> NDArray[np.float32]:
    """Return scores (N,) of images of any sizes, one at a time, and put their maps into `maps`."""
    found = []
    for image in images:
        scores, own = calls.scores_and_maps([image], want_scores=True, want_maps=maps is not None)
        assert scores is not None
        found.append(scores[0])
        if maps is not None:
            assert own is not None
            maps.append(_at_size(own[0], image.shape[:2]))
    return np.array(found, np.float32)


def _at_size(one: NDArray[np.float32], size: tuple[int, ...]) -> NDArray[np.float32]:
    if one.shape == size:
        return one
    import cv2

    resized: NDArray[np.float32] = cv2.resize(one, size[::-1], interpolation=cv2.INTER_LINEAR)
    return resized


def _under(item: Any, drift: str, strength: int, *, seed: int) -> Image:
    """Return an image as the drifted line takes it; each image has its own noise."""
    image = _pixels(item)
    return image if drift == CLEAN else drifted(image, drift, strength, seed=seed)  # type: ignore[arg-type] # checked


def _pixels(item: Any) -> Image:
    return item if isinstance(item, np.ndarray) else read_rgb(item)


def _same(image: Image) -> Image:
    return image
