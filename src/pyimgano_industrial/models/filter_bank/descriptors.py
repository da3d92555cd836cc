"""Dense local descriptors: what colour, contrast, edges and detail are like around each cell of a grid.

Colour is CIE Lab. Contrast is the local standard deviation of each channel. Edges are gradient magnitudes divided among
eight orientations, as in histograms of oriented gradients (Dalal and Triggs, CVPR 2005) and pooled over Gaussian
windows as in DAISY (Tola, Lepetit and Fua, PAMI 2010). Detail is the mean magnitude of the Laplacian. Each is seen
through three windows, so that a cell knows its surroundings (energies of a filter bank, Leung and Malik, IJCV 2001).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

CELL = 4  # pixels of the working image along a side of a cell
ORIENTATIONS = 8
WINDOWS = (0.7, 1.5, 3.0)  # standard deviations in cells
CHANNELS = len(WINDOWS) * (3 + 3 + ORIENTATIONS + 1)
_SMALLEST = 8  # cells along a side


def grid_shape(height: int, width: int, *, side: int) -> tuple[int, int]:
    """Return the rows and columns of cells of an image that is worked on at about `side` x `side` pixels.

    The area is that of the square, the aspect ratio the image's own.

    >>> grid_shape(1024, 1024, side=256), grid_shape(500, 2000, side=256)
    ((64, 64), (32, 128))
    """
    scale = side / math.sqrt(height * width) / CELL
    return max(_SMALLEST, round(height * scale)), max(_SMALLEST, round(width * scale))


def describe(image: NDArray[np.uint8], *, side: int) -> Floats:
    """Return the descriptors (rows, columns, CHANNELS) float32 of an image (H, W, 3) uint8 RGB."""
    import cv2

    rows, columns = grid_shape(image.shape[0], image.shape[1], side=side)
    size = columns * CELL, rows * CELL
    shrinks = size[0] * size[1] <= image.shape[0] * image.shape[1]
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    lightness = np.ascontiguousarray(lab[..., 0])
    mean, square = _cells(lab), _cells(lab * lab)
    edges = _edges(lightness)
    detail = _cells(np.abs(cv2.Laplacian(lightness, cv2.CV_32F)))[..., None]
    parts = []
    for window in WINDOWS:
        colour = _blurred(mean, window)
        contrast = np.sqrt(np.maximum(_blurred(square, window) - colour * colour, 0))
        parts += [colour, *(np.log1p(one) for one in (contrast, _blurred(edges, window), _blurred(detail, window)))]
    described: Floats = np.concatenate(parts, axis=2)
    return described


def _edges(lightness: Floats) -> Floats:
    """Return the mean gradient magnitude of each orientation in each cell, linearly divided among neighbours."""
    import cv2

    across, down = (cv2.Scharr(lightness, cv2.CV_32F, *order) / 32 for order in ((1, 0), (0, 1)))
    magnitude, angle = cv2.cartToPolar(across, down)
    angle = np.mod(angle, np.float32(np.pi)) * np.float32(ORIENTATIONS / np.pi)
    shares = []
    for orientation in range(ORIENTATIONS):
        apart = np.abs(angle - orientation)
        apart = np.minimum(apart, ORIENTATIONS - apart)
        shares.append(_cells(np.maximum(1 - apart, 0) * magnitude))
    edges: Floats = np.stack(shares, axis=2)
    return edges


def _cells(pixels: Floats) -> Floats:
    """Return the mean of each cell."""
    import cv2

    size = pixels.shape[1] // CELL, pixels.shape[0] // CELL
    means: Floats = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return means


def _blurred(cells: Floats, window: float) -> Floats:
    """Return channels averaged over a Gaussian window; OpenCV takes any number of them."""
    import cv2

    blurred: Floats = cv2.GaussianBlur(cells, (0, 0), window).reshape(cells.shape)
    return blurred


def resampled(grid: Floats, shape: tuple[int, int]) -> Floats:
    """Return a grid (rows, columns[, channels]) at another number of rows and columns."""
    import cv2

    if grid.shape[:2] == shape:
        return grid
    flat = grid.reshape(*grid.shape[:2], -1)
    bands = [
        cv2.resize(flat[..., first : first + 4], shape[::-1], interpolation=cv2.INTER_LINEAR).reshape(*shape, -1)
        for first in range(0, flat.shape[2], 4)  # cv2.resize takes four channels everywhere
    ]
    found: Floats = np.concatenate(bands, axis=2).reshape(*shape, *grid.shape[2:])
    return found
