"""The tail fit, on distributions whose tail is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.inference.tail import Tail, fit_tail, fit_weighted, peaks


def test_the_number_of_peaks() -> None:
    assert [peaks(count) for count in (1, 10, 19, 20, 100, 200, 1000)] == [0, 5, 9, 10, 10, 20, 100]


@pytest.mark.parametrize("shape", [-0.2, 0.0, 0.3])
def test_a_tail_of_the_fitted_kind_is_found_again(shape: float) -> None:
    share = (np.arange(200_000) + 0.5) / 200_000
    excess = -np.log(share) if shape == 0 else (share**-shape - 1) / shape
    found = fit_tail(np.sort(5 + 2 * excess))
    assert found is not None
    # Above a level the excesses of a generalised Pareto distribution keep its shape; their scale grows with it.
    assert found.shape == pytest.approx(shape, abs=0.01)
    assert found.scale == pytest.approx(2 + shape * (found.level - 5), rel=0.02)
    exact = 5 + 2 * (np.log(1000) if shape == 0 else (1000**shape - 1) / shape)
    assert found.threshold(0.001) == pytest.approx(exact, rel=0.01)


def test_the_moments_are_those_of_hosking_and_wallis() -> None:
    """Twenty exponential quantiles; b0 and b1 summed one by one, with the plotting position (i - 1/2) / n."""
    scores = np.concatenate([np.zeros(180), 1 - np.log(1 - (np.arange(20) + 0.5) / 20)])
    found = fit_tail(scores)
    assert found is not None
    assert found.level == 0.5 * (scores[180] + 0)
    excess = scores[180:] - found.level
    b0 = sum(excess) / 20
    b1 = sum(x * (1 - (i + 0.5) / 20) for i, x in enumerate(excess)) / 20
    assert found.shape == pytest.approx(2 - b0 / (b0 - 2 * b1))
    assert found.scale == pytest.approx(2 * b0 * b1 / (b0 - 2 * b1))


@given(st.lists(st.floats(0, 100), min_size=20, max_size=80, unique=True), st.floats(1e-6, 0.05))
def test_a_smaller_rate_has_a_higher_threshold(values: list[float], rate: float) -> None:
    found = fit_tail(np.sort(values))
    if found is not None:
        assert found.threshold(rate) >= found.threshold(min(2 * rate, found.share)) - 1e-9
        assert found.threshold(found.share) == pytest.approx(found.level)


def test_a_histogram_gives_the_fit_of_its_values() -> None:
    rng = np.random.default_rng(1)
    values = np.sort(rng.exponential(1, 100))
    plain = fit_weighted(values, np.full(100, 0.001), level=0.0)
    twice = fit_weighted(np.repeat(values, 2), np.full(200, 0.0005), level=0.0)
    assert plain is not None
    assert twice is not None
    assert plain.share == pytest.approx(0.1)
    assert twice.threshold(0.001) == pytest.approx(plain.threshold(0.001), rel=0.01)


def test_too_few_or_equal_scores_have_no_tail() -> None:
    assert fit_tail(np.arange(19.0)) is None
    assert fit_tail(np.zeros(100)) is None
    assert fit_tail(np.concatenate([np.zeros(90), np.ones(10)])) is None
    assert fit_weighted(np.array([]), np.array([]), level=0.0) is None


def test_an_exponential_tail_falls_by_one_scale_in_each_e_th_part() -> None:
    tail = Tail(level=3.0, share=0.1, shape=0.0, scale=2.0)
    assert tail.threshold(0.1 / np.e) == pytest.approx(5.0)
    nearly = Tail(level=3.0, share=0.1, shape=1e-7, scale=2.0)
    assert nearly.threshold(0.001) == pytest.approx(tail.threshold(0.001), rel=1e-5)
