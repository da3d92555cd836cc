"""What a detector is handed, as RGB images: paths and arrays, grey, with alpha, of 8 or more bits; where maps go."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.core.images import read_rgb, to_uint8
from pyimgano_industrial.core.memory import small_pages

RGB = NDArray[np.uint8]


def as_rgb(item: Any) -> RGB:
    """Return (H, W, 3) uint8 RGB from a path, or from an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4).

    Samples of more than 8 bits and floats by the rules of core.images; alpha is left out. Raises ImageError.
    """
    if isinstance(item, (str, PathLike)):
        return read_rgb(str(item))
    pixels = to_uint8(np.asarray(item))
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
        raise ImageError(
            f"an image must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), with pixels; got shape {np.shape(item)}"
        )
    rgb: RGB = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[..., :3]
    return np.ascontiguousarray(rgb)


def batches(images: Iterable[Any], *, size: int) -> Iterator[tuple[list[int], list[RGB]]]:
    """Yield (positions, images) of one shape, at most `size` at a time, decoded as they are needed."""
    waiting: dict[tuple[int, ...], tuple[list[int], list[RGB]]] = {}
    for position, item in enumerate(images):
        image = as_rgb(item)
        positions, group = waiting.setdefault(image.shape, ([], []))
        positions.append(position)
        group.append(image)
        if len(group) == size:
            yield waiting.pop(image.shape)
        elif sum(len(positions) for positions, _ in waiting.values()) >= 4 * size:  # many shapes: none may pile up
            yield waiting.pop(next(iter(waiting)))
    yield from waiting.values()


class KeptMaps:
    """Maps (H, W) float32 by position. Where sizes are equal they lie in one array from the start, never copied.

    count: how many there will be; None where nobody knows yet.
    """

    def __init__(self, count: int | None) -> None:
        self._count = count
        self._stack: NDArray[np.float32] | None = None
        self._apart: dict[int, NDArray[np.float32]] = {}
        self._filled = 0

    def room(self, position: int, size: tuple[int, int]) -> NDArray[np.float32]:
        """Return the (H, W) that the map of that position is to be written to."""
        if self._count is not None and self._stack is None and not self._apart:
            pages = small_pages(self._count * size[0] * size[1] * 4)  # not among what each pass allocates and frees
            self._stack = pages.view(np.float32).reshape(self._count, *size)
        if self._stack is not None and self._stack.shape[1:] == size:
            self._filled += 1
            room: NDArray[np.float32] = self._stack[position]
            return room
        return self._apart.setdefault(position, np.empty(size, np.float32))

    def all(self) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Return maps of one size as one array (N, H, W), others as a list."""
        if self._stack is not None and self._filled == self._count:
            return self._stack
        stack = () if self._stack is None else self._stack
        maps = [self._apart[at] if at in self._apart else stack[at] for at in range(self._filled + len(self._apart))]
        return np.stack(maps) if len({one.shape for one in maps}) == 1 else maps
