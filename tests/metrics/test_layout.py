"""Layouts of bins: they never fall, cover every float, and know the largest score beneath a bin."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.metrics.counting import Pixels, count
from pyimgano_industrial.metrics.layout import Linear, Relative
from pyimgano_industrial.metrics.levels import PREFIXES, Tree

SINGLE = st.floats(width=32, allow_nan=False, allow_infinity=False)


def layouts(low: float, high: float, itemsize: int) -> list[Any]:
    tree = Tree.of(np.arange(PREFIXES) % 5, itemsize=itemsize)
    made = [kind.of(low, high, size, itemsize=itemsize) for kind in (Linear, Relative) for size in (2, 37, 5000)]
    return [tree, *(one for one in made if one is not None)]


@given(
    ends=st.tuples(SINGLE, SINGLE), scores=st.lists(SINGLE, min_size=2, max_size=30), itemsize=st.sampled_from([4, 8])
)
def test_bins_never_fall_and_none_is_outside(ends: tuple[float, float], scores: list[float], itemsize: int) -> None:
    values = np.array([*sorted(scores), 0.0], f"f{itemsize}")
    values[-1] = -0.0
    values.sort()
    for layout in layouts(min(ends), max(ends), itemsize):
        bins = layout.bins(values)
        assert (np.diff(bins.astype(np.int64)) >= 0).all()
        assert bins.min() >= 0
        assert bins.max() < layout.size
        assert layout.bins(np.array([-0.0], f"f{itemsize}")) == layout.bins(np.array([0.0], f"f{itemsize}"))


@given(ends=st.tuples(SINGLE, SINGLE), share=st.floats(0.01, 0.99), itemsize=st.sampled_from([4, 8]))
def test_the_largest_score_beneath_a_bin(ends: tuple[float, float], share: float, itemsize: int) -> None:
    for layout in layouts(min(ends), max(ends), itemsize):
        number = max(1, int(share * layout.size))
        below = layout.below(number)
        beneath = np.array([below], f"f{itemsize}")
        with np.errstate(over="ignore"):
            above = np.nextafter(beneath, np.array([np.inf], f"f{itemsize}"))
        if np.isfinite(beneath).all():
            assert layout.bins(beneath).item() < number
        if np.isfinite(above).all():
            assert layout.bins(above).item() >= number


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (-2e38, 2e38), (0.0, 1e-45)])
def test_a_width_that_is_no_number_is_no_layout(low: float, high: float) -> None:
    assert Linear.of(low, high, 1 << 14, itemsize=4) is None


def test_relative_bins_need_scores_above_0() -> None:
    assert Relative.of(-1e-3, 1.0, 16, itemsize=4) is None
    made = Relative.of(0.25, 4.0, 16, itemsize=4)
    assert made is not None
    assert made.bins(np.array([-7.0, 0.25, 0.5, 1.0, 2.0, 9.0], np.float32)).tolist() == [0, 0, 4, 8, 12, 16]


@pytest.mark.parametrize("kind", [Linear, Relative])
def test_scores_beneath_the_first_bin_are_told_by_what_is_left(kind: Any) -> None:
    rng = np.random.default_rng(0)
    layout = kind.of(0.6, 1.4, 500, itemsize=4)
    images = []
    for number in range(3):
        scores = rng.random(700_000 if number else 5).astype(np.float32)
        scores[:2] = layout.below(1), 0.6
        found = scores[: 50 * number] + np.float32(0.4)
        images.append(Pixels(scores, found, found, {"regions": np.full(found.size, 0.02)}))
    whole, some = (count(lambda: iter(images), layout, ["regions"], above=above) for above in (None, 0.6))
    assert whole.normal.keys() == some.normal.keys()
    for key, counts in whole.normal.items():
        assert np.array_equal(counts, some.normal[key])
        assert counts[0] > 500_000
    assert np.array_equal(whole.found["regions"], some.found["regions"])
