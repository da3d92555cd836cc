"""What noise, sharpness, compression and glare an image has, from pieces of it at its own resolution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.presets.pixels import FULL_SCALE, Image, luma, small, to_float

_PIECES = 4  # on a side
_PIECE = 64  # pixels on a side, a multiple of a JPEG block
_BLOCK = 8
_EPS = 1 / 4096
# Laplacian difference mask, whose response to a plane and to an edge along its axes is 0.
_MASK = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
_NOISE_IN_DETAIL = 0.84  # standard deviation of white noise that is left after its blur by 1 pixel is taken off


def noise_level(image: Image) -> float:
    """Return the standard deviation of the noise in the luma, as a part of full scale.

    The lower quartile over pieces of the image: texture counts as noise, and flat pieces show least of it. Pieces that
    are black or saturated are left out; an image of nothing else has noise 0.
    Immerkaer, Fast Noise Variance Estimation, 1996.
    """
    import cv2

    found = []
    for piece in _pieces(image):
        if min(piece.shape) >= 3 and 0.02 < piece.mean() < 0.97:
            response = cv2.filter2D(piece, -1, _MASK)[1:-1, 1:-1]
            found.append(np.sqrt(np.pi / 2) / 6 * np.abs(response).mean())
    return float(np.quantile(found, 0.25)) if found else 0.0


def detail_level(image: Image, *, sigma: float = 1.0, amount: float = 0.0) -> float:
    """Return the mean absolute difference between the luma and its blur by `sigma` pixels, as a part of full scale.

    amount: of an unsharp mask with that blur, applied before.
    """
    levels = []
    for piece in _pieces(image):
        detail = piece - _blur(piece, sigma)
        if amount:
            detail += amount * (detail - _blur(detail, sigma))
        levels.append(np.abs(detail).mean())
    return float(np.mean(levels))


def sharpness(image: Image, *, noise: float | None = None) -> float:
    """Return log2 of fine contrast (below 1 pixel) over middling contrast (1 to 4 pixels): exposure leaves it as it is.

    noise: as `noise_level` gives it, is taken off the fine contrast; None measures it.
    """
    level = noise_level(image) if noise is None else noise
    fine = middling = 0.0
    for piece in _pieces(image):
        once, wide = _blur(piece, 1.0), _blur(piece, 4.0)
        fine += max(float(np.square(piece - once).mean()) - (_NOISE_IN_DETAIL * level) ** 2, 0.0)
        middling += float(np.square(once - wide).mean())
    return float(0.5 * np.log2((fine + _EPS**2) / (middling + _EPS**2)))


def blockiness(image: Image) -> float:
    """Return log2 of the mean step across the borders of 8 x 8 blocks over that elsewhere: 0 without compression.

    Wang, Bovik and Evans, Blind Measurement of Blocking Artifacts in Images, 2000, in space.
    """
    border = inner = 0.0
    for piece in _pieces(image):
        for axis in (0, 1):
            steps = np.abs(np.diff(piece, axis=axis)).mean(axis=1 - axis)
            at_border = np.arange(len(steps)) % _BLOCK == _BLOCK - 1
            if at_border.any():
                border += float(steps[at_border].mean())
                inner += float(steps[~at_border].mean())
    return float(np.log2((border + _EPS) / (inner + _EPS)))


def glare_share(image: Image, *, level: float = 0.98) -> float:
    """Return the share of pixels whose every channel is at or above `level`, both 0..1, from a regular sample."""
    height, width = image.shape[:2]
    sample = image[:: max(1, height // 512), :: max(1, width // 512)]
    bright = sample >= level * FULL_SCALE[f"{image.dtype}"]
    return float((bright if image.ndim == 2 else bright.all(axis=2)).mean())


def thumbnail(image: Image, *, side: int) -> NDArray[np.float32]:
    """Return an image as `side` x `side` cells of parts of full scale, (side, side, C), whatever its size."""
    import cv2

    cells = small(image, side=side)
    if cells.shape[:2] != (side, side):
        cells = cv2.resize(cells, (side, side), interpolation=cv2.INTER_LINEAR)
    return cells.reshape(side, side, -1)


def _pieces(image: Image) -> Iterator[NDArray[np.float32]]:
    """Yield the luma of pieces on a regular grid, which begin where a block begins."""
    rows, columns = (_starts(length) for length in image.shape[:2])
    for top in rows:
        for left in columns:
            yield luma(to_float(np.ascontiguousarray(image[top : top + _PIECE, left : left + _PIECE])))


def _starts(length: int) -> list[int]:
    last = max(0, length - _PIECE)
    return sorted({int(place) // _BLOCK * _BLOCK for place in np.linspace(0, last, _PIECES)})


def _blur(piece: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    import cv2

    blurred: NDArray[np.float32] = cv2.GaussianBlur(piece, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
    return blurred
