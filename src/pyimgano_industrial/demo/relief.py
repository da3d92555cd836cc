"""Height fields under a lamp: signed distances, bevels and shading, for the demo's tray and parts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

BRIGHTEST = 190  # of an unflawed surface; leaves room for a bright scratch below 255
_LIGHT_X, _LIGHT_Y = -0.45, -0.55  # the lamp stands to the upper left


def box(x: Plane, y: Plane, half_width: float, half_height: float, corner: float) -> Plane:
    """Signed distance to a rectangle with rounded corners, centred on the origin; negative inside."""
    beyond_x, beyond_y = np.abs(x) - half_width + corner, np.abs(y) - half_height + corner
    outside = np.hypot(np.maximum(beyond_x, 0), np.maximum(beyond_y, 0))
    distance: Plane = outside + np.minimum(np.maximum(beyond_x, beyond_y), 0) - np.float32(corner)
    return distance


def bevel(distance: Plane, width: float) -> Plane:
    """Height of a solid whose rim rises over `width` pixels."""
    return np.minimum(np.maximum(-distance, 0), width) * np.float32(0.7)


def coverage(distance: Plane) -> Plane:
    """Share of each pixel that a shape covers, 0..1, from its signed distance in pixels of this plane."""
    steepness = np.hypot(*np.gradient(distance))  # above 1 where the distance is not a true one
    covered: Plane = np.clip(0.5 - distance / np.maximum(steepness, 1), 0, 1)
    return covered.astype(np.float32)


def shade(height: Plane, colour: NDArray[np.float32], grain: Plane | float = 0.0) -> Plane:
    """Light a height field (pixels of this plane); returns (H, W, 3) float32, 0..190.

    colour: RGB, (3,) or (H, W, 3). grain: relative brightness of the finish.
    """
    down, right = np.gradient(height)
    facing = (1 - right * _LIGHT_X - down * _LIGHT_Y) / np.sqrt(1 + down**2 + right**2)
    diffuse = 0.3 + 0.7 * np.maximum(facing, 0) * (1 + grain)
    highlight = 110 * np.maximum(facing - 1.02, 0)
    lit: Plane = np.clip(diffuse[..., None] * colour + highlight[..., None], 0, BRIGHTEST)
    return lit.astype(np.float32)
