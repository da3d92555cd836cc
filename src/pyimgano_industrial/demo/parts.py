"""The machined parts of the demo's tray: height fields, shaded once and kept as sprites."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pyimgano_industrial.demo.relief import Plane, bevel, box, coverage, shade

CANVAS = 540  # the side of a sprite, in pixels of the full-size scene; every length below is in such pixels


@dataclass(frozen=True)
class Sprite:
    """One part seen from above.

    rgba: (S, S, 4) float32, RGB 0..190 times coverage, and the coverage, 0..1.
    shadow: (S, S) float32, 0..1, the share of the floor's light that the part takes away.
    """

    rgba: Plane
    shadow: Plane

    @property
    def alpha(self) -> Plane:
        """The part's coverage, (S, S) float32, 0..1."""
        return self.rgba[..., 3]


@dataclass(frozen=True)
class _Relief:
    """distance: to the outline, negative inside. height: of the surface. grain: relative brightness of the finish."""

    distance: Plane
    height: Plane
    colour: tuple[int, int, int]
    grain: Plane | float = 0.0


@lru_cache(maxsize=64)
def sprite(name: str, scale: float) -> Sprite:
    """Return the part `name`, one of PARTS, on a canvas of round(540 * scale) pixels a side."""
    side = round(CANVAS * scale)
    axis = ((np.arange(side) - (side - 1) / 2) / scale).astype(np.float32)
    relief = _PAINTERS[name](*np.meshgrid(axis, axis))
    alpha = coverage(relief.distance * scale)
    rgb = shade(relief.height * scale, np.array(relief.colour, np.float32), relief.grain)
    return Sprite(np.dstack([rgb * alpha[..., None], alpha]), _shadow(alpha, scale))


def _shadow(alpha: Plane, scale: float) -> Plane:
    import cv2

    offset = max(1, round(10 * scale))
    soft = cv2.GaussianBlur(np.roll(alpha, (offset, offset), (0, 1)), (0, 0), 6 * scale) * 0.5
    return np.where(soft < 0.02, 0, soft).astype(np.float32)


def _washer(x: Plane, y: Plane) -> _Relief:
    radius = np.hypot(x, y)
    distance = np.maximum(radius - 192, 88 - radius)
    return _Relief(distance, bevel(distance, 9), (150, 153, 156), _turned(x, y))


def _bolt(x: Plane, y: Plane) -> _Relief:
    """A hexagon bolt lying on its side, head up: three facets, a shank, a thread on its lower part."""
    head = box(x, y + 158, 92, 48, 10)
    shank = box(x, y - 50, 44, 172, 14)
    facets = 26 * np.clip(1.6 - np.abs(x) / 58, 0, 1)
    cylinder = 0.8 * np.sqrt(np.clip(44**2 - x**2, 0, None))
    thread = np.where(y > 20, 2.2 * np.sin((y + 0.12 * x) * (2 * np.pi / 17)), 0)
    height = np.where(head < 0, 40 + facets + bevel(head, 6), np.where(shank < 0, cylinder + thread, 0))
    return _Relief(np.minimum(head, shank), height.astype(np.float32), (150, 146, 128))


def _plug(x: Plane, y: Plane) -> _Relief:
    """A moulded red plug: a rim, two ribs and a dished centre with a cross slot."""
    radius = np.hypot(x, y)
    distance = radius - 172
    ribs = 7 * np.exp(-(((radius - 128) / 9) ** 2)) + 7 * np.exp(-(((radius - 96) / 9) ** 2))
    dish = -14 * np.clip(1 - (radius / 74) ** 2, 0, None)
    slot = np.minimum(box(x, y, 50, 8, 3), box(x, y, 8, 50, 3))
    height = bevel(distance, 16) + ribs + dish + 8 * np.clip(slot / 6, -1, 0)
    return _Relief(distance, height, (168, 52, 44))


def _nut(x: Plane, y: Plane) -> _Relief:
    """A chamfered brass hexagon nut with a threaded bore."""
    radius = np.hypot(x, y)
    hexagon = np.maximum(np.abs(x), 0.5 * np.abs(x) + 0.866 * np.abs(y)) - 158
    distance = np.maximum(hexagon, 84 - radius)
    chamfer = np.clip(172 - radius, -26, 0) * 0.6
    bore = np.clip((radius - 84) / 22, 0, 1) * 15 + 1.2 * np.sin(radius * 1.1) * (radius < 106)
    return _Relief(distance, bevel(hexagon, 5) + chamfer + bore, (178, 140, 66), _turned(x, y))


def _gear(x: Plane, y: Plane) -> _Relief:
    """A spur gear of 24 teeth with a raised hub and a keyway."""
    radius = np.hypot(x, y)
    teeth = np.clip(1.8 * np.cos(24 * np.arctan2(y, x)), -1, 1)
    rim = radius - 184 - 16 * teeth
    bore = np.maximum(52 - radius, -box(x, y + 54, 11, 20, 2))
    distance = np.maximum(rim, np.maximum(52 - radius, -box(x, y + 52, 12, 18, 2)))
    hub = 12 * np.clip((96 - radius) / 8, 0, 1)
    groove = -10 * np.clip(1 - np.abs(radius - 126) / 16, 0, 1)
    height = bevel(rim, 7) + hub + groove + bevel(bore, 5)
    return _Relief(distance, height, (132, 136, 144), _turned(x, y))


def _bracket(x: Plane, y: Plane) -> _Relief:
    """A brushed aluminium plate with four holes and a slot off its centre."""
    plate = box(x, y, 212, 150, 26)
    holes = [np.hypot(np.abs(x) - 160, np.abs(y) - 102) - 24, box(x + 26, y - 14, 78, 20, 20)]
    distance = np.maximum(plate, -np.minimum(*holes))
    return _Relief(distance, bevel(distance, 6), (164, 166, 168), _brushed(x))


def _turned(x: Plane, y: Plane) -> Plane:
    """The sheen of a face turned on a lathe: two bright and two dark sectors, and fine rings."""
    sectors = 0.13 * np.cos(2 * np.arctan2(y, x) - 1.6)
    rings = 0.025 * np.sin(np.hypot(x, y) * 0.9)
    return (sectors + rings).astype(np.float32)


def _brushed(x: Plane) -> Plane:
    import cv2

    streaks = np.random.default_rng(7).standard_normal(x.shape).astype(np.float32)
    brushed: Plane = cv2.GaussianBlur(streaks, (0, 0), sigmaX=x.shape[1] / 9, sigmaY=0.8)
    return brushed * np.float32(0.5)


_PAINTERS: dict[str, Callable[[Plane, Plane], _Relief]] = {
    "washer": _washer,
    "bolt": _bolt,
    "plug": _plug,
    "nut": _nut,
    "gear": _gear,
    "bracket": _bracket,
}
PARTS = tuple(_PAINTERS)  # in the order of the tray's compartments, row by row
