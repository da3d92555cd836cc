from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.models.views import ViewError, plan

SIDES = st.integers(16, 3000)


@given(SIDES, SIDES)
def test_one_view_covers_the_whole_image_in_proportion(height: int, width: int) -> None:
    views = plan((height, width), patch=16, short=224, view=None)
    assert views.size == (views.grid[0] * 16, views.grid[1] * 16)
    assert min(views.grid) == 14
    assert views.view == views.grid
    for side, resized in zip((height, width), views.size, strict=True):
        assert abs(side * 224 / min(height, width) - resized) <= 8


@given(SIDES, SIDES, st.integers(1, 40))
def test_windows_cover_every_patch_and_overlap(height: int, width: int, short: int) -> None:
    views = plan((height, width), patch=16, short=short * 16, view=(5, 5))
    seen = np.zeros(views.grid, int)
    for row, column in views.offsets:
        assert 0 <= row <= views.grid[0] - 5
        assert 0 <= column <= views.grid[1] - 5
        seen[row : row + 5, column : column + 5] += 1
    assert seen.min() >= 1
    for axis in (0, 1):
        starts = sorted({offset[axis] for offset in views.offsets})
        assert all(after - before <= 4 for before, after in pairwise(starts))


@given(st.integers(5, 30), st.integers(5, 30))
def test_merging_a_plane_s_windows_gives_the_plane(rows: int, columns: int) -> None:
    views = plan((rows * 16, columns * 16), patch=16, short=min(rows, columns) * 16, view=(5, 5))
    plane = np.add.outer(np.arange(views.grid[0]), 2 * np.arange(views.grid[1])).astype(np.float32)
    cut = [plane[row : row + 5, column : column + 5] for row, column in views.offsets]
    np.testing.assert_allclose(views.merge(np.stack(cut)[None])[0], plane, atol=1e-4)


def test_an_image_smaller_than_a_patch_is_an_error() -> None:
    with pytest.raises(ViewError, match=r"at least one patch \(16 x 16 pixels\) large; got 15 x 400"):
        plan((15, 400), patch=16, short=224, view=None)
