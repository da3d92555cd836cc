"""The empty tray on its bench, and where its compartments lie."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.demo.relief import Plane, bevel, box, coverage, shade

HEIGHT, WIDTH = 1536, 2048  # of a full-size scene; every length below is in its pixels
CENTRES = tuple((1024 + 620 * column, 768 + 640 * row - 320) for row in (0, 1) for column in (-1, 0, 1))
HALF_WIDTH, HALF_HEIGHT = 275, 285  # of a compartment

_BENCH = (122, 124, 120)
_BODY = (76, 82, 90)
_FOAM = (38, 62, 92)
_PRINT = (150, 154, 158)


@lru_cache(maxsize=2)
def tray(scale: float) -> NDArray[np.uint8]:
    """Return the empty tray, (1536 * scale, 2048 * scale, 3) uint8 RGB."""
    x, y = np.meshgrid(_axis(WIDTH, scale), _axis(HEIGHT, scale))
    body = box(x, y, 982, 728, 36)
    # One compartment stands for all six: fold the plane onto the nearest centre.
    recess = box(x - 620 * np.clip(np.rint(x / 620), -1, 1), np.abs(y) - 320, HALF_WIDTH, HALF_HEIGHT, 30)
    screws = np.hypot(np.abs(x) - 952, np.abs(y) - 698) - 20
    slots = box(np.abs(x) - 952, np.abs(y) - 698, 13, 3, 1)
    height = bevel(body, 10) - bevel(recess, 14) + bevel(screws, 5) + 4 * np.clip(slots, -1, 0)

    colour = _layer(np.full((*x.shape, 3), _BENCH, np.float32), _BODY, coverage(body * scale))
    colour = _layer(colour, _FOAM, coverage(recess * scale))
    colour = _layer(colour, (150, 150, 146), coverage(screws * scale))
    surface = shade(height * scale, colour, _grain(x.shape, np.where(recess < -14, 0.06, 0.02)))
    return _lettered(np.rint(surface).astype(np.uint8), scale)


def _axis(length: int, scale: float) -> Plane:
    pixels = round(length * scale)
    return ((np.arange(pixels) - (pixels - 1) / 2) / scale).astype(np.float32)


def _layer(below: Plane, colour: tuple[int, int, int], share: Plane) -> Plane:
    return below + (np.array(colour, np.float32) - below) * share[..., None]


def _grain(shape: tuple[int, ...], amount: NDArray[np.floating]) -> Plane:
    import cv2

    speckle = np.random.default_rng(11).standard_normal(shape, dtype=np.float32)
    smooth: Plane = cv2.GaussianBlur(speckle, (0, 0), 1.2)
    return (smooth * 4 * amount).astype(np.float32)


def _lettered(surface: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """Write the number of each compartment above it, as far as the size allows."""
    import cv2

    for number, (x, y) in enumerate(CENTRES, start=1):
        corner = (round((x - HALF_WIDTH + 8) * scale), round((y - HALF_HEIGHT - 8) * scale))
        cv2.putText(surface, str(number), corner, cv2.FONT_HERSHEY_SIMPLEX, 0.8 * scale, _PRINT, 2, cv2.LINE_AA)
    return surface
