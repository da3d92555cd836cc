"""The tiles that detectors are fitted on: in memory while they are few, else cut again whenever they are asked for."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.tiling.cut import Cutter, Image, open_image, sources
from pyimgano_industrial.tiling.detectors import Place, TilingError

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
    """Tiles of images that are not in memory; reading them in order decodes each image once."""

    def __init__(self, cutter: Cutter, images: Sequence[Image], places: Sequence[tuple[int, Place]]) -> None:
        self._cutter, self._images, self._places = cutter, images, places
        self._open = -1
        self._tiles: dict[Place, NDArray[Any]] = {}

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice) -> LazyTiles: ...
    def __getitem__(self, index: int | slice) -> NDArray[Any] | LazyTiles:
        if isinstance(index, slice):
            return LazyTiles(self._cutter, self._images, self._places[index])
        image, place = self._places[index]
        if image != self._open:
            self._tiles = {}
            with open_image(self._images[image], bit_depth=self._cutter.bit_depth) as source:
                for scale, pixels, tile in self._cutter.run_tiles(source):
                    self._tiles[scale, tile.row, tile.column] = pixels
            self._open = image
        return self._tiles[place]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for index in range(len(self)):
            yield self[index]
