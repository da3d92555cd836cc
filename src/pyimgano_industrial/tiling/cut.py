"""From images to tiles: the next image is decoded while this one is worked on, and each is read once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.core.regions import Region, Roi
from pyimgano_industrial.tiling.grid import Grid, PadMode, Tile, make_grid, pad_tile
from pyimgano_industrial.tiling.source import ArraySource, BandReader, Source, open_source

Image = NDArray[Any] | str | Path

WINDOW = 2**24  # pixels of a file that are held: a row of tiles of 512 pixels in an image of 32768 columns


class Cut(NamedTuple):
    """A tile as it is cut: its pixels, or None when it is not run; and which of its real pixels count.

    counts: (tile.height, tile.width) bool for a tile that is padded or only partly in the region; None when all do,
    and when what does not count was taken away, as for a detector without maps.
    """

    pixels: NDArray[Any] | None
    tile: Tile
    counts: NDArray[np.bool_] | None


@dataclass(frozen=True)
class Cutter:
    """How images are cut; the fields are TiledDetector's arguments of the same names.

    with_maps: whether the detector has maps, from which the pixels that do not count are left out afterwards. Without
    maps they would count in the score: such tiles are not padded, and what lies outside the region is painted over
    with the mean of what lies inside.
    """

    tile_size: int | tuple[int, int]
    stride: int | tuple[int, int]
    pad_mode: PadMode
    pad_value: int
    roi: Roi | None
    skip_flat: float | None
    scales: tuple[float, ...]
    bit_depth: int | None = None
    with_maps: bool = True

    def grid(self, source: Source) -> Grid:
        """Return the tiles of an image; those of one that is read from a file by windows lie in stripes, if it is wide.

        A stripe has at most `WINDOW` pixels in a row of tiles, so that memory does not depend on the image's width.
        """
        height, width = source.shape
        tile_height = self.tile_size if isinstance(self.tile_size, int) else self.tile_size[0]
        widest = None if isinstance(source, ArraySource) else WINDOW // tile_height
        return make_grid(height, width, tile_size=self.tile_size, stride=self.stride, widest=widest)

    def region(self, source: Source, scaled: Source | None = None) -> Region | None:
        """Return the region of an image, or of that image scaled; raises RegionError where it does not fit."""
        if self.roi is None:
            return None
        region = Region(self.roi, height=source.shape[0], width=source.shape[1])
        return region if scaled is None else region.at(*scaled.shape)

    def scaled(self, source: Source) -> Iterator[Source]:
        """Yield the image at each scale."""
        height, width = source.shape
        for scale in self.scales:
            if scale == 1:
                yield source
            else:
                size = max(1, round(height * scale)), max(1, round(width * scale))
                smaller = resized(source.read_rows(0, height), size)
                yield open_source(smaller, name=f"{source.name} at scale {scale}")

    def tiles(self, source: Source, grid: Grid, region: Region | None) -> Iterator[Cut]:
        """Yield every tile of the grid in its order; what a stripe covers is read once, a row of tiles at a time."""
        for stripe in grid.stripes:
            x0, x1 = grid.span(stripe)
            reader = BandReader(source, x0, x1)
            for row, y0 in enumerate(grid.ys):
                y1 = min(y0 + grid.tile_size[0], grid.height)
                inside = None if region is None else region.rows(y0, y1, x0, x1)
                if inside is not None and not inside.any():
                    yield from (Cut(None, tile, None) for tile in grid.tiles_of_row(row, stripe))
                    continue
                band = reader.band(y0, y1)
                for tile in grid.tiles_of_row(row, stripe):
                    columns = slice(tile.x0 - x0, tile.x1 - x0)
                    yield self._cut(band[:, columns], tile, grid, None if inside is None else inside[:, columns])
                del band  # else it would be alive while the next one is read

    def _cut(self, pixels: NDArray[Any], tile: Tile, grid: Grid, inside: NDArray[np.bool_] | None) -> Cut:
        if inside is not None and not inside.any():
            return Cut(None, tile, None)
        if self.skip_flat is not None and pixels.std(dtype=np.float32) < self.skip_flat:
            return Cut(None, tile, None)
        if not self.with_maps:
            return Cut(pixels if inside is None or inside.all() else _painted(pixels, inside), tile, None)
        padded = pad_tile(pixels, grid.tile_size, pad_mode=self.pad_mode, pad_value=self.pad_value)
        if inside is not None and not inside.all():
            return Cut(padded, tile, inside)
        return Cut(padded, tile, None if padded is pixels else np.ones((tile.height, tile.width), np.bool_))

    def run_tiles(self, source: Source) -> Iterator[tuple[int, NDArray[Any], Tile]]:
        """Yield (scale's index, pixels, tile) of the tiles to run of an image at all scales."""
        for index, scaled in enumerate(self.scaled(source)):
            for pixels, tile, _ in self.tiles(scaled, self.grid(scaled), self.region(source, scaled)):
                if pixels is not None:
                    yield index, pixels, tile


def open_image(item: Image, *, name: str | None = None, bit_depth: int | None = None) -> Source:
    """Open an image by rows; `bit_depth` says how many bits of a file's 16 are significant, where that is known."""
    if bit_depth is not None and not isinstance(item, np.ndarray):
        return open_source(read_rgb(item, bit_depth=bit_depth), name=name or f"{item}")
    return open_source(item, name=name)


def sources(images: Iterable[Image], *, bit_depth: int | None = None) -> Iterator[Source]:
    """Yield the images opened; the next one is decoded in a thread meanwhile."""
    iterator = enumerate(images)
    with ThreadPoolExecutor(1) as pool:

        def ahead() -> Iterator[Any]:
            for index, item in islice(iterator, 1):
                name = f"image {index}" if isinstance(item, np.ndarray) else f"{item}"
                yield pool.submit(open_image, item, name=name, bit_depth=bit_depth)

        waiting = list(ahead())
        while waiting:
            source = waiting.pop().result()
            waiting += ahead()
            yield source


def batches(tiles: Iterator[Cut], size: int) -> Iterator[list[Cut]]:
    """Yield batches with at most `size` tiles to run; those that are not run do not count."""
    batch: list[Cut] = []
    alive = 0
    for cut in tiles:
        batch.append(cut)
        alive += cut.pixels is not None
        if alive == size:
            yield batch
            batch, alive = [], 0
    if batch:
        yield batch


def _painted(pixels: NDArray[Any], inside: NDArray[np.bool_]) -> NDArray[Any]:
    """Return a tile whose pixels outside have the mean of those inside, channel by channel."""
    painted = pixels.copy()
    mean = pixels[inside].mean(axis=0, dtype=np.float64)
    painted[~inside] = np.rint(mean) if np.issubdtype(pixels.dtype, np.integer) else mean
    return painted


def resized(pixels: NDArray[Any], size: tuple[int, int]) -> NDArray[Any]:
    """Return an image or map at another size (h, w): area-averaged when it shrinks, else linear."""
    if pixels.shape[:2] == size:
        return pixels
    import cv2

    shrinks = size[0] < pixels.shape[0] or size[1] < pixels.shape[1]
    found: NDArray[Any] = cv2.resize(
        np.ascontiguousarray(pixels), size[::-1], interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    return found
