"""Images worked on in bands of rows, so that float copies stay small: with overlap, made smaller, made larger."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.presets.pixels import Image, from_float, strips, to_float

Parts = NDArray[np.float32]


def overlapping(image: Image, *, halo: int) -> Iterator[tuple[slice, slice, slice]]:
    """Yield (rows to read, which of them to keep, the same rows in the image): `halo` more on either side are read."""
    height = image.shape[0]
    size = max(next(strips(image)).stop, 8 * halo)
    for first in range(0, height, size):
        last = min(first + size, height)
        top = max(0, first - halo)
        yield slice(top, min(height, last + halo)), slice(first - top, last - top), slice(first, last)


def in_bands(image: Image, change: Callable[[Parts], Parts], *, halo: int) -> Image:
    """Return `change` of an image's parts of full scale, which needs `halo` rows around each to make it."""
    result = np.empty_like(image)
    for read, keep, write in overlapping(image, halo=halo):
        result[write] = from_float(change(to_float(image[read]))[keep], image.dtype)
    return result


def reduced(image: Image, parts: Callable[[Image], Parts], size: tuple[int, int]) -> Parts:
    """Return the means of `parts` of an image on (h, w) cells, as cv2.resize's INTER_AREA weighs pixels."""
    import cv2

    (rows, columns), height = size, image.shape[0]
    cells = np.zeros((rows, columns, *image.shape[2:]), np.float32)
    edges = np.arange(rows + 1) * (height / rows)
    for strip in strips(image):
        band = parts(image[strip])
        narrow = cv2.resize(band, (columns, len(band)), interpolation=cv2.INTER_AREA)
        first = int(strip.start * rows / height)
        last = min(rows, int(np.ceil(strip.stop * rows / height)))
        at = np.arange(strip.start, strip.stop)
        covered = np.minimum(edges[first + 1 : last + 1, None], at + 1) - np.maximum(edges[first:last, None], at)
        weights = (np.clip(covered, 0, 1) * (rows / height)).astype(np.float32)
        cells[first:last] += (weights @ narrow.reshape(len(band), -1)).reshape(last - first, *cells.shape[1:])
    return cells


def halved(image: Image, parts: Callable[[slice], Parts]) -> Iterator[tuple[slice, Parts]]:
    """Yield what cv2.pyrDown makes of `parts`, rows of something of an image's size: (rows of the result, result)."""
    import cv2

    height = image.shape[0]
    size = max(1, next(strips(image)).stop // 8)  # `parts` make several copies
    for start in range(0, (height + 1) // 2, size):
        stop = min(start + size, (height + 1) // 2)
        first = max(0, 2 * start - 2)  # even, so that the band's rows fall together with the image's
        band = parts(slice(first, min(height, 2 * stop + 1)))
        yield slice(start, stop), cv2.pyrDown(band)[start - first // 2 :][: stop - start]


class Enlarged:
    """Cells (h, w) or (h, w, C) interpolated to a larger size as cv2.resize's INTER_LINEAR does, rows at a time."""

    def __init__(self, cells: Parts, size: tuple[int, ...]) -> None:
        rows, height = cells.shape[0], size[0]
        self._cells, self._width = cells, size[1]
        places = np.clip((np.arange(height) + 0.5) * (rows / height) - 0.5, 0, rows - 1)
        self._lower = places.astype(np.intp)
        self._upper = np.minimum(self._lower + 1, rows - 1)
        self._share = (places - self._lower).astype(np.float32).reshape(-1, *(1,) * (cells.ndim - 1))

    def __getitem__(self, strip: slice) -> Parts:
        import cv2

        lower, upper = self._lower[strip], self._upper[strip]
        first = lower[0]
        cells = self._cells[first : upper[-1] + 1]
        wide = cv2.resize(cells, (self._width, len(cells)), interpolation=cv2.INTER_LINEAR)
        wide = wide.reshape(len(cells), self._width, *cells.shape[2:])
        factor: Parts = wide[lower - first]
        factor += self._share[strip] * (wide[upper - first] - factor)
        return factor


def blur_radius(sigma: float) -> int:
    """Return how far cv2.GaussianBlur of float32 looks."""
    return (int(np.rint(8 * sigma + 1)) | 1) // 2
