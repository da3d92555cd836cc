from __future__ import annotations

from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

import trees
from pyimgano_industrial.core.errors import UnknownNameError
from pyimgano_industrial.tiling import TiledDetector, iter_tiles, make_grid, pad_tile
from pyimgano_industrial.tiling import __all__ as public
from pyimgano_industrial.tiling.detector import TiledDetector as TheSame
from pyimgano_industrial.tiling.grid import Grid
from pyimgano_industrial.tiling.source import ArraySource, Source

RAMP = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    size = draw(st.tuples(st.integers(1, 12), st.integers(1, 12)))
    stride = draw(st.tuples(st.integers(1, size[0]), st.integers(1, size[1])))
    return make_grid(draw(st.integers(1, 40)), draw(st.integers(1, 40)), tile_size=size, stride=stride)


@given(grids())
def test_tiles_cover_every_pixel_and_none_leaves_the_image(grid: Grid) -> None:
    covered = np.zeros((grid.height, grid.width), int)
    for tile in grid:
        assert 0 <= tile.y0 < tile.y1 <= grid.height
        assert 0 <= tile.x0 < tile.x1 <= grid.width
        assert tile.height == min(grid.tile_size[0], grid.height)
        assert tile.width == min(grid.tile_size[1], grid.width)
        covered[tile.y0 : tile.y1, tile.x0 : tile.x1] += 1
    assert covered.min() >= 1


@given(grids())
def test_tiles_come_row_by_row_and_the_last_touches_the_border(grid: Grid) -> None:
    tiles = list(grid)
    assert len(tiles) == len(grid)
    assert tiles == sorted(tiles, key=lambda tile: (tile.y0, tile.x0))
    assert len({(tile.y0, tile.x0) for tile in tiles}) == len(tiles)
    assert [(tile.row, tile.column) for tile in tiles] == list(np.ndindex(len(grid.ys), len(grid.xs)))
    assert (tiles[-1].y1, tiles[-1].x1) == (grid.height, grid.width)


@settings(deadline=None)  # the first example imports the host
@given(st.integers(1, 60), st.integers(1, 60), st.integers(1, 20), st.data())
def test_positions_are_those_of_the_host(height: int, width: int, size: int, data: st.DataObject) -> None:
    from pyimgano.inference import tiling as host

    stride = data.draw(st.integers(1, size))
    expected = host.iter_tile_coords(height, width, tile_size=size, stride=stride)
    assert [(tile.y0, tile.x0) for tile in make_grid(height, width, tile_size=size, stride=stride)] == expected


def test_the_stride_is_the_tile_size_unless_stated() -> None:
    assert make_grid(10, 10, tile_size=(4, 5)).stride == (4, 5)
    assert make_grid(10, 10, tile_size=(4, 5)).ys == (0, 4, 6)
    assert make_grid(10, 10, tile_size=(4, 5)).xs == (0, 5)


def test_a_stride_above_the_tile_size_would_leave_holes() -> None:
    with pytest.raises(ValueError, match=r"^stride must be in 1\.\.512 \(the tile size\); got 600$"):
        make_grid(2000, 2000, tile_size=512, stride=600)
    with pytest.raises(ValueError, match=r"^stride must be in 1\.\.8 \(the tile size\); got 0$"):
        make_grid(20, 20, tile_size=(16, 8), stride=(16, 0))


def test_sizes_below_one_are_errors() -> None:
    with pytest.raises(ValueError, match=r"^tile_size must be at least 1 x 1 pixels; got 0 x 0 \(height x width\)$"):
        make_grid(10, 10, tile_size=0)
    with pytest.raises(ValueError, match=r"^image must be at least 1 x 1 pixels; got 10 x 0 \(height x width\)$"):
        make_grid(10, 0, tile_size=4)


def test_a_whole_tile_is_not_copied() -> None:
    assert pad_tile(RAMP, (5, 7)) is RAMP


@given(st.integers(1, 60), st.integers(1, 9), st.integers(1, 70), st.data())
def test_stripes_hold_every_tile_once_and_are_no_wider_than_asked(
    width: int, tile: int, widest: int, data: st.DataObject
) -> None:
    stride = data.draw(st.integers(1, tile))
    grid = make_grid(20, width, tile_size=tile, stride=stride, widest=widest)
    assert sorted(grid, key=lambda one: (one.row, one.column)) == list(
        make_grid(20, width, tile_size=tile, stride=stride)
    )
    assert [column for stripe in grid.stripes for column in stripe] == list(range(len(grid.xs)))
    for stripe in grid.stripes:
        x0, x1 = grid.span(stripe)
        assert x1 - x0 <= widest or len(stripe) == 1


