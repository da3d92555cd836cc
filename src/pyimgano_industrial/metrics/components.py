"""The connected components of a mask, each the pixels of one defect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_PARTS = 16  # a mask in more parts is looked at as a whole


def components(mask: NDArray[np.bool_]) -> Iterator[NDArray[np.intp]]:
    """Yield the pixels of each 8-connected component, (N,) places in the flattened mask (H, W).

    Defects that empty rows or columns divide are labelled part by part, which spares most of the pixels.
    """
    import cv2

    for box in _boxes(mask):
        labels = cv2.connectedComponents(mask[box].astype(np.uint8), connectivity=8)[1]
        y, x = np.nonzero(labels)
        numbers = labels[y, x]
        order = np.argsort(numbers, kind="stable")
        places = ((y + box[0].start) * mask.shape[1] + x + box[1].start)[order]
        yield from np.split(places, np.cumsum(np.bincount(numbers)[1:-1]))


def _boxes(mask: NDArray[np.bool_]) -> Iterator[tuple[slice, slice]]:
    for rows in _runs(np.any(mask, axis=1)):
        for columns in _runs(np.any(mask[rows], axis=0)):
            yield rows, columns


def _runs(held: NDArray[Any]) -> list[slice]:
    """Return where lines that hold anything follow one another; as one where these are many."""
    edges = np.flatnonzero(np.diff(held, prepend=False, append=False)).tolist()
    if len(edges) > 2 * _MOST_PARTS:
        return [slice(edges[0], edges[-1])]
    return [slice(start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True)]
