"""Images that a data set holds twice: found by content, or by a thumbnail that is too like another.

The rule for near-duplicates: with d(a, b) the root-mean-square difference of two 64 x 64 grey thumbnails, a test image
is a near-duplicate when its distance to the nearest training image is below a quarter of the median distance between
a training image and its own nearest training neighbour. So a rigid setup, whose images are all alike, is not accused.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

THUMBNAIL = 64
SHARE_OF_MEDIAN = 0.25
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class Twin:
    """A query's nearest reference: their positions, and their distance in grey levels 0..255."""

    query: int
    reference: int
    distance: float


def thumbnail(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return the grey 64 x 64 thumbnail of an (H, W, 3) image, as (4096,) float32 means of areas in 0..255."""
    rows, columns = (_bands(length) for length in rgb.shape[:2])
    sums = np.stack([rgb[first:end].sum(axis=0, dtype=np.uint32) for first, end in rows]).sum(axis=2)
    means = [sums[:, first:end].sum(axis=1) / (3 * (end - first)) for first, end in columns]
    heights = np.array([end - first for first, end in rows])
    grey: NDArray[np.float32] = (np.stack(means, axis=1) / heights[:, None]).astype(np.float32).ravel()
    return grey


def _bands(length: int) -> list[tuple[int, int]]:
    """Cut a length into THUMBNAIL bands of one pixel or more; a shorter length repeats pixels."""
    edges = [position * length // THUMBNAIL for position in range(THUMBNAIL + 1)]
    return [(first, max(end, first + 1)) for first, end in pairwise(edges)]


def nearest(
    queries: NDArray[np.float32], references: NDArray[np.float32], *, same: bool = False
) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the position of each query's nearest reference, (N,), and its distance in grey levels, (N,).

    queries: (N, D); references: (M, D), M >= 1, or M >= 2 where `same` says that they are the queries, and an image
    is no neighbour of itself.
    """
    centre = references.mean(axis=0, dtype=np.float64)
    wide = references - centre
    lengths = np.einsum("md,md->m", wide, wide)
    found, distances = [], []
    for start in range(0, len(queries), _ROWS_AT_ONCE):
        block = queries[start : start + _ROWS_AT_ONCE] - centre
        squares = lengths - 2 * block @ wide.T + np.einsum("nd,nd->n", block, block)[:, None]
        if same:
            squares[np.arange(len(block)), start + np.arange(len(block))] = np.inf
        found.append(squares.argmin(axis=1))
        distances.append(np.sqrt(np.maximum(squares.min(axis=1), 0) / wide.shape[1]))
    return np.concatenate(found), np.concatenate(distances)


def near_twins(test: NDArray[np.float32], train: NDArray[np.float32]) -> tuple[list[Twin], float]:
    """Return the test thumbnails that are near-duplicates of training ones, and the limit in grey levels.

    test: (N, 4096), train: (M, 4096). Fewer than two training images give no limit: nothing is near then.
    """
    if len(train) < 2 or not len(test):
        return [], 0.0
    limit = SHARE_OF_MEDIAN * float(np.median(nearest(train, train, same=True)[1]))
    positions, distances = nearest(test, train)
    twins = [
        Twin(query, reference, round(distance, 3))
        for query, (reference, distance) in enumerate(zip(positions.tolist(), distances.tolist(), strict=True))
        if distance < limit
    ]
    return twins, limit
