"""Overlapping tile maps merged into one map, row by row of tiles, in the memory of one row of tiles of a stripe.

hann and gaussian weigh a tile's centre most, so that no seam shows where a tile begins. The gaussian's standard
deviation is an eighth of the tile, as in nnU-Net (Isensee et al., Nature Methods 2021) and MONAI; with a quarter
(pyimgano's) a tile that overlaps another by 25 % counts 18 % at its own border already, which shows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import UnknownNameError, closest
from pyimgano_industrial.tiling.carry import Carry
from pyimgano_industrial.tiling.grid import Grid, Tile
from pyimgano_industrial.tiling.sink import ArraySink, Sink

Blend = Literal["max", "mean", "hann", "gaussian"]
Part = tuple[int, int, int, int]  # y0, y1, x0, x1 in the image
Slices = tuple[slice, slice]

_KEPT = 16 * 2**20  # bytes of weights
_WRITTEN = 8 * 2**20  # bytes of a map that are written at a time
_SKEW = 16  # samples; rows that lie a power of two apart share few cache lines


def stitch(maps: Iterable[NDArray[np.float32]], *, grid: Grid, blend: Blend) -> NDArray[np.float32]:
    """Merge the maps of all tiles of a grid, in its order, into one (H, W) float32 map.

    >>> from pyimgano_industrial.tiling.grid import make_grid
    >>> tile_maps = [np.full((1, 3), value, np.float32) for value in (1, 2)]
    >>> stitch(tile_maps, grid=make_grid(1, 5, tile_size=(1, 3)), blend="mean")
    array([[1. , 1. , 1.5, 2. , 2. ]], dtype=float32)
    """
    accumulator = Accumulator(grid, blend)
    for tile, tile_map in zip(grid, maps, strict=True):
        accumulator.add(tile, tile_map)
    merged: NDArray[np.float32] = accumulator.finish()
    return merged


def axis_weights(starts: Sequence[int], *, tile: int, length: int, blend: Blend) -> list[NDArray[np.float32]]:
    """Return the weights of tiles along one axis, so normalised that at every pixel the tiles over it sum to 1.

    starts: the first pixel of each tile. tile: its size; what lies beyond `length` does not count.
    Returns one (min(tile, length - start),) float32 vector a tile, all above 0; tiles with equal weights share one.
    Raises UnknownNameError for another blend, ValueError for "max", which has no weights.

    >>> axis_weights([0, 2], tile=3, length=5, blend="mean")
    [array([1. , 1. , 0.5], dtype=float32), array([0.5, 1. , 1. ], dtype=float32)]
    """
    window = _window(tile, check_blend(blend))
    total = np.zeros(length)
    for start in starts:
        total[start : start + tile] += window[: length - start]
    shared: dict[bytes, NDArray[np.float32]] = {}
    weights = []
    for start in starts:
        vector = (window[: length - start] / total[start : start + tile]).astype(np.float32)
        weights.append(shared.setdefault(vector.tobytes(), vector))
    return weights


def check_blend(blend: str) -> Blend:
    """Return a blend as it is, or raise UnknownNameError."""
    if blend not in get_args(Blend):
        raise UnknownNameError(f"unknown blend {blend!r}; {closest(blend, get_args(Blend))}")
    return blend  # type: ignore[return-value]  # the line above narrows it


@dataclass(frozen=True)
class _Row:
    """A row of tiles that was merged: its first row, its weights down, and what its tiles' weights sum to across.

    cover: (w,) for the columns that the stripe finishes; None stands for all ones.
    """

    y0: int
    weights: NDArray[np.float32]
    cover: NDArray[np.float32] | None


class _Weights:
    """The weights of a grid's tiles down and across; those of whole tiles are kept for tiles, and images, like them."""

    def __init__(self, grid: Grid, blend: Blend) -> None:
        self.down, self.across = (
            [np.ones(min(tile, length - start), np.float32) for start in starts]
            if blend == "max"  # then they only say what is covered
            else axis_weights(starts, tile=tile, length=length, blend=blend)
            for starts, tile, length in zip((grid.ys, grid.xs), grid.tile_size, (grid.height, grid.width), strict=True)
        )
        self._tiles: dict[tuple[int, int], NDArray[np.float32]] = {}

    def of(self, tile: Tile) -> NDArray[np.float32] | None:
        """Return the weights (h, w) of a tile, None where no other one lies and all are 1."""
        down, across = self.down[tile.row], self.across[tile.column]
        if down.min() == 1 and across.min() == 1:
            return None
        found = self._tiles.get((id(down), id(across)))
        if found is None:
            found = np.multiply.outer(down, across)
            if (len(self._tiles) + 1) * found.nbytes > _KEPT:
                self._tiles.clear()
            self._tiles[id(down), id(across)] = found
        return found


_weights_of = lru_cache(maxsize=2)(_Weights)  # of the images of a line, which have one size, at two scales


