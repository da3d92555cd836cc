"""How a whole image of any shape reaches a model of one input size: resized to whole patches, in one view or several.

Nothing is cropped away: the short side becomes the wanted size, the long side follows in proportion, both rounded to
whole patches, so that the grid of patches covers exactly the image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError


class ViewError(IndustrialError, ValueError):
    """An image or a setting that a model's patches cannot cover."""


@dataclass(frozen=True)
class Views:
    """The views of one image size.

    size: (height, width) in pixels after resizing. grid: (rows, columns) of patches over it. view: (rows, columns) of
    one view. offsets: (row, column) of each view's first patch.
    """

    size: tuple[int, int]
    grid: tuple[int, int]
    view: tuple[int, int]
    offsets: tuple[tuple[int, int], ...]

    def merge(self, grids: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (N, *grid) from the views' grids (N, views, *view): a mean that fades towards the views' edges."""
        if len(self.offsets) == 1:
            whole: NDArray[np.float32] = grids[:, 0]
            return whole
        rows, columns = self.view
        weight = np.minimum(_tent(rows)[:, None], _tent(columns))
        total, weights = np.zeros((len(grids), *self.grid)), np.zeros(self.grid)
        for index, (row, column) in enumerate(self.offsets):
            part = np.s_[row : row + rows, column : column + columns]
            total[(..., *part)] += weight * grids[:, index]
            weights[part] += weight
        merged: NDArray[np.float32] = (total / weights).astype(np.float32)
        return merged


def plan(image: tuple[int, int], *, patch: int, short: int, view: tuple[int, int] | None) -> Views:
    """Return the views of an image of (height, width) pixels.

    patch: pixels. short: pixels of the short side after resizing. view: (rows, columns) of patches that the model
    takes, cut with an overlap of at least a quarter; None when it takes any. Raises ViewError for an image smaller than
    a patch.
    """
    height, width = image
    if min(image) < patch:
        raise ViewError(
            f"an image must be at least one patch ({patch} x {patch} pixels) large; got {height} x {width}: "
            f"choose a model of smaller patches, or check the tile size"
        )
    smallest = view or (1, 1)
    rows, columns = (
        max(least, round(side * short / min(image) / patch)) for side, least in zip(image, smallest, strict=True)
    )
    size = (rows * patch, columns * patch)
    if view is None:
        return Views(size, (rows, columns), (rows, columns), ((0, 0),))
    offsets = tuple((row, column) for row in _starts(rows, view[0]) for column in _starts(columns, view[1]))
    return Views(size, (rows, columns), view, offsets)


def _starts(total: int, length: int) -> list[int]:
    """Return evenly spread starts whose pieces overlap by a quarter or more and reach both ends."""
    if total <= length:
        return [0]
    count = -(-(total - length) // max(1, length * 3 // 4)) + 1
    return [round(index * (total - length) / (count - 1)) for index in range(count)]


def _tent(length: int) -> NDArray[np.float64]:
    position = np.arange(length)
    return np.minimum(position + 1, length - position) / length
