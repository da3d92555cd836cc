"""Bins counted in every kind of number: each as numpy counts them, to the last pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pyimgano_industrial.metrics.counting import Pixels, count, histogram, kind_of, step_of
from pyimgano_industrial.metrics.layout import Linear, Relative

SIZES = [1, 2, 300, 65_535, 65_536, 65_537, 100_003, 1 << 18, (1 << 18) + 1]


@pytest.mark.parametrize("size", SIZES)
def test_a_histogram_is_that_of_numpy(size: int) -> None:
    rng = np.random.default_rng(size)
    bins = np.concatenate([np.arange(size), rng.integers(0, size, 50_000), np.full(999, size - 1)])
    counts = histogram(bins.astype(kind_of(size)), size)
    assert np.array_equal(counts, np.bincount(bins, minlength=size))


def test_a_float_counts_in_the_bin_of_its_whole_part() -> None:
    size = 100_003
    whole = np.arange(size, dtype=np.float32)
    beneath, above = np.nextafter(whole[1:], np.float32(0)), np.nextafter(whole, np.float32(size))
    found = np.concatenate([whole, beneath, above[above < size], np.zeros(3, np.float32)])
    assert np.array_equal(histogram(found, size), np.bincount(found.astype(np.int64), minlength=size))


def test_no_number_of_equal_scores_is_too_many_for_a_step() -> None:
    for size in (7, 100_000):
        most = step_of(kind_of(size))
        counts = histogram(np.full(most, 5, kind_of(size)), size)
        assert counts[5] == counts.sum() == most < 2**24


@pytest.mark.parametrize("size", [1 << 14, 60_000, 150_000, 400_000])
@pytest.mark.parametrize("kind", [Linear, Relative])
def test_maps_larger_than_a_step_count_whole(kind: Any, size: int) -> None:
    rng = np.random.default_rng(0)
    layout = kind.of(0.25, 1.0, size, itemsize=4)
    scores: NDArray[np.float32] = rng.random(step_of(kind_of(1)) + 12_345, np.float32)
    defects = scores[:400]
    images = [Pixels(scores, defects, defects, {"regions": np.full(400, 1 / 400)})]
    (normal,) = count(lambda: iter(images), layout, ["regions"]).normal.values()
    assert np.array_equal(normal, np.bincount(layout.bins(scores[400:]), minlength=layout.size))
