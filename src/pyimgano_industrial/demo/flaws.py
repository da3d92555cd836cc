"""Structural flaws, painted into a tile that shows one compartment."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.demo.relief import Plane

Tile = NDArray[np.float32]
Rng = np.random.Generator

_BRIGHTEST = 215  # what the regular lighting can still show without clipping
_FAINTEST = 0.12  # blending below this share would not be seen, so it is not painted


def scratch(tile: Tile, part: Plane, rng: Rng, scale: float) -> Tile:
    """A bright line of 60 to 400 pixels, 3 to 8 wide, with a dark lip; it stays on the part."""
    import cv2

    length, width = _log_uniform(rng, 60, 400) * scale, max(1, round(rng.uniform(3, 8) * scale))
    along = np.linspace(-0.5, 0.5, 24) * length
    across = rng.uniform(-0.12, 0.12) * length * (4 * (along / length) ** 2 - 1)
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    line = np.stack([along, across], axis=1) @ turn + _spot_on(part, rng, margin=10 * scale)
    lip = max(1.0, 2 * scale)
    for offset, change in ((lip, -55), (0.0, 75)):
        drawn = np.zeros(part.shape, np.uint8)
        cv2.polylines(drawn, [np.rint((line + offset) * 16).astype(np.int32)], False, 255, width, cv2.LINE_AA, 4)
        tile = _blend(tile, tile + change, drawn / np.float32(255) * (part > 0.9))
    return tile


def dent(tile: Tile, part: Plane, rng: Rng, scale: float) -> Tile:
    """A round dent of 8 to 60 pixels radius: its wall is bright towards the lamp's far side, dark at the near one."""
    radius = max(1.5, _log_uniform(rng, 8, 60) * scale)
    right, down = _offsets(part, _spot_on(part, rng, margin=radius))
    bowl = np.exp(-((right**2 + down**2) / radius**2))
    slope = (0.63 * right + 0.77 * down) / radius * bowl
    depth = np.where(bowl > 0.15, 150 * slope - 35 * bowl, 0) * (part > 0.9)
    return _finish(tile, tile + depth[..., None])


def contamination(tile: Tile, part: Plane, rng: Rng, scale: float) -> Tile:
    """An oily stain of 8 to 80 pixels radius, or a fibre, on the part or beside it."""
    import cv2

    if rng.random() < 0.35:
        heading = rng.uniform(0, 6.3) + np.cumsum(np.cumsum(rng.normal(0, 0.05, 40)))
        points = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) * (4.5 * scale)
        line = points - points.mean(axis=0) + _spot_on(part, rng, margin=20 * scale)
        drawn = np.zeros(part.shape, np.uint8)
        width = max(1, round(4 * scale))
        cv2.polylines(drawn, [np.rint(line * 16).astype(np.int32)], False, 255, width, cv2.LINE_AA, 4)
        return _blend(tile, np.full_like(tile, (24, 24, 30)), drawn / np.float32(255))
    radius = max(1.5, _log_uniform(rng, 8, 80) * scale)
    right, down = _offsets(part, _spot_on(part, rng, margin=0))
    angle = np.arctan2(down, right)
    outline = 1 + sum(rng.uniform(-0.22, 0.22) / k * np.cos(k * angle + rng.uniform(0, 6.3)) for k in range(2, 7))
    cover = np.clip((radius * outline - np.hypot(right, down)) / max(1.0, 3 * scale), 0, 1) * 0.85
    return _blend(tile, tile * (0.42, 0.36, 0.25), cover)


def chip(part: Plane, rng: Rng, scale: float) -> Plane:
    """Return the share of the part that a chipped edge leaves: a jagged bite of 12 to 70 pixels radius is 0.

    part: (S, S) float32 coverage. Returns (S, S) float32, 0..1.
    """
    import cv2

    radius = max(1.5, _log_uniform(rng, 12, 70) * scale)
    inside = (part > 0.5).astype(np.uint8)
    outer = max(cv2.findContours(inside, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0], key=len)
    right, down = _offsets(part, outer[rng.integers(len(outer)), 0].astype(np.float64))
    angle = np.arctan2(down, right)
    jagged = 1 + sum(rng.uniform(-0.15, 0.15) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (3, 5, 8))
    return np.clip(np.hypot(right, down) - radius * jagged + 0.5, 0, 1).astype(np.float32)


SURFACE_FLAWS: dict[str, Callable[[Tile, Plane, Rng, float], Tile]] = {
    "scratch": scratch,
    "dent": dent,
    "contamination": contamination,
}


def _blend(tile: Tile, other: NDArray[np.floating], share: NDArray[np.floating]) -> Tile:
    visible = np.where(share < _FAINTEST, 0, share)[..., None]
    return _finish(tile, tile + (other - tile) * visible)


def _finish(tile: Tile, flawed: NDArray[np.floating]) -> Tile:
    seen: Tile = np.clip(flawed, 0, np.maximum(tile, _BRIGHTEST))
    return seen.astype(np.float32)


def _spot_on(part: Plane, rng: Rng, *, margin: float) -> NDArray[np.float64]:
    """Return (x, y) of a random pixel of the part, at least `margin` from its edge where it is that wide."""
    import cv2

    depth = cv2.distanceTransform((part > 0.9).astype(np.uint8), cv2.DIST_L2, 3)
    y, x = np.nonzero(depth > min(margin, 0.7 * float(depth.max())))
    chosen = rng.integers(len(x))
    return np.array([x[chosen], y[chosen]], np.float64)


def _offsets(part: Plane, centre: NDArray[np.float64]) -> tuple[Plane, Plane]:
    rows, columns = part.shape
    right, down = np.meshgrid(np.arange(columns) - centre[0], np.arange(rows) - centre[1])
    return right.astype(np.float32), down.astype(np.float32)


def _log_uniform(rng: Rng, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))
