"""The lamp and the sensor: lightings as in MVTec AD 2, and noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import UnknownNameError, closest


@dataclass(frozen=True)
class Lighting:
    """gain: overall brightness. slope: relative change from the centre to the right and bottom edges. tint: RGB."""

    gain: float
    slope: tuple[float, float]
    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)


LIGHTINGS = {
    # The regular gain is at least 1 everywhere and nothing clips: two colours that differ stay different.
    "regular": Lighting(1.09, (0.03, -0.03)),
    "underexposed": Lighting(0.6, (0.03, -0.03)),
    "overexposed": Lighting(1.6, (0.03, -0.03)),
    "shift_1": Lighting(1.0, (-0.4, 0.05)),
    "shift_2": Lighting(1.0, (0.05, 0.35), (1.1, 1.0, 0.85)),
}

_STRIP = 64  # rows
_SPARE = 1_000_000  # samples of noise beyond one image
_READ_NOISE = 0.9  # grey levels
_SHOT_NOISE = 0.006  # grey levels per grey level: about what an 8-bit sensor shows between dark and bright


def expose(
    surface: NDArray[np.uint8], *, lighting: str = "regular", flicker: float = 0.0, noise_seed: int | None = None
) -> NDArray[np.uint8]:
    """Photograph a surface.

    surface: (H, W, 3) uint8 RGB reflectance. flicker: relative change of the lamp, -0.01..0.01.
    noise_seed: None for a camera without noise.
    Returns (H, W, 3) uint8 RGB; raises UnknownNameError for a lighting that is not in LIGHTINGS.
    """
    if lighting not in LIGHTINGS:
        raise UnknownNameError(f"unknown lighting {lighting!r}; {closest(lighting, LIGHTINGS)}")
    lamp, (height, width) = LIGHTINGS[lighting], surface.shape[:2]
    right = np.linspace(-lamp.slope[0], lamp.slope[0], width)
    down = np.linspace(-lamp.slope[1], lamp.slope[1], height)
    tint = np.array(lamp.tint, np.float32) * np.float32(lamp.gain * (1 + flicker))
    noise = _noise(surface.shape, noise_seed) if noise_seed is not None else None
    exposed = np.empty_like(surface)
    for first in range(0, height, _STRIP):  # strip by strip, in the processor's cache
        rows = slice(first, first + _STRIP)
        light = (1 + right + down[rows, None]).astype(np.float32)
        lit = surface[rows] * (light[..., None] * tint)
        if noise is not None:
            lit += noise[rows] * (lit * np.float32(_SHOT_NOISE) + np.float32(_READ_NOISE))
        exposed[rows] = np.rint(np.clip(lit, 0, 255, out=lit), out=lit)
    return exposed


def _noise(shape: tuple[int, ...], seed: int) -> NDArray[np.float32]:
    """Standard normal noise: a piece of one bank, begun somewhere else for every image."""
    bank = _noise_bank(shape)
    start = int(np.random.default_rng(seed).integers(_SPARE))
    return bank[start : start + len(bank) - _SPARE].reshape(shape)


@lru_cache(maxsize=1)
def _noise_bank(shape: tuple[int, ...]) -> NDArray[np.float32]:
    return np.random.default_rng(0).standard_normal(int(np.prod(shape)) + _SPARE, dtype=np.float32)
