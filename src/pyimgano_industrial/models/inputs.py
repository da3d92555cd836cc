"""What a detector is handed, as RGB images: paths and arrays, grey, with alpha, of 8 or more bits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.core.images import read_rgb, to_uint8

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


def stacked(maps: Sequence[NDArray[np.float32]]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
    """Return maps of one size as one array (N, H, W), others as a list."""
    return np.stack(maps) if len({one.shape for one in maps}) == 1 else list(maps)
