from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.models.inputs import KeptMaps, as_rgb, batches


def test_a_file_and_its_array_are_the_same_image(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (9, 7, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "a.png"), pixels[..., ::-1])
    np.testing.assert_array_equal(as_rgb(tmp_path / "a.png"), pixels)
    np.testing.assert_array_equal(as_rgb(str(tmp_path / "a.png")), as_rgb(pixels))


def test_grey_alpha_16_bit_and_float_become_rgb() -> None:
    grey = np.arange(6, dtype=np.uint8).reshape(2, 3)
    np.testing.assert_array_equal(as_rgb(grey), np.stack([grey] * 3, axis=2))
    np.testing.assert_array_equal(as_rgb(grey[..., None]), as_rgb(grey))
    rgba = np.dstack([as_rgb(grey), np.zeros((2, 3), np.uint8)])
    np.testing.assert_array_equal(as_rgb(rgba), as_rgb(grey))
    np.testing.assert_array_equal(as_rgb(np.full((2, 2), 0xFFF0, np.uint16)), 255)
    np.testing.assert_array_equal(as_rgb(np.ones((2, 2, 3), np.float32)), 255)


@pytest.mark.parametrize("shape", [(3,), (2, 2, 2), (0, 4, 3), (1, 2, 2, 3)])
def test_other_shapes_are_errors(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageError, match=r"an image must be \(H, W\)"):
        as_rgb(np.zeros(shape, np.uint8))


def test_batches_hold_one_shape_each_and_lose_no_image() -> None:
    images = [np.zeros((4, 4 + index % 3, 3), np.uint8) for index in range(20)]
    found = list(batches(images, size=4))
    assert sorted(position for positions, _ in found for position in positions) == list(range(20))
    for positions, group in found:
        assert len(positions) == len(group) <= 4
        assert len({image.shape for image in group}) == 1
        assert all(images[position].shape == image.shape for position, image in zip(positions, group, strict=True))


def test_images_of_many_sizes_do_not_pile_up() -> None:
    taken = 0

    def images() -> object:
        nonlocal taken
        for width in range(100):
            taken += 1
            yield np.zeros((4, 1 + width, 3), np.uint8)

    done = 0
    for positions, _ in batches(images(), size=2):
        done += len(positions)
        assert taken - done <= 8
    assert done == 100


@pytest.mark.parametrize("count", [3, None])
@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1)])
def test_maps_of_one_size_are_stacked_and_others_listed(count: int | None, order: tuple[int, ...]) -> None:
    for sizes, kind in (((2, 3), (2, 3), (2, 3)), np.ndarray), (((2, 3), (3, 2), (2, 3)), list):
        kept = KeptMaps(count)
        for at in order:
            kept.room(at, sizes[at])[:] = at
        found = kept.all()
        assert isinstance(found, kind)
        assert [one.shape for one in found] == list(sizes)
        assert [one.mean() for one in found] == [0, 1, 2]
        assert {one.dtype for one in found} == {np.dtype(np.float32)}


def test_no_maps_are_an_empty_list() -> None:
    assert KeptMaps(0).all() == []


def test_maps_of_a_known_number_are_not_copied() -> None:
    kept = KeptMaps(2)
    rooms = [kept.room(at, (2, 3)) for at in range(2)]
    assert all(np.shares_memory(room, kept.all()) for room in rooms)