class Accumulator:
    """Merges the maps of a grid's tiles, given in its order; rows that no later tile reaches go to the sink at once.

    grid: where the tiles lie. sink: what takes the merged rows; None keeps them in memory. fill: the value of pixels
    that no tile covers that was run. Beside a file it holds one row of tiles of a stripe: tile height x its width
    float32; what a stripe shares with the next one waits in a file beside. `max` takes the largest of overlapping
    values, the others the mean by weight. Values are not checked for NaN.
    """

    def __init__(self, grid: Grid, blend: Blend, *, sink: Sink | None = None, fill: float = 0.0) -> None:
        self._grid = grid
        self._blend = check_blend(blend)
        self._sink = ArraySink((grid.height, grid.width)) if sink is None else sink
        self._fill = fill
        self._weights = _weights_of(grid, self._blend)
        self._wy, self._wx = self._weights.down, self._weights.across
        self._room = _ring(grid) if self._sink.merged is None else self._sink.merged
        self._ran = np.zeros((len(grid.ys), len(grid.xs)), bool)
        self._rows: list[_Row] = []  # the rows of tiles that reach into the ring
        self._expected = iter(grid)
        self._stripes = iter(grid.stripes)
        self._carried: Carry | None = None  # from the stripe before
        self._carry: Carry | None = None  # for the next one
        self._begin_stripe()

    def _begin_stripe(self) -> None:
        self._stripe = next(self._stripes)
        self._x0, self._x1 = self._grid.span(self._stripe)
        last = self._stripe.stop == len(self._grid.xs)
        self._end = self._grid.width if last else self._grid.xs[self._stripe.stop]  # of the columns that it finishes
        self._rows.clear()
        self._ring, self._left = self._room, 0
        if self._sink.merged is not None:
            return
        self._ring, self._left = self._room[:, : self._x1 - self._x0], self._x0
        if self._carried is not None:
            self._carried.close()
        self._carried, self._carry = self._carry, None
        if self._carried is not None:
            self._carried.rewind()
        if self._end < self._x1:
            self._carry = Carry(self._x1 - self._end, self._sink.folder)

    def add(self, tile: Tile, tile_map: NDArray[np.float32]) -> None:
        """Merge the map of the grid's next tile.

        tile_map: (h, w) float32, at least the tile's height x width; what exceeds it is padding and left out.
        Raises ValueError, naming the tile, for another tile than the next or a map that is not of such a shape.
        """
        self._begin_tile(tile)
        if tile_map.ndim != 2 or tile_map.shape[0] < tile.height or tile_map.shape[1] < tile.width:
            raise ValueError(
                f"the map of a tile must be (h, w) of at least {tile.height} x {tile.width}; "
                f"got shape {tile_map.shape} for {tile}"
            )
        self._merge(tile, tile_map[: tile.height, : tile.width].astype(np.float32, copy=False))
        self._ran[tile.row, tile.column] = True
        self._end_tile(tile)

    def skip(self, tile: Tile) -> None:
        """Pass over the grid's next tile, which was not run: its pixels count from the tiles over them that were."""
        self._begin_tile(tile)
        for _, place in self._placed(tile, [self._first(tile)]):
            self._ring[place] = -np.inf if self._blend == "max" else 0
        self._end_tile(tile)

    def finish(self) -> Any:
        """Return what the sink returns, without one the (H, W) float32 map; ValueError says which tile is missing."""
        missing = next(self._expected, None)
        if missing is not None:
            raise ValueError(f"every tile must be added or skipped before finish; the next is {missing}")
        if self._carried is not None:
            self._carried.close()
        return self._sink.finish()

    def _merge(self, tile: Tile, values: NDArray[np.float32]) -> None:
        """Store the tile where it is the first, so that nothing is to be cleared before; merge it where others lie."""
        import cv2

        weights = None if self._blend == "max" else self._weights.of(tile)
        for here, place in self._placed(tile, self._reached(tile)):
            if weights is None:
                cv2.max(self._ring[place], values[here], self._ring[place])
            else:
                cv2.accumulateProduct(values[here], weights[here], self._ring[place])
        for here, place in self._placed(tile, [self._first(tile)]):
            if weights is None:
                self._ring[place] = values[here]
            else:
                cv2.multiply(values[here], weights[here], self._ring[place])

    def _first(self, tile: Tile) -> Part:
        """Return the part of a tile that no earlier one reaches."""
        above = self._grid.ys[tile.row - 1] + self._grid.tile_size[0] if tile.row else 0
        before = self._grid.xs[tile.column - 1] + self._grid.tile_size[1] if tile.column else 0
        return max(tile.y0, above), tile.y1, max(tile.x0, before), tile.x1

    def _reached(self, tile: Tile) -> list[Part]:
        """Return the parts of a tile that earlier ones reach: above, over its whole width, and then at the left."""
        y0, _, x0, _ = self._first(tile)
        return [(tile.y0, y0, tile.x0, tile.x1), (y0, tile.y1, tile.x0, x0)]

    def _placed(self, tile: Tile, parts: Sequence[Part]) -> Iterator[tuple[Slices, Slices]]:
        """Yield where parts lie in their tile and in the ring; those without pixels lie nowhere."""
        for y0, y1, x0, x1 in parts:
            if y0 < y1 and x0 < x1:
                columns = slice(x0 - tile.x0, x1 - tile.x0)
                for rows, place in self._places(y0, y1):
                    down = slice(rows.start + y0 - tile.y0, rows.stop + y0 - tile.y0)
                    yield (down, columns), (place, slice(x0 - self._left, x1 - self._left))

    def _begin_tile(self, tile: Tile) -> None:
        """Hold that it is the next one; with the first one of a row, what the stripe before has merged comes in."""
        expected = next(self._expected, None)
        if tile != expected:
            raise ValueError(f"tiles must come in the grid's order, each once; expected {expected}, got {tile}")
        if tile.column not in self._stripe:
            self._begin_stripe()
        if self._carried is not None and tile.column == self._stripe.start:
            y0 = self._first(tile)[0]
            carried = self._carried.read(tile.y1 - y0)
            for rows, place in self._places(y0, tile.y1):
                self._ring[place, : self._carried.width] = carried[rows]

    def _end_tile(self, tile: Tile) -> None:
        """At the end of a row of tiles, hand over the rows above the next one."""
        if tile.column < self._stripe.stop - 1:
            return
        self._rows.append(_Row(tile.y0, self._wy[tile.row], self._cover(tile.row)))
        last = tile.row == len(self._grid.ys) - 1
        end = tile.y1 if last else self._grid.ys[tile.row + 1]
        partly = any(row.cover is not None for row in self._rows)
        finished = slice(self._x0 - self._left, self._end - self._left)
        for rows, place in self._places(tile.y0, end):
            if partly:
                self._renormalise(self._ring[place, finished], tile.y0 + rows.start, tile.y0 + rows.stop)
            self._hand_over(tile.y0 + rows.start, self._ring[place, finished])
            if self._carry is not None:
                self._carry.write(self._ring[place, self._end - self._left : self._x1 - self._left])
        self._rows = [row for row in self._rows if row.y0 + len(row.weights) > end]

    def _hand_over(self, y0: int, rows: NDArray[np.float32]) -> None:
        """Give rows to the sink, a few at a time: it may copy them."""
        step = max(1, _WRITTEN // (4 * rows.shape[1]))
        for first in range(0, len(rows), step):
            self._sink.write(y0 + first, rows[first : first + step], self._x0)

    def _cover(self, row: int) -> NDArray[np.float32] | None:
        """Return the summed weights of the tiles that were run in a row of tiles, for the columns that are finished."""
        ran = self._ran[row, : self._stripe.stop]
        if ran.all():
            return None
        cover = np.zeros(self._end - self._x0, np.float32)
        for column in np.flatnonzero(ran).tolist():
            x0, weights = self._grid.xs[column], self._wx[column]
            skipped = max(0, self._x0 - x0)
            part = weights[skipped : max(skipped, self._end - x0)]
            start = max(0, x0 - self._x0)
            cover[start : start + len(part)] += part
        return cover

    def _renormalise(self, values: NDArray[np.float32], y0: int, y1: int) -> None:
        """Divide the merged rows y0:y1 by the weights that are there, where tiles were skipped."""
        down = np.zeros((y1 - y0, len(self._rows)), np.float32)
        for column, row in enumerate(self._rows):
            reach = row.weights[y0 - row.y0 : y1 - row.y0]
            down[: len(reach), column] = reach
        ones = np.ones(values.shape[1], np.float32)
        weights = down @ np.stack([ones if row.cover is None else row.cover for row in self._rows])
        if self._blend != "max":
            np.divide(values, weights, out=values, where=weights > 0)
        values[weights == 0] = self._fill

    def _places(self, y0: int, y1: int) -> list[tuple[slice, slice]]:
        """Return where the image's rows y0:y1 lie: as (rows counted from y0, rows of the ring), in one or two parts."""
        height = len(self._ring)
        first, count = y0 % height, y1 - y0
        if first + count <= height:
            return [(slice(0, count), slice(first, first + count))]
        wrap = height - first
        return [(slice(0, wrap), slice(first, height)), (slice(wrap, count), slice(0, count - wrap))]


def _ring(grid: Grid) -> NDArray[np.float32]:
    """Return room for the rows of one row of tiles of the widest stripe, which later rows and stripes take over."""
    width = max(x1 - x0 for x0, x1 in map(grid.span, grid.stripes))
    return np.empty((min(grid.tile_size[0], grid.height), width + _SKEW), np.float32)[:, :width]


def _window(size: int, blend: Blend) -> NDArray[np.float64]:
    """Return one tile's weights before they are normalised: (size,) float64, symmetric, above 0."""
    centres = (np.arange(size) + 0.5) / size
    if blend == "mean":
        return np.ones(size)
    if blend == "hann":
        return np.asarray(np.sin(np.pi * centres) ** 2)
    if blend == "gaussian":
        return np.asarray(np.exp(-0.5 * ((centres - 0.5) / 0.125) ** 2))
    raise ValueError(f"the blend must weigh tiles: mean, hann or gaussian; got {blend!r}")
