from __future__ import annotations

import numpy as np
import pytest

from pyimgano_industrial.datasets.duplicates import THUMBNAIL, Twin, near_twins, nearest, thumbnail


def _flat(*levels: float) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    return np.repeat(np.array(levels, np.float32)[:, None], THUMBNAIL**2, axis=1)


def test_a_thumbnail_is_the_mean_grey_of_each_area() -> None:
    rgb = np.zeros((128, 192, 3), np.uint8)
    rgb[:2, :3] = 30, 60, 90  # one area of 2 x 3 pixels
    rgb[0, 3] = 255
    small = thumbnail(rgb).reshape(THUMBNAIL, THUMBNAIL)
    assert small[0, 0] == 60
    assert small[0, 1] == pytest.approx(255 / 6)
    assert small.sum() == pytest.approx(60 + 255 / 6)


@pytest.mark.parametrize("size", [(1, 1), (5, 200), (63, 65), (100, 37)])
def test_any_size_gives_a_thumbnail_of_a_flat_image_that_is_flat(size: tuple[int, int]) -> None:
    small = thumbnail(np.full((*size, 3), 77, np.uint8))
    assert small.shape == (THUMBNAIL**2,)
    np.testing.assert_allclose(small, 77)


def test_nearest_finds_position_and_distance_in_grey_levels() -> None:
    positions, distances = nearest(_flat(11, 100), _flat(0, 10, 90))
    assert positions.tolist() == [1, 2]
    np.testing.assert_allclose(distances, [1, 10])


def test_an_image_is_no_neighbour_of_itself() -> None:
    positions, distances = nearest(_flat(0, 10, 13), _flat(0, 10, 13), same=True)
    assert positions.tolist() == [1, 2, 1]
    np.testing.assert_allclose(distances, [10, 3, 3])


def test_distances_agree_with_a_slow_reference_across_blocks() -> None:
    rng = np.random.default_rng(0)
    queries, references = rng.random((300, 20), np.float32), rng.random((7, 20), np.float32)
    slow = np.sqrt(((queries[:, None] - references[None]) ** 2).mean(axis=2))
    positions, distances = nearest(queries, references)
    np.testing.assert_array_equal(positions, slow.argmin(axis=1))
    np.testing.assert_allclose(distances, slow.min(axis=1), rtol=1e-5)


def test_a_test_image_below_a_quarter_of_the_median_training_distance_is_near() -> None:
    train = _flat(0, 10, 30, 60)  # nearest neighbours at 10, 10, 20, 30: the median is 15, the limit 3.75
    twins, limit = near_twins(_flat(3.7, 14, 56.5, 45), train)
    assert limit == 3.75
    assert twins == [Twin(0, 0, 3.7), Twin(2, 3, 3.5)]


def test_a_setup_whose_images_are_all_alike_is_not_accused() -> None:
    twins, limit = near_twins(_flat(0.5, 1.5), _flat(0, 1, 2))
    assert limit == 0.25
    assert twins == []


def test_fewer_than_two_training_images_give_no_limit() -> None:
    assert near_twins(_flat(1), _flat(1)) == ([], 0.0)
    assert near_twins(_flat()[:0], _flat(1, 2)) == ([], 0.0)
