"""Maps lie where the model looked: resizing, cropping and padding are followed back to the image's pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.models.placing import CentreCrop, Region, Resize, SquarePad, Step, place, region

sizes = st.integers(20, 400)


@given(height=sizes, width=sizes, size=st.tuples(sizes, sizes))
def test_a_resize_alone_covers_the_whole_image(height: int, width: int, size: tuple[int, int]) -> None:
    assert region([Resize(size)], height, width) == Region(0, 0, height, width)


@pytest.mark.parametrize(
    ("steps", "size", "expected"),
    [
        ([CentreCrop((100, 100))], (200, 300), Region(50, 100, 150, 200)),
        ([Resize((100,)), CentreCrop((100, 100))], (200, 400), Region(0, 100, 200, 300)),
        ([Resize((100,), 160), CentreCrop((80, 80))], (200, 400), Region(0, 100, 200, 300)),
        ([SquarePad(), Resize((64, 64))], (200, 301), Region(-50, 0, 251, 301)),
        ([CentreCrop((400, 300))], (200, 300), Region(-100, 0, 300, 300)),
    ],
)
def test_crops_and_pads_worked_out_by_hand(steps: list[Step], size: tuple[int, int], expected: Region) -> None:
    assert region(steps, *size) == expected


def test_a_defect_stays_where_it_is_after_a_crop() -> None:
    where = region([Resize((64, 64)), CentreCrop((32, 32))], 128, 256)
    seen = np.zeros((32, 32), np.float32)
    seen[8, 24] = 1
    placed = place(seen, where, 128, 256)
    y, x = np.unravel_index(placed.argmax(), placed.shape)
    assert placed.shape == (128, 256)
    assert (abs(y - (16 + 8.5) * 2), abs(x - (16 + 24.5) * 4)) <= (2, 4)
    assert where.unseen(128, 256) == 0.75


def test_pixels_that_the_model_did_not_see_get_the_smallest_value() -> None:
    seen = np.full((50, 100), 7, np.float32)
    seen[0, 0] = 3
    placed = place(seen, Region(25, 50, 75, 150), 100, 200)
    np.testing.assert_array_equal(placed[25:75, 50:150], seen)
    placed[25:75, 50:150] = 3
    assert (placed == 3).all()


def test_padding_is_cut_off_the_map() -> None:
    seen = np.arange(301 * 301, dtype=np.float32).reshape(301, 301)
    np.testing.assert_array_equal(place(seen, Region(-50, 0, 251, 301), 200, 301), seen[50:250])
