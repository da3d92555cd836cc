from __future__ import annotations

import json
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pictures import part, photograph, stored
from pyimgano_industrial.presets import PROPERTIES, CameraProfile, DriftMonitor, PresetError
from pyimgano_industrial.presets.drift import Verdict
from pyimgano_industrial.presets.sequential import _EXPONENTS, Watch


@pytest.fixture(scope="module")
def profile() -> CameraProfile:
    return CameraProfile.fit(photograph(seed) for seed in range(60))


def stream(monitor: DriftMonitor, change: Callable[[np.ndarray], np.ndarray], seeds: range) -> list[Verdict]:
    return [monitor.observe(stored(change(part(seed)))) for seed in seeds]


# The test itself, on numbers.


def test_a_bet_is_fair() -> None:
    u = np.linspace(0, 200, 200_001)  # p = exp(-u), so that small p-values are seen
    for exponent in _EXPONENTS:
        bets = exponent * np.exp(-u) ** (exponent - 1)
        assert (bets * np.exp(-u)).sum() * (u[1] - u[0]) == pytest.approx(1, abs=1e-3)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(0, 3), min_size=5, max_size=30), st.integers(0, 1000))
def test_p_values_are_uniform_also_with_ties(good: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    watch = Watch(good, seed=seed)
    assert watch.evidence == (0, 0)
    for index in range(20):
        watch.observe(float(rng.choice(good)), index=index)
    assert all(np.isfinite(watch.evidence))
    assert min(watch.evidence) > 0


def false_alarm(seed: int, *, limit: float, most: int) -> int:
    """Return how many numbers go by before an alarm, `most` where there is none; half of them come before."""
    rng = np.random.default_rng(seed)
    watch = Watch(rng.gamma(2, 1, 40), seed=seed)
    for index in range(most):
        watch.observe(rng.gamma(2, 1), index=index)
        if sum(watch.evidence) / 2 >= limit:
            return index + 1
    return most


def test_false_alarms_are_as_rare_as_promised() -> None:
    limit = 100
    lengths = [false_alarm(seed, limit=limit, most=400) for seed in range(80)]
    # The mean of lengths that are cut at 400 is below the true mean, which is what is promised.
    assert np.mean(lengths) >= 2 * limit
    assert min(lengths) < 400  # and the alarm can be raised


@pytest.mark.parametrize("rising", [True, False])
def test_a_move_is_found_and_its_beginning_too(rising: bool) -> None:
    found, began = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        watch = Watch(rng.normal(0, 1, 60), seed=seed)
        for index in range(200):
            moved = 3 if index >= 100 else 0
            watch.observe(rng.normal(moved if rising else -moved, 1), index=index)
            if index >= 100 and max(watch.evidence) >= 1e5:
                found.append(index - 100)
                began.append(watch.since(rising=rising) - 100)
                break
    assert len(found) == 20
    assert np.median(found) < 15
    assert np.abs(np.median(began)) <= 3


# The monitor, on images.


def test_a_steady_stream_raises_no_alarm(profile: CameraProfile) -> None:
    verdicts = stream(DriftMonitor(profile), lambda image: image, range(1000, 1120))
    assert {one.action for one in verdicts} == {"none"}
    assert not any(one.drifting for one in verdicts)


@pytest.mark.parametrize(
    ("change", "property_", "action", "sign"),
    [
        (lambda image: image * 0.8, "exposure", "correct", -1),
        (lambda image: image * 0.4, "exposure", "warn", -1),
        (lambda image: image * 0.2, "exposure", "reject", -1),
        (lambda image: image * np.float32([1.15, 1, 0.9]), "red", "correct", 1),
        (lambda image: image**1.2, "contrast", "correct", 1),
        (lambda image: cv2.GaussianBlur(image, (0, 0), 1.0), "noise", "warn", -1),
        (lambda image: image + np.random.default_rng(0).normal(0, 0.02, image.shape), "noise", "warn", 1),
    ],
)
def test_the_monitor_says_what_moved_since_when_and_what_to_do(
    profile: CameraProfile, change: Callable[[np.ndarray], np.ndarray], property_: str, action: str, sign: int
) -> None:
    monitor = DriftMonitor(profile)
    assert not stream(monitor, lambda image: image, range(1000, 1030))[-1].drifting
    verdicts = stream(monitor, change, range(1030, 1055))
    first = next(index for index, one in enumerate(verdicts) if one.drifting)
    assert first < 15
    moved = {one.property: one for one in verdicts[-1].moved}
    assert property_ in moved
    assert np.sign(moved[property_].shift) == sign
    assert abs(moved[property_].since - 30) <= 3
    assert moved[property_].action == action
    assert verdicts[-1].action == action or (action == "correct" and verdicts[-1].action == "warn")
    assert property_ in verdicts[-1].reason


def test_a_drift_that_ends_is_over(profile: CameraProfile) -> None:
    monitor = DriftMonitor(profile)
    assert stream(monitor, lambda image: image * 0.8, range(1000, 1030))[-1].drifting
    after = stream(monitor, lambda image: image, range(1030, 1060))
    assert not after[-1].drifting
    assert after[-1].action == "none"


def test_a_reset_forgets(profile: CameraProfile) -> None:
    monitor = DriftMonitor(profile)
    assert stream(monitor, lambda image: image * 0.8, range(1000, 1030))[-1].drifting
    monitor.reset()
    assert not stream(monitor, lambda image: image, range(1030, 1031))[-1].drifting
    assert stream(monitor, lambda image: image * 0.8, range(1031, 1061))[-1].drifting


@pytest.mark.parametrize(("value", "said"), [(0, "black"), (255, "saturated")])
def test_an_image_without_light_is_rejected_and_moves_nothing(profile: CameraProfile, value: int, said: str) -> None:
    monitor = DriftMonitor(profile)
    verdict = monitor.observe(np.full((120, 160, 3), value, np.uint8))
    assert verdict.action == "reject"
    assert verdict.reason == f"the image is {said}: it shows no light"
    assert not verdict.drifting
    assert monitor.observe(photograph(1000)).action == "none"


def test_grey_images_have_no_colour_to_watch() -> None:
    grey = CameraProfile.fit(photograph(seed, grey=True) for seed in range(30))
    monitor = DriftMonitor(grey)
    assert {"red", "blue"}.isdisjoint(monitor.watched)
    assert len(DriftMonitor(CameraProfile.fit(photograph(seed) for seed in range(5))).watched) == len(PROPERTIES)


def test_another_resolution_is_not_watched_in_detail(profile: CameraProfile) -> None:
    monitor = DriftMonitor(profile)
    for seed in range(1000, 1030):
        verdict = monitor.observe(photograph(seed, height=240, width=320))
    assert {one.property for one in verdict.moved}.isdisjoint({"noise", "sharpness", "compression"})


def test_the_same_stream_gets_the_same_verdicts(profile: CameraProfile) -> None:
    once, again = (
        [one.to_dict() for one in stream(DriftMonitor(profile), lambda image: image * 0.85, range(1000, 1020))]
        for _ in range(2)
    )
    assert once == again
    assert json.loads(json.dumps(once)) == once


def test_options_that_cannot_be_are_errors(profile: CameraProfile) -> None:
    with pytest.raises(PresetError, match="run_length must be at least 10 images between false alarms; got 5"):
        DriftMonitor(profile, run_length=5)
    with pytest.raises(PresetError, match=r"limits are of exposure, red, .*; got 'colour'"):
        DriftMonitor(profile, limits={"colour": (1, 2)})
