"""Which normal score a new normal score exceeds no more often than promised."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.core.tolerance import images_needed, smallest_rate, tolerance_rank


def kept(rank: int, count: int, rate: float) -> float:
    """The probability that the rank-th smallest of `count` keeps the promise, summed exactly as the definition says."""
    return sum(comb(count, k) * rate**k * (1 - rate) ** (count - k) for k in range(count - rank + 1, count + 1))


@given(count=st.integers(1, 200), rate=st.floats(0.001, 0.5), confidence=st.sampled_from([0.5, 0.9, 0.95]))
def test_the_rank_is_the_smallest_that_keeps_the_promise(count: int, rate: float, confidence: float) -> None:
    rank = tolerance_rank(count, rate=rate, confidence=confidence)
    if rank is None:
        assert kept(count, count, rate) < confidence + 1e-9
    else:
        assert kept(rank, count, rate) >= confidence - 1e-9
        assert rank == 1 or kept(rank - 1, count, rate) < confidence + 1e-9


@pytest.mark.parametrize(("rate", "needed"), [(0.05, 45), (0.01, 230), (0.001, 2302)])
def test_the_images_needed_are_those_that_can_show_it(rate: float, needed: int) -> None:
    assert images_needed(rate) == needed
    assert tolerance_rank(needed, rate=rate) == needed
    assert tolerance_rank(needed - 1, rate=rate) is None
    assert smallest_rate(needed) <= rate < smallest_rate(needed - 1)


def test_it_holds_on_drawn_scores() -> None:
    rng = np.random.default_rng(0)
    scores = np.sort(rng.random((2000, 60)), axis=1)  # uniform: a threshold t is exceeded by a share 1 - t
    rank = tolerance_rank(60, rate=0.1)
    assert rank is not None
    assert 0.9 <= (1 - scores[:, rank - 1] <= 0.1).mean() < 0.97


def test_no_rate_is_kept_by_nothing_and_every_rate_by_anything() -> None:
    assert tolerance_rank(1000, rate=0.0) is None
    assert tolerance_rank(1000, rate=1.0) == 1


def test_many_images_are_ranked_without_underflow() -> None:
    rank = tolerance_rank(100_000, rate=0.05)
    assert rank is not None
    assert 95_000 < rank < 95_200
