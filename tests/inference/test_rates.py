"""Bounds on shares of false alarms, beside their definitions."""

from __future__ import annotations

from math import comb, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.core.tolerance import images_needed, smallest_rate
from pyimgano_industrial.inference.rates import count_bounds, divergence, largest_mean, mean_bounds


def at_most(hits: int, count: int, rate: float) -> float:
    """The probability of at most `hits` among `count`, summed exactly."""
    return sum(comb(count, k) * rate**k * (1 - rate) ** (count - k) for k in range(hits + 1))


@given(count=st.integers(1, 120), data=st.data(), confidence=st.sampled_from([0.5, 0.9, 0.99]))
def test_count_bounds_are_the_rates_at_which_the_count_is_just_unlikely(
    count: int, data: st.DataObject, confidence: float
) -> None:
    above = data.draw(st.integers(0, count))
    low, high = count_bounds(above, count, confidence=confidence)
    assert 0 <= low <= high <= 1
    if above < count:
        assert at_most(above, count, high) == pytest.approx(1 - confidence, abs=1e-6)
    if above:
        assert 1 - at_most(above - 1, count, low) == pytest.approx(1 - confidence, abs=1e-6)


@pytest.mark.parametrize("count", [1, 20, 45, 230, 2302])
def test_without_a_false_alarm_both_bounds_are_the_smallest_rate_that_can_be_shown(count: int) -> None:
    expected = smallest_rate(count)
    assert count_bounds(0, count, confidence=0.9) == (0.0, pytest.approx(expected))
    assert mean_bounds(0.0, count, confidence=0.9) == (0.0, pytest.approx(expected))


@given(mean=st.floats(0, 1), count=st.integers(1, 3000), confidence=st.sampled_from([0.5, 0.9, 0.99]))
def test_mean_bounds_are_as_far_from_the_mean_as_the_confidence_asks(
    mean: float, count: int, confidence: float
) -> None:
    low, high = mean_bounds(mean, count, confidence=confidence)
    assert 0 <= low <= mean + 1e-12
    assert mean - 1e-12 <= high <= 1
    limit = -log(1 - confidence) / count
    if 1e-6 < mean < 1 - 1e-6:
        for bound in (low, high):
            if 1e-9 < bound < 1 - 1e-9:
                assert divergence(mean, bound) == pytest.approx(limit, rel=1e-3)


@given(rate=st.floats(0.001, 0.5), count=st.integers(1, 3000))
def test_the_largest_mean_is_the_one_whose_upper_bound_is_the_rate(rate: float, count: int) -> None:
    mean = largest_mean(rate, count, confidence=0.9)
    if mean is None:
        assert count < images_needed(rate)
    else:
        assert mean_bounds(mean, count, confidence=0.9)[1] == pytest.approx(rate, abs=1e-9)


@pytest.mark.parametrize(("rate", "needed"), [(0.05, 45), (0.01, 230), (0.001, 2302)])
def test_pixels_need_as_many_images_as_images_do(rate: float, needed: int) -> None:
    assert largest_mean(rate, needed, confidence=0.9) is not None
    assert largest_mean(rate, needed - 1, confidence=0.9) is None


def test_no_rate_and_every_rate_have_no_largest_mean() -> None:
    assert largest_mean(0.0, 100, confidence=0.9) is None
    assert largest_mean(1.0, 100, confidence=0.9) is None


def test_the_bounds_hold_as_often_as_they_say_on_shares_that_differ_from_image_to_image() -> None:
    rng = np.random.default_rng(0)
    shares = rng.beta(0.2, 3.8, (2000, 60))  # mean 0.05, most images with next to nothing
    held = [mean_bounds(mean, 60, confidence=0.9) for mean in shares.mean(axis=1).tolist()]
    assert np.mean([low <= 0.05 for low, _ in held]) >= 0.9
    assert np.mean([high >= 0.05 for _, high in held]) >= 0.9


def test_divergence_of_certain_coins() -> None:
    assert divergence(0.0, 0.0) == divergence(1.0, 1.0) == 0
    assert divergence(0.5, 0.0) == divergence(0.5, 1.0) == float("inf")
    assert divergence(1.0, 0.5) == pytest.approx(log(2))
