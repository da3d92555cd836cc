from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import UnknownNameError
from pyimgano_industrial.tiling.blend import Accumulator, Blend, axis_weights, stitch
from pyimgano_industrial.tiling.grid import Grid, Tile, make_grid
from pyimgano_industrial.tiling.sink import ArraySink

BLENDS: tuple[Blend, ...] = ("max", "mean", "hann", "gaussian")
WEIGHTED = BLENDS[1:]


@st.composite
def grids(draw: st.DrawFn, largest: int = 16) -> Grid:
    size = draw(st.tuples(st.integers(1, 8), st.integers(1, 8)))
    stride = draw(st.tuples(st.integers(1, size[0]), st.integers(1, size[1])))
    height, width = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    return make_grid(height, width, tile_size=size, stride=stride, widest=draw(st.none() | st.integers(1, largest)))


def raw_weight(blend: Blend, place: int, size: int) -> float:
    position = (place + 0.5) / size
    return {
        "max": 1.0,
        "mean": 1.0,
        "hann": 0.5 - 0.5 * math.cos(2 * math.pi * position),
        "gaussian": math.exp(-((position - 0.5) ** 2) / (2 * 0.125**2)),
    }[blend]


def slow_merge(
    grid: Grid, blend: Blend, tile_maps: list[NDArray[np.float32] | None], fill: float
) -> NDArray[np.float64]:
    """Pixel by pixel, in float64, from the definition: the largest value, or the mean by weight."""
    merged = np.full((grid.height, grid.width), fill)
    for y, x in np.ndindex(merged.shape):
        values, weights = [], []
        for tile, tile_map in zip(grid, tile_maps, strict=True):
            if tile_map is not None and tile.y0 <= y < tile.y1 and tile.x0 <= x < tile.x1:
                values.append(float(tile_map[y - tile.y0, x - tile.x0]))
                down = raw_weight(blend, y - tile.y0, grid.tile_size[0])
                weights.append(down * raw_weight(blend, x - tile.x0, grid.tile_size[1]))
        if values:
            merged[y, x] = max(values) if blend == "max" else np.average(values, weights=weights)
    return merged


