"""The tiles that detectors are fitted on: in memory while they are few, else cut again whenever they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.tiling.cut import Cutter, Image, open_image, sources
from pyimgano_industrial.tiling.detectors import Place, TilingError
from pyimgano_industrial.tiling.grid import Tile
from pyimgano_industrial.tiling.source import Source

MEMORY = 2**30  # bytes of tiles that are kept


class Samples:
    """Where the tiles of all images lie, and their pixels as long as they take no more than `memory` bytes."""

    def __init__(self, cutter: Cutter, images: Sequence[Image], *, memory: int | None = None) -> None:
        memory = MEMORY if memory is None else memory
        self._cutter, self._images = cutter, images
        self.places: list[tuple[int, Place]] = []  # image, place
        self.shapes: list[tuple[int, int]] = []  # of the images
        self._pixels: list[NDArray[Any]] | None = []
        held = 0
        for index, source in enumerate(sources(images, bit_depth=cutter.bit_depth)):
            self.shapes.append(source.shape)
            for scale, pixels, tile in cutter.run_tiles(source):
                self.places.append((index, (scale, tile.row, tile.column)))
                if self._pixels is not None:
                    self._pixels.append(pixels.copy())
                    held += pixels.nbytes
                    self._pixels = self._pixels if held <= memory else None
        if not self.places:
            raise TilingError("no tile to fit on: the region of interest or skip_flat leaves none")

    def of(
        self, images: Collection[int], *, place: Place | None = None, most: int | None = None, seed: int = 0
    ) -> Sequence[NDArray[Any]]:
        """Return the tiles of some images, in order: all, those of one place, or a random choice of at most `most`."""
        chosen = set(images)
        found = [index for index, (image, at) in enumerate(self.places) if image in chosen and place in (None, at)]
        if most is not None and len(found) > most:
            kept = np.random.default_rng(seed).choice(len(found), most, replace=False)
            found = [found[index] for index in np.sort(kept)]
        if self._pixels is not None:
            return [self._pixels[index] for index in found]
        return LazyTiles(self._cutter, self._images, [self.places[index] for index in found])


class LazyTiles(Sequence[NDArray[Any]]):
    """Tiles of images that are not in memory: one is held at a time.

    Reading them in order decodes each image once, and one that is read by windows is never held whole; going back
    begins with the image anew.
    """

    def __init__(self, cutter: Cutter, images: Sequence[Image], places: Sequence[tuple[int, Place]]) -> None:
        self._cutter, self._images, self._places = cutter, images, places
        self._source: tuple[int, Source] | None = None  # the image that is open
        self._tiles: Iterator[tuple[int, NDArray[Any], Tile]] = iter(())  # those of it that are still to come
        self._last: tuple[tuple[int, Place], NDArray[Any]] | None = None

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> LazyTiles: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | LazyTiles:
        if isinstance(index, slice):
            return LazyTiles(self._cutter, self._images, self._places[index])
        wanted = self._places[index]
        if self._last is None or self._last[0] != wanted:
            self._last = wanted, self._find(*wanted)
        return self._last[1]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for index in range(len(self)):
            yield self[index]

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_source": None, "_tiles": iter(()), "_last": None}

    def _find(self, image: int, place: Place) -> NDArray[Any]:
        """Return the tile at a place: one that is still to come, or from the image's beginning."""
        if self._source is None or self._source[0] != image:
            if self._source is not None:
                self._source[1].close()
            self._source = image, open_image(self._images[image], bit_depth=self._cutter.bit_depth)
            self._tiles = iter(())
        for tiles in (self._tiles, self._cutter.run_tiles(self._source[1])):
            self._tiles = tiles
            for scale, pixels, tile in tiles:
                if (scale, tile.row, tile.column) == place:
                    return pixels
        raise ImageError(f"{self._source[1].name} has changed since its tiles were listed: one at {place} is missing")
