"""Where tiles lie: positions that cover an image exactly, and the tiles themselves, cut one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import UnknownNameError, closest
from pyimgano_industrial.tiling.source import BandReader, Source, open_source

PadMode = Literal["reflect", "symmetric", "edge", "wrap", "constant"]


@dataclass(frozen=True)
class Tile:
    """Rows y0:y1 and columns x0:x1 of an image, padding left out; row and column count tiles in the grid."""

    y0: int
    x0: int
    y1: int
    x1: int
    row: int
    column: int

    @property
    def height(self) -> int:
        return self.y1 - self.y0

    @property
    def width(self) -> int:
        return self.x1 - self.x0


@dataclass(frozen=True)
class Grid:
    """The tiles of an image of height x width, in row-major order, stripe after stripe; `make_grid` makes it.

    tile_size: (height, width) of a tile, which may exceed the image. stride: rows and columns from tile to tile.
    ys, xs: the first row of each row of tiles, the first column of each column of tiles. stripes: the columns of tiles
    that belong together, from the left; one stripe unless the image is too wide for its rows to be held.
    """

    height: int
    width: int
    tile_size: tuple[int, int]
    stride: tuple[int, int]
    ys: tuple[int, ...]
    xs: tuple[int, ...]
    stripes: tuple[range, ...]

    def __len__(self) -> int:
        return len(self.ys) * len(self.xs)

    def __iter__(self) -> Iterator[Tile]:
        for stripe in self.stripes:
            for row in range(len(self.ys)):
                yield from self.tiles_of_row(row, stripe)

    def tiles_of_row(self, row: int, stripe: range) -> Iterator[Tile]:
        """Yield the tiles of one row of tiles, from the left, in some columns of tiles."""
        y0 = self.ys[row]
        y1 = min(y0 + self.tile_size[0], self.height)
        for column in stripe:
            x0 = self.xs[column]
            yield Tile(y0, x0, y1, min(x0 + self.tile_size[1], self.width), row, column)

    def span(self, stripe: range) -> tuple[int, int]:
        """Return the columns x0, x1 of the image that the tiles of a stripe cover."""
        return self.xs[stripe[0]], min(self.xs[stripe[-1]] + self.tile_size[1], self.width)


def make_grid(
    height: int,
    width: int,
    *,
    tile_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    widest: int | None = None,
) -> Grid:
    """Place tiles so that they cover every pixel, none leaves the image, and the last ones touch its border.

    tile_size, stride: rows and columns, or one number for both; a stride of None is the tile size. An image smaller
    than a tile gets one tile, whose pixels `pad_tile` completes. Positions are those of pyimgano's `iter_tile_coords`.
    widest: the most columns of the image that a stripe may cover, unless a single tile does; None for one stripe.
    Raises ValueError for sizes below 1 and for a stride outside 1..tile size.

    >>> grid = make_grid(5, 8, tile_size=4, stride=3)
    >>> grid.ys, grid.xs, len(grid)
    ((0, 1), (0, 3, 4), 6)
    """
    size = (tile_size, tile_size) if isinstance(tile_size, int) else tile_size
    step = size if stride is None else (stride, stride) if isinstance(stride, int) else stride
    for what, value in (("image", (height, width)), ("tile_size", size)):
        if min(value) < 1:
            raise ValueError(f"{what} must be at least 1 x 1 pixels; got {value[0]} x {value[1]} (height x width)")
    for each, largest in zip(step, size, strict=True):
        if not 1 <= each <= largest:
            raise ValueError(f"stride must be in 1..{largest} (the tile size); got {each}")
    ys, xs = _starts(height, size[0], step[0]), _starts(width, size[1], step[1])
    return Grid(height, width, size, step, ys, xs, _stripes(xs, size[1], width if widest is None else widest))


def pad_tile(
    pixels: NDArray[Any], size: tuple[int, int], *, pad_mode: PadMode = "reflect", pad_value: float = 0
) -> NDArray[Any]:
    """Complete a tile to `size` below and at the right; returns `pixels` itself when nothing is to add.

    pixels: (h, w) or (h, w, C), of at most `size`. pad_mode: as in `np.pad`, and "reflect" mirrors again and again
    where the pixels are fewer than the padding; a single row or column is repeated. pad_value: for "constant".
    Raises ValueError for pixels larger than `size`, UnknownNameError for another pad_mode.
    """
    check_pad_mode(pad_mode)
    below, right = size[0] - pixels.shape[0], size[1] - pixels.shape[1]
    if below < 0 or right < 0:
        raise ValueError(f"a tile must not exceed {size[0]} x {size[1]} pixels; got shape {pixels.shape}")
    if not below and not right:
        return pixels
    widths = ((0, below), (0, right), *((0, 0),) * (pixels.ndim - 2))
    if pad_mode == "constant":
        return np.pad(pixels, widths, mode="constant", constant_values=pad_value)
    return np.pad(pixels, widths, mode=pad_mode)


def check_pad_mode(pad_mode: str) -> None:
    """Raise UnknownNameError for a pad mode that `pad_tile` does not know."""
    if pad_mode not in get_args(PadMode):
        raise UnknownNameError(f"unknown pad_mode {pad_mode!r}; {closest(pad_mode, get_args(PadMode))}")


def iter_tiles(
    image: NDArray[Any] | Path | str | Source,
    *,
    tile_size: int | tuple[int, int],
    stride: int | tuple[int, int] | None = None,
    pad_mode: PadMode = "reflect",
    pad_value: float = 0,
) -> Iterator[tuple[NDArray[Any], Tile]]:
    """Yield (pixels, tile) in row-major order, each cut when it is asked for.

    image: (H, W) or (H, W, C), of which tiles are views; or a path or Source, of which one row of tiles is in memory.
    Yields pixels of tile_size, padded as `pad_tile` does. Raises as `make_grid` and `open_source` do, at once.

    >>> [(pixels.shape, tile.x0) for pixels, tile in iter_tiles(np.zeros((4, 6)), tile_size=4)]
    [((4, 4), 0), ((4, 4), 2)]
    """
    check_pad_mode(pad_mode)
    source = open_source(image)
    grid = make_grid(*source.shape, tile_size=tile_size, stride=stride)

    def cut() -> Iterator[tuple[NDArray[Any], Tile]]:
        reader = BandReader(source)
        try:
            for row, y0 in enumerate(grid.ys):
                band = reader.band(y0, min(y0 + grid.tile_size[0], grid.height))
                for tile in grid.tiles_of_row(row, grid.stripes[0]):
                    pixels = band[:, tile.x0 : tile.x1]
                    yield pad_tile(pixels, grid.tile_size, pad_mode=pad_mode, pad_value=pad_value), tile
        finally:
            if source is not image:
                source.close()

    return cut()


def _stripes(xs: tuple[int, ...], tile: int, widest: int) -> tuple[range, ...]:
    """Divide the columns of tiles into as many as fit into each stripe, from the left."""
    firsts = [0]
    for column, x0 in enumerate(xs):
        if column > firsts[-1] and x0 + tile - xs[firsts[-1]] > widest:
            firsts.append(column)
    return tuple(range(first, end) for first, end in zip(firsts, (*firsts[1:], len(xs)), strict=True))


def _starts(length: int, tile: int, stride: int) -> tuple[int, ...]:
    last = max(0, length - tile)
    return (*range(0, last, stride), last)
