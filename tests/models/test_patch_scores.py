from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.models.patch_scores import anomaly_probability, join_scales, spread, to_image, windows


def test_two_classes_give_the_softmax() -> None:
    similarity = np.random.default_rng(0).uniform(-1, 1, (50, 2)).astype(np.float32)
    exponents = np.exp(similarity.astype(np.float64) / 0.07)
    expected = exponents[:, 1] / exponents.sum(axis=1)
    np.testing.assert_allclose(anomaly_probability(similarity, scale=1 / 0.07), expected, rtol=1e-5)


def test_naming_a_kind_of_defect_twice_changes_nothing() -> None:
    one = np.array([[0.3, 0.31]], np.float32)
    twice = np.array([[0.3, 0.31, 0.31, 0.1]], np.float32)
    np.testing.assert_array_equal(anomaly_probability(one, scale=100), anomaly_probability(twice, scale=100))


def test_extreme_scales_stay_finite() -> None:
    assert anomaly_probability(np.array([1, -1], np.float32), scale=1e6) >= 0
    assert anomaly_probability(np.array([-1, 1], np.float32), scale=1e6) <= 1


def test_spread_is_the_harmonic_mean_by_hand() -> None:
    scores = np.array([[1.0, 0.75, 0.5, 0.25]], np.float32)
    expected = [[1, 6 / 7, 0.75], [2 / 3, 0.48, 0.375], [0.5, 1 / 3, 0.25]]
    np.testing.assert_allclose(spread(scores, grid=(3, 3), size=2)[0], expected, rtol=1e-6)


@given(st.integers(2, 6), st.integers(2, 7), st.integers(1, 2), st.integers(0, 99))
def test_spread_equals_a_loop_over_windows(rows: int, columns: int, size: int, seed: int) -> None:
    covered = windows((rows, columns), size)
    scores = np.random.default_rng(seed).uniform(0.01, 1, (2, len(covered))).astype(np.float32)
    expected = np.zeros((2, rows * columns))
    for image in range(2):
        for patch in range(rows * columns):
            over = [scores[image, index] for index, patches in enumerate(covered) if patch in patches]
            expected[image, patch] = len(over) / sum(1 / score for score in over)
    found = spread(scores, grid=(rows, columns), size=size)
    np.testing.assert_allclose(found.reshape(2, -1), expected, rtol=1e-5)


def test_a_window_that_scores_zero_makes_its_patches_zero() -> None:
    grid = spread(np.array([[0.0, 0.5]], np.float32), grid=(1, 2), size=1)
    np.testing.assert_array_equal(grid, [[[0, 0.5]]])
    np.testing.assert_array_equal(join_scales([grid, np.ones_like(grid)])[0, 0, 0], 0)


def test_scales_are_joined_by_the_harmonic_mean() -> None:
    grids = [np.full((1, 1, 1), value, np.float32) for value in (0.2, 0.5)]
    np.testing.assert_allclose(join_scales(grids), 2 / (1 / 0.2 + 1 / 0.5), rtol=1e-6)


def test_a_map_has_the_image_s_size_and_its_patches_values_at_their_centres() -> None:
    grid = np.arange(6, dtype=np.float32).reshape(2, 3)
    found = np.full((2, 22, 33), np.nan, np.float32)[1]
    to_image(grid, found)
    np.testing.assert_allclose(found[5::11, 5::11], grid, atol=1e-5)
