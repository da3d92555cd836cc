"""What a preset is worth under drift, worked out on images whose answer is known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pyimgano_industrial.evaluation.drift_proof import Condition, Trial, Way, WayResult, excess, measure_drift
from pyimgano_industrial.evaluation.drifts import DriftError
from pyimgano_industrial.presets.augmentation import CameraRobust


class Deviation:
    """The largest deviation of a pixel from the mean good image; the map is that deviation."""

    def fit(self, images: Sequence[np.ndarray]) -> Deviation:
        self.mean = np.mean([image.astype(float) for image in images], axis=0)
        return self

    def predict_anomaly_map(self, images: Sequence[np.ndarray]) -> list[np.ndarray]:
        return [np.abs(image - self.mean).mean(2) for image in images]

    def decision_function(self, images: Sequence[np.ndarray]) -> list[float]:
        return [one.max() for one in self.predict_anomaly_map(images)]


def good(count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.normal(120, 4, (24, 24, 3)).clip(0, 255).astype(np.uint8) for _ in range(count)]


def trial() -> Trial:
    bad = good(6, 3)
    mask = np.zeros((24, 24), np.uint8)
    mask[4:8, 4:8] = 255
    for image in bad:
        image[4:8, 4:8] = 220
    return Trial(fit=good(8, 0), calibrate=good(19, 1), good=good(20, 2), bad=bad, masks=[mask] * 6)


def levelled(images: Sequence[np.ndarray]) -> Any:
    middle = np.median(np.stack(images))
    return lambda image: np.clip(image * (middle / max(np.median(image), 1)), 0, 255).astype(np.uint8)


def test_a_correction_that_undoes_the_drift_keeps_the_false_positive_rate() -> None:
    ways = [Way("none"), Way("levelled", prepare=levelled)]
    none, level = measure_drift(Deviation, trial(), ways=ways, rate=0.05, drifts=["gain"], strengths=[1, 3])
    assert none.conditions[0].drift == "clean"
    assert none.of("gain", 3).false_positives == 1.0
    assert level.of("gain", 3).false_positives <= 0.3
    assert none.of("clean", 0).auroc == pytest.approx(1.0)
    assert level.of("gain", 3).auroc == pytest.approx(1.0)
    assert level.of("gain", 3).aupro > none.of("gain", 3).aupro - 0.01
    assert excess(none, ["gain"], [3])[1] > 0
    assert excess(level, ["gain"], [3])[0] < excess(none, ["gain"], [3])[0]


def test_the_threshold_is_the_order_statistic_of_the_calibration_images() -> None:
    case = trial()
    [result] = measure_drift(Deviation, case, ways=[Way("none")], rate=0.1, drifts=[], strengths=[])
    scores = sorted(Deviation().fit(case.fit).decision_function(case.calibrate))
    assert result.threshold == pytest.approx(scores[17])  # rank ceil(20 * 0.9) = 18 of 19
    assert result.drop("auroc") is None


def test_variants_in_the_fit_make_a_detector_less_sharp_and_are_seen_by_it() -> None:
    way = Way("augmented", augment=CameraRobust("normal", seed=1), copies=3)
    [plain] = measure_drift(Deviation, trial(), ways=[Way("none")], drifts=["gain"], strengths=[1])
    [augmented] = measure_drift(Deviation, trial(), ways=[way], drifts=["gain"], strengths=[1])
    assert augmented.threshold != plain.threshold


def test_the_drop_is_the_mean_over_conditions_relative_to_clean() -> None:
    def one(drift: str, strength: int, auroc: float) -> Condition:
        none = np.zeros(1, np.float32)
        return Condition(drift, strength, none, none, np.zeros(1, bool), auroc, None)

    result = WayResult("none", 0.0, (one("clean", 0, 0.8), one("gain", 1, 0.8), one("gain", 2, 0.4)))
    assert result.drop("auroc") == pytest.approx((0 + 0.5) / 2)
    assert result.drop("aupro") is None


def test_excess_is_paired_by_image() -> None:
    none = np.zeros(4, np.float32)

    def one(drift: str, strength: int, flagged: list[int]) -> Condition:
        return Condition(drift, strength, none, none, np.array(flagged, bool), None, None)

    same = WayResult("none", 0.0, (one("clean", 0, [1, 0, 0, 1]), one("gain", 1, [1, 0, 0, 1])))
    mean, low, high = excess(same, ["gain"], [1], times=1.0)
    assert (mean, low, high) == (0.0, 0.0, 0.0)  # the same images are flagged: no doubt, however few there are


def test_without_good_images_or_with_a_mask_missing_it_is_an_error() -> None:
    case = trial()
    with pytest.raises(DriftError, match="good images to fit on, to calibrate on and to test; got 8, 0 and 20"):
        measure_drift(Deviation, Trial(case.fit, [], case.good, case.bad), ways=[Way("none")])
    with pytest.raises(DriftError, match="one mask an anomalous image; got 1 for 6"):
        measure_drift(Deviation, Trial(case.fit, case.calibrate, case.good, case.bad, case.masks[:1]), ways=[Way("n")])
