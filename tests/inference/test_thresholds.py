"""Each method on scores worked out by hand, beside slow references, and many times over on drawn scores."""

from __future__ import annotations

from math import sqrt
from statistics import NormalDist, median

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.inference.thresholds import (
    METHODS,
    Method,
    conformal,
    cut,
    mean_sigma,
    median_mad,
    quantile,
    tail,
    tolerance,
)  # fmt: skip

floats = st.floats(-1e6, 1e6)
some_scores = st.lists(floats, min_size=2, max_size=60).map(lambda values: np.sort(values))


def test_tolerance_takes_the_largest_of_45_for_five_percent() -> None:
    found = tolerance(np.arange(45.0), target=0.05)
    assert (found.threshold, found.promise, found.above) == (44.0, "proven", 0)
    assert found.expected == pytest.approx(1 / 46)


def test_tolerance_refuses_with_44() -> None:
    found = tolerance(np.arange(44.0), target=0.05)
    assert (found.threshold, found.promise) == (43.0, "refused")


@pytest.mark.parametrize(
    ("count", "rank", "promise"), [(19, 19, "on average"), (18, 18, "refused"), (99, 95, "on average")]
)
def test_conformal_takes_the_score_of_its_rank(count: int, rank: int, promise: str) -> None:
    found = conformal(np.arange(1.0, count + 1), target=0.05)
    assert (found.threshold, found.promise) == (rank, promise)


@given(some_scores, st.floats(0.01, 0.99))
def test_conformal_is_the_smallest_score_that_enough_scores_do_not_exceed(scores: np.ndarray, target: float) -> None:
    found = conformal(scores, target=target)
    enough = [s for s in scores if (scores <= s).sum() >= (len(scores) + 1) * (1 - target) - 1e-9]
    assert found.threshold == (min(enough) if enough else scores.max())
    assert (found.promise == "refused") == (not enough)


@given(some_scores, st.floats(0.01, 0.99))
def test_quantile_is_that_of_the_host(scores: np.ndarray, target: float) -> None:
    found = quantile(scores, target=target)
    assert found.threshold == np.quantile(scores, 1 - target)
    assert found.promise == ("refused" if target * (len(scores) + 1) < 1 else "estimated")


def test_mean_sigma_with_a_given_k() -> None:
    found = mean_sigma(np.array([1.0, 2.0, 3.0]), target=0.05, k=3)
    assert found.threshold == pytest.approx(2 + 3 * 1)
    assert found.promise == "extrapolated"


def test_mean_sigma_without_a_k_expects_the_target_of_normal_scores() -> None:
    scores = np.array([1.0, 2.0, 4.0, 7.0])
    found = mean_sigma(scores, target=0.05)
    student = 2.353363  # the 95 % point with 3 degrees of freedom, from the table
    assert found.threshold == pytest.approx(3.5 + student * scores.std(ddof=1) * sqrt(1.25), rel=1e-6)
    assert found.expected == pytest.approx(0.05)


@given(some_scores, st.floats(0.001, 0.4))
def test_median_mad_is_as_defined(scores: np.ndarray, target: float) -> None:
    found = median_mad(scores, target=target)
    values = scores.tolist()
    middle = median(values)
    mad = median(abs(value - middle) for value in values)
    expected = middle + NormalDist().inv_cdf(1 - target) * mad / NormalDist().inv_cdf(0.75)
    assert found.threshold == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert found.promise == ("extrapolated" if mad > 0 else "refused")


def test_a_bad_image_among_the_good_moves_mean_sigma_and_not_median_mad() -> None:
    scores = np.sort(np.random.default_rng(0).normal(10, 1, 50))
    spoilt = np.append(scores[:-1], 100.0)
    assert mean_sigma(spoilt, target=0.01).threshold > 30
    assert median_mad(spoilt, target=0.01).threshold < 14


def test_the_tail_is_conformal_within_the_scores_and_extrapolates_beyond() -> None:
    scores = np.sort(np.random.default_rng(0).exponential(1, 200))
    assert tail(scores, target=0.2) == conformal(scores, target=0.2)
    beyond = tail(scores, target=0.0005)
    assert beyond.promise == "extrapolated"
    assert beyond.threshold > scores[-1]
    assert beyond.above == 0


def test_the_tail_refuses_19_images() -> None:
    found = tail(np.arange(19.0), target=0.01)
    assert (found.promise, found.threshold) == ("refused", 18.0)


@pytest.mark.parametrize("method", METHODS)
@given(scores=some_scores, scale=st.floats(0.1, 10), shift=st.floats(-100, 100))
def test_a_threshold_moves_with_its_scores(method: Method, scores: np.ndarray, scale: float, shift: float) -> None:
    first = cut(scores, method=method, target=0.1)
    moved = cut(scale * scores + shift, method=method, target=0.1)
    if first.promise == moved.promise:  # rounding may make close scores equal
        size = 1 + np.abs(scores).max() + abs(first.threshold)
        assert moved.threshold == pytest.approx(scale * first.threshold + shift, abs=1e-6 * scale * size + 1e-6)


@pytest.mark.parametrize("method", ["tolerance", "conformal", "quantile"])
def test_equal_scores_promise_no_less_by_rank(method: Method) -> None:
    found = cut(np.full(100, 3.0), method=method, target=0.1)
    assert found.threshold == 3.0
    assert found.promise != "refused"


DRAWN = {
    "normal": lambda rng, size: rng.normal(size=size),
    "lognormal": lambda rng, size: rng.lognormal(0, 0.8, size),
    "two states": lambda rng, size: rng.normal(4.0 * (rng.random(size) < 0.1), 1),
}


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize(("count", "target"), [(50, 0.05), (200, 0.05), (300, 0.01)])
def test_tolerance_keeps_its_promise_in_nine_of_ten(name: str, count: int, target: float) -> None:
    rng = np.random.default_rng([1, count])
    truth = np.sort(DRAWN[name](rng, 300_000))
    drawn = np.sort(DRAWN[name](rng, (1000, count)), axis=1)
    cuts = [tolerance(scores, target=target).threshold for scores in drawn]
    rates = 1 - np.searchsorted(truth, cuts, side="right") / truth.size
    assert np.mean(rates <= target) >= 0.9 - 3 * sqrt(0.09 / 1000)


@pytest.mark.parametrize("name", DRAWN)
def test_conformal_keeps_its_promise_on_average_and_not_in_nine_of_ten(name: str) -> None:
    rng = np.random.default_rng(2)
    truth = np.sort(DRAWN[name](rng, 300_000))
    cuts = [conformal(np.sort(scores), target=0.05).threshold for scores in DRAWN[name](rng, (2000, 99))]
    rates = 1 - np.searchsorted(truth, cuts, side="right") / truth.size
    assert rates.mean() == pytest.approx(0.05, abs=3 * rates.std() / sqrt(2000))
    assert np.mean(rates <= 0.05) < 0.75


def test_mean_sigma_holds_on_average_on_normal_scores_only() -> None:
    rng = np.random.default_rng(3)
    for name, low, high in (("normal", 0.009, 0.011), ("lognormal", 0.025, 0.1)):
        truth = np.sort(DRAWN[name](rng, 300_000))
        cuts = [mean_sigma(scores, target=0.01).threshold for scores in DRAWN[name](rng, (3000, 50))]
        mean = (1 - np.searchsorted(truth, cuts, side="right") / truth.size).mean()
        assert low < mean < high
