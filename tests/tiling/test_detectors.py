"""What scores are normal at each place, and how others are measured by it."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyimgano_industrial.tiling.detectors import Levels, TileScores

PLACES = [(0, 0, 0), (0, 0, 1)]


def scores(*values: float) -> TileScores:
    return TileScores(np.array(values, np.float32), PLACES[: len(values)])


def test_levels_are_the_median_and_the_spread_of_each_place() -> None:
    levels = Levels.of([scores(1, 100), scores(2, 200), scores(3, 300)], parts=3)
    found = levels.standardised(scores(2 + 1.4826, 200 - 148.26))
    np.testing.assert_allclose(found, [1, -1], rtol=1e-6)


def test_one_level_a_scale_takes_all_its_places_together() -> None:
    levels = Levels.of([scores(1, 3), scores(2, 3)], parts=1)
    assert list(levels.found) == [(0,)]
    assert levels.found[0,][0] == 2.5


def test_equal_scores_of_a_place_take_the_usual_spread_of_the_others() -> None:
    levels = Levels.of([scores(5, 1), scores(5, 2), scores(5, 3)], parts=3)
    np.testing.assert_allclose(levels.standardised(scores(6, 2)), [1 / 1.4826, 0], rtol=1e-6)


def test_a_place_without_a_normal_score_is_measured_by_the_others() -> None:
    levels = Levels.of([scores(4), scores(5), scores(6)], parts=3)
    np.testing.assert_allclose(levels.standardised(scores(5, 5)), [0, 0])


@given(
    values=hnp.arrays(np.float32, (7, 2), elements=st.floats(0, 100, width=32)), factor=st.sampled_from([0.5, 2, 16])
)
def test_the_unit_of_a_place_does_not_matter(values: np.ndarray, factor: float) -> None:
    if np.ptp(values, axis=0).min() < 1e-3:
        return
    plain = Levels.of([scores(*row) for row in values], parts=3).standardised(scores(*values[0]))
    scaled = Levels.of([scores(a * factor, b) for a, b in values], parts=3).standardised(
        scores(values[0, 0] * factor, values[0, 1])
    )
    np.testing.assert_allclose(plain, scaled, rtol=1e-4, atol=1e-4)