@given(st.integers(1, 3000), st.integers(1, 700), st.sampled_from(WEIGHTED), st.data())
def test_weights_sum_to_one_at_every_pixel(length: int, tile: int, blend: Blend, data: st.DataObject) -> None:
    stride = data.draw(st.integers(max(1, tile // 40), tile))
    starts = make_grid(length, 1, tile_size=(tile, 1), stride=(stride, 1)).ys
    total = np.zeros(length)
    for start, weights in zip(starts, axis_weights(starts, tile=tile, length=length, blend=blend), strict=True):
        assert weights.dtype == np.float32
        assert len(weights) == min(tile, length - start)
        assert weights.min() > 0
        total[start : start + tile] += weights
    np.testing.assert_allclose(total, 1, atol=1e-6)


def test_weights_worked_out_by_hand() -> None:
    first, last = axis_weights([0, 2], tile=4, length=6, blend="hann")
    # hann of 4: sin^2 of 22.5, 67.5, 112.5 and 157.5 degrees; the tiles share the pixels 2 and 3
    np.testing.assert_allclose(first, [1, 1, 0.8535534, 0.1464466], atol=1e-7)
    np.testing.assert_allclose(last, [0.1464466, 0.8535534, 1, 1], atol=1e-7)


def test_tiles_of_equal_weights_share_them() -> None:
    weights = axis_weights(range(0, 1000, 10), tile=40, length=1030, blend="gaussian")
    assert len({id(vector) for vector in weights}) == 7  # three at either border, and one within


def test_max_has_no_weights_and_others_are_unknown() -> None:
    with pytest.raises(ValueError, match=r"^the blend must weigh tiles: mean, hann or gaussian; got 'max'$"):
        axis_weights([0], tile=2, length=2, blend="max")
    with pytest.raises(UnknownNameError, match=r"^unknown blend 'han'; did you mean 'hann'\? Known: gaussian, hann"):
        axis_weights([0], tile=2, length=2, blend="han")  # type: ignore[arg-type]  # that is the point
    with pytest.raises(UnknownNameError, match="unknown blend 'median'"):
        Accumulator(make_grid(2, 2, tile_size=2), "median")  # type: ignore[arg-type]  # that is the point


class Beside(ArraySink):
    """Takes finished rows as a file does: nothing is merged in it."""

    def __init__(self, shape: tuple[int, int]) -> None:
        super().__init__(shape)
        self.merged = None


@settings(max_examples=300, deadline=None)
@given(grids(), st.sampled_from(BLENDS), st.integers(0, 2**32 - 1), st.data())
def test_maps_merge_as_defined_also_where_tiles_are_skipped(
    grid: Grid, blend: Blend, seed: int, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    share = data.draw(st.sampled_from([0.0, 0.0, 0.3, 0.8, 1.0]), label="share of skipped tiles")
    fill = data.draw(st.sampled_from([0.0, -3.0]), label="fill")
    tile_maps = [
        None if rng.random() < share else rng.normal(size=grid.tile_size).astype(np.float32) * 100 for _ in grid
    ]
    shape = grid.height, grid.width
    sink = data.draw(st.sampled_from([ArraySink, Beside]), label="sink")(shape)
    accumulator = Accumulator(grid, blend, sink=sink, fill=fill)
    for tile, tile_map in zip(grid, tile_maps, strict=True):
        if tile_map is None:
            accumulator.skip(tile)
        else:
            accumulator.add(tile, tile_map)
    merged = accumulator.finish()
    assert merged.dtype == np.float32
    scale = max([1.0, *(float(np.abs(tile_map).max()) for tile_map in tile_maps if tile_map is not None)])
    np.testing.assert_allclose(merged, slow_merge(grid, blend, tile_maps, fill), rtol=0, atol=1e-5 * scale)


@pytest.mark.parametrize("blend", BLENDS)
def test_larger_tiles_that_agree_merge_to_the_map_that_they_are_cut_from(blend: Blend) -> None:
    grid = make_grid(700, 900, tile_size=(256, 192), stride=(100, 77))
    whole = np.random.default_rng(0).random((700, 900), dtype=np.float32) - 0.5
    merged = stitch((whole[tile.y0 : tile.y1, tile.x0 : tile.x1] for tile in grid), grid=grid, blend=blend)
    np.testing.assert_allclose(merged, whole, atol=1e-6)


def test_max_keeps_the_largest_and_mean_the_average() -> None:
    grid = make_grid(1, 4, tile_size=(1, 3), stride=(1, 1))
    tile_maps = [np.array([[1, -5, 2]], np.float32), np.array([[-7, 4, 0]], np.float32)]
    assert stitch(tile_maps, grid=grid, blend="max").tolist() == [[1, -5, 4, 0]]
    assert stitch(tile_maps, grid=grid, blend="mean").tolist() == [[1, -6, 3, 0]]


def test_a_skipped_tile_leaves_its_pixels_to_the_tiles_over_them() -> None:
    grid = make_grid(1, 7, tile_size=(1, 3), stride=(1, 2))
    accumulator = Accumulator(grid, "hann", fill=-1)
    for tile, value in zip(grid, (5.0, None, None), strict=True):
        if value is None:
            accumulator.skip(tile)
        else:
            accumulator.add(tile, np.full((1, 3), value, np.float32))
    np.testing.assert_allclose(accumulator.finish(), [[5, 5, 5, -1, -1, -1, -1]], rtol=1e-6)


def test_padding_beyond_the_image_does_not_count() -> None:
    grid = make_grid(2, 3, tile_size=4)
    padded = np.full((4, 4), 99, np.float32)
    padded[:2, :3] = 1
    for blend in BLENDS:
        assert (stitch([padded], grid=grid, blend=blend) == 1).all()


def test_maps_of_other_dtypes_and_layouts_are_taken() -> None:
    grid = make_grid(6, 5, tile_size=4, stride=3)
    tile_maps = [np.arange(16.0).reshape(4, 4).T + tile.x0 for tile in grid]
    expected = stitch([np.ascontiguousarray(each, np.float32) for each in tile_maps], grid=grid, blend="hann")
    np.testing.assert_array_equal(stitch(tile_maps, grid=grid, blend="hann"), expected)  # type: ignore[arg-type]
    read_only = [np.broadcast_to(np.float32(3), (4, 4)) for _ in grid]
    np.testing.assert_allclose(stitch(read_only, grid=grid, blend="gaussian"), 3, rtol=1e-6)


def test_a_tile_map_is_not_changed() -> None:
    grid = make_grid(6, 6, tile_size=4, stride=2)
    tile_map = np.ones((4, 4), np.float32)
    for blend in BLENDS:
        stitch([tile_map] * len(grid), grid=grid, blend=blend)
    assert (tile_map == 1).all()


def seam_step(blend: Blend, tile_size: int = 64) -> float:
    """Return the worst step that blending adds between neighbouring pixels, as a share of the smooth map's range.

    Each tile predicts a smooth map (range 1) from its own pixels only, so that it errs at its border: by 0.1 there,
    half as much every sixteenth of a tile inwards, upwards in one tile and downwards in the next.
    """
    stride = tile_size * 3 // 4
    length = tile_size + 4 * stride
    grid = make_grid(length, length, tile_size=tile_size, stride=stride)
    y, x = np.mgrid[:length, :length] / length
    smooth = 0.5 + 0.25 * (np.sin(2 * np.pi * y) + np.cos(2 * np.pi * x))
    inwards = np.minimum(np.arange(tile_size), np.arange(tile_size)[::-1])
    error = 0.1 * 0.5 ** (np.minimum.outer(inwards, inwards) / (tile_size / 16))
    merged = stitch(
        ((smooth[t.y0 : t.y1, t.x0 : t.x1] + (-1) ** (t.row + t.column) * error).astype(np.float32) for t in grid),
        grid=grid,
        blend=blend,
    )
    inside = slice(tile_size // 2, -tile_size // 2)  # the image's own border has one tile's error and no seam
    added = (merged - smooth)[inside, inside]
    return float(max(np.abs(np.diff(added, axis=axis)).max() for axis in (0, 1)) / np.ptp(smooth))


@pytest.mark.parametrize("blend", ["hann", "gaussian"])
@pytest.mark.parametrize("tile_size", [64, 256])
def test_overlap_leaves_no_seam(blend: Blend, tile_size: int) -> None:
    assert seam_step(blend, tile_size) <= 0.02


@pytest.mark.parametrize("blend", ["max", "mean"])
def test_the_seam_shows_without_a_window(blend: Blend) -> None:
    assert seam_step(blend) >= 0.04


def test_rows_go_to_the_sink_as_soon_as_no_tile_reaches_them() -> None:
    written: list[tuple[int, int]] = []
    after: list[int] = []

    class Recorder(ArraySink):
        def write(self, y0: int, rows: NDArray[np.float32], x0: int = 0) -> None:
            written.append((y0, y0 + len(rows)))
            super().write(y0, rows, x0)

        def finish(self) -> Any:
            return "finished"

    grid = make_grid(13, 4, tile_size=6, stride=3)
    accumulator = Accumulator(grid, "hann", sink=Recorder((13, 4)))
    for tile in grid:
        accumulator.add(tile, np.ones((6, 6), np.float32))
        after.append(written[-1][1])
    assert grid.ys == (0, 3, 6, 7)
    assert after == [3, 6, 7, 13]
    assert written[0][0] == 0
    assert all(end == start for (_, end), (start, _) in pairwise(written))
    assert accumulator.finish() == "finished"


@pytest.mark.parametrize(("height", "width", "widest"), [(8192, 1024, None), (1024, 8192, 1024)])
def test_memory_is_that_of_one_row_of_tiles_of_a_stripe(height: int, width: int, widest: int | None) -> None:
    import tracemalloc

    class Nowhere(ArraySink):
        def __init__(self) -> None:
            super().__init__((0, 0))
            self.merged = None

        def write(self, y0: int, rows: NDArray[np.float32], x0: int = 0) -> None:
            pass

        def finish(self) -> Any:
            return None

    grid = make_grid(height, width, tile_size=64, stride=48, widest=widest)
    tile_map = np.ones((64, 64), np.float32)
    tracemalloc.start()
    accumulator = Accumulator(grid, "gaussian", sink=Nowhere())
    for tile in grid:
        accumulator.add(tile, tile_map)
    accumulator.finish()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 64 * 1024 * 4 + 2**18  # the map is 32 MiB


def test_tiles_out_of_turn_and_wrong_shapes_are_errors_that_name_the_tile() -> None:
    grid = make_grid(4, 8, tile_size=4)
    accumulator = Accumulator(grid, "mean")
    first, second = grid
    with pytest.raises(ValueError, match=r"order, each once; expected Tile\(y0=0, x0=0, .*, got Tile\(y0=0, x0=4, "):
        Accumulator(grid, "mean").add(second, np.ones((4, 4), np.float32))
    accumulator.add(first, np.ones((4, 4), np.float32))
    with pytest.raises(ValueError, match=r"the next is Tile\(y0=0, x0=4, y1=4, x1=8, row=0, column=1\)$"):
        accumulator.finish()
    wrong = r"must be \(h, w\) of at least 4 x 4; got shape %s for Tile\(y0=0, x0=0, y1=4, x1=4, row=0, column=0\)$"
    for shape, text in (((4, 3), r"\(4, 3\)"), ((4, 4, 1), r"\(4, 4, 1\)")):
        with pytest.raises(ValueError, match=wrong % text):
            Accumulator(grid, "mean").add(first, np.ones(shape, np.float32))


def test_a_tile_after_the_last_is_an_error() -> None:
    grid = make_grid(4, 4, tile_size=4)
    accumulator = Accumulator(grid, "mean")
    accumulator.add(next(iter(grid)), np.ones((4, 4), np.float32))
    with pytest.raises(ValueError, match=r"expected None, got Tile"):
        accumulator.skip(Tile(0, 0, 4, 4, 0, 0))
