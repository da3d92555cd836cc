"""From similarities to anomaly maps, in numpy: probabilities, windows spread over their patches, scales joined.

Arrays named grids are (N, rows, columns) of patches; scores are higher where more anomalous.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Grids = NDArray[np.float32]

WINCLIP_SCALES = (2, 3)  # patches along a window
WINCLIP_TEMPERATURE = 0.07  # of the paper; a model's own logit scale is another number


def anomaly_probability(similarity: NDArray[np.float32], *, scale: float) -> NDArray[np.float32]:
    """Return how much rather a feature is the likeliest defect than the good part, 0..1.

    similarity: (..., classes), cosines to the text features, the good part's first. scale: 1 / temperature.
    With one kind of defect this is the softmax over the two; with more, kinds are not added up, so that naming many
    does not by itself make a part defective.

    >>> anomaly_probability(np.array([0.2, 0.2], np.float32), scale=100).item()
    0.5
    """
    margin = scale * (similarity[..., 0] - similarity[..., 1:].max(axis=-1))
    probability: NDArray[np.float32] = (1 / (1 + np.exp(np.clip(margin, -80, 80)))).astype(np.float32)
    return probability


def windows(grid: tuple[int, int], size: int) -> NDArray[np.int64]:
    """Return the patches of each square window, (windows, size * size), row by row at stride 1.

    >>> windows((2, 3), 2).tolist()
    [[0, 1, 3, 4], [1, 2, 4, 5]]
    """
    rows, columns = grid
    index = np.arange(rows * columns).reshape(rows, columns)
    view = np.lib.stride_tricks.sliding_window_view(index, (size, size))
    return view.reshape(-1, size * size)


def spread(scores: NDArray[np.float32], *, grid: tuple[int, int], size: int) -> Grids:
    """Return each patch's harmonic mean over the windows that cover it; scores: (N, windows) as `windows` orders them.

    A window that scores 0 makes its patches 0: the harmonic mean believes the window that sees nothing.
    """
    rows, columns = grid
    shape = (len(scores), rows - size + 1, columns - size + 1)
    with np.errstate(divide="ignore"):
        inverse = (1 / scores.astype(np.float64)).reshape(shape)
    total, count = np.zeros((len(scores), rows, columns)), np.zeros((rows, columns))
    for row in range(size):
        for column in range(size):
            part = np.s_[row : row + shape[1], column : column + shape[2]]
            total[(..., *part)] += inverse
            count[part] += 1
    mean: Grids = (count / total).astype(np.float32)
    return mean


def join_scales(grids: Sequence[Grids]) -> Grids:
    """Return the harmonic mean of scales, as WinCLIP joins them."""
    with np.errstate(divide="ignore"):
        joined: Grids = (len(grids) / np.sum([1 / grid.astype(np.float64) for grid in grids], axis=0)).astype(
            np.float32
        )
    return joined


def to_image(grid: Grids, anomaly_map: NDArray[np.float32]) -> None:
    """Write a grid (rows, columns) that covers the whole image to a map (height, width), linear between patches."""
    import cv2

    height, width = anomaly_map.shape
    cv2.resize(grid, (width, height), dst=anomaly_map, interpolation=cv2.INTER_LINEAR)