@pytest.mark.parametrize(
    ("mode", "row"),
    [
        ("reflect", [1, 2, 3, 2, 1, 2]),
        ("symmetric", [1, 2, 3, 3, 2, 1]),
        ("edge", [1, 2, 3, 3, 3, 3]),
        ("wrap", [1, 2, 3, 1, 2, 3]),
        ("constant", [1, 2, 3, 9, 9, 9]),
    ],
)
def test_padding_is_below_and_at_the_right(mode: Any, row: list[int]) -> None:
    pixels = np.array([[1, 2, 3], [1, 2, 3]], np.uint8)
    padded = pad_tile(pixels, (3, 6), pad_mode=mode, pad_value=9)
    assert padded.dtype == np.uint8
    assert padded[:2].tolist() == [row, row]
    assert padded[2].tolist() == ([9] * 6 if mode == "constant" else row)


def test_reflection_goes_on_where_the_pixels_are_fewer_than_the_padding() -> None:
    assert pad_tile(np.array([[1, 2, 3]]), (1, 9)).tolist() == [[1, 2, 3, 2, 1, 2, 3, 2, 1]]
    assert pad_tile(np.array([[7]]), (3, 2)).tolist() == [[7, 7]] * 3


def test_padding_leaves_channels_alone() -> None:
    padded = pad_tile(RAMP, (8, 8))
    np.testing.assert_array_equal(padded[:5, :7], RAMP)
    np.testing.assert_array_equal(padded[5:, :7], RAMP[[3, 2, 1]])


def test_padding_errors_say_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"^a tile must not exceed 4 x 7 pixels; got shape \(5, 7, 3\)$"):
        pad_tile(RAMP, (4, 7))
    with pytest.raises(UnknownNameError, match=r"^unknown pad_mode 'reflct'; did you mean 'reflect'\? Known: const"):
        iter_tiles(RAMP, tile_size=4, pad_mode="reflct")  # type: ignore[arg-type]  # that is the point


def test_tiles_of_an_array_are_views() -> None:
    for pixels, _ in iter_tiles(RAMP, tile_size=4, stride=2):
        assert np.shares_memory(pixels, RAMP)


@given(grids(), st.booleans())
def test_tiles_hold_the_pixels_of_the_image(grid: Grid, colour: bool) -> None:
    image = np.random.default_rng(0).integers(0, 255, (grid.height, grid.width) + (3,) * colour, np.uint8)
    for pixels, tile in iter_tiles(image, tile_size=grid.tile_size, stride=grid.stride):
        assert pixels.shape == grid.tile_size + (3,) * colour
        np.testing.assert_array_equal(pixels[: tile.height, : tile.width], image[tile.y0 : tile.y1, tile.x0 : tile.x1])


def test_tiles_of_a_file_are_those_of_its_pixels(tmp_path: Path) -> None:
    image = np.random.default_rng(0).integers(0, 255, (30, 20, 3), np.uint8)
    expected = list(iter_tiles(image, tile_size=(8, 6), stride=(3, 5)))
    np.save(tmp_path / "image.npy", image)
    for path in (trees.write(tmp_path / "image.png", image), tmp_path / "image.npy"):
        for (pixels, tile), (other, same) in zip(
            iter_tiles(path, tile_size=(8, 6), stride=(3, 5)), expected, strict=True
        ):
            assert tile == same
            np.testing.assert_array_equal(pixels, other)


def test_tiles_are_cut_when_they_are_asked_for() -> None:
    read: list[tuple[int, int]] = []

    class Tall(Source):
        shape = (100_000, 8)
        name = "tall"

        def read_rows(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> NDArray[np.uint8]:
            read.append((y0, y1))
            return np.zeros((y1 - y0, 8), np.uint8)[:, x0:x1]

    tiles = iter_tiles(Tall(), tile_size=(10, 4))
    assert read == []
    assert [tile.x0 for _, tile in islice(tiles, 3)] == [0, 4, 0]
    assert read == [(0, 10), (10, 20)]


def test_a_source_of_the_caller_stays_open() -> None:
    closed = []

    class Watched(ArraySource):
        def close(self) -> None:
            closed.append(self.name)

    with Watched(RAMP, "mine") as source:
        assert len(list(iter_tiles(source, tile_size=4))) == 4
        assert closed == []
    assert closed == ["mine"]


def test_errors_come_when_tiles_are_asked_for_not_later(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="image file not found"):
        iter_tiles(tmp_path / "none.png", tile_size=4)
    with pytest.raises(ValueError, match="stride must be in"):
        iter_tiles(RAMP, tile_size=4, stride=5)


def test_the_room_exports_what_it_says() -> None:
    import pyimgano_industrial.tiling as room

    assert TiledDetector is TheSame
    assert dir(room) == public == sorted(public, key=lambda name: (name[0].islower(), name))
    for name in public:
        assert getattr(room, name).__module__.startswith(("pyimgano_industrial.tiling.", "typing"))
    with pytest.raises(AttributeError, match="has no attribute 'Tiler'"):
        room.Tiler  # noqa: B018  # the lookup is what is tested
