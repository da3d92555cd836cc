"""A line that photographs parts: a red disc with texture on a dark belt, never in quite the same place."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def part(seed: int, *, height: int = 120, width: int = 160, scratch: bool = False) -> NDArray[np.float32]:
    """Return one good part, (H, W, 3) as parts of full scale; scratch: with a bright defect of 2 % of the pixels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    cy, cx = height / 2 + rng.normal(0, 1.5), width / 2 + rng.normal(0, 1.5)
    disc = (np.hypot(y - cy, x - cx) < 0.36 * height).astype(np.float32)
    shade = 1 + 0.15 * np.sin(x / 9) * np.cos(y / 7)
    image = np.where(
        disc[..., None] > 0, np.float32([0.6, 0.25, 0.2]) * shade[..., None], np.float32([0.1, 0.12, 0.14])
    )
    image = image * np.float32(1 + rng.normal(0, 0.01)) + rng.normal(0, 0.008, image.shape).astype(np.float32)
    if scratch:
        image[height // 2 : height // 2 + height // 6, width // 2 : width // 2 + width // 8] = 0.9
    return np.clip(image, 0, 1).astype(np.float32)


def photograph(seed: int, *, dtype: str = "uint8", grey: bool = False, **options: object) -> NDArray[np.generic]:
    """Return a part as the camera stores it."""
    image = part(seed, **options)  # type: ignore[arg-type]
    return stored(image[..., 1] if grey else image, dtype)


def stored(image: NDArray[np.float32], dtype: str = "uint8") -> NDArray[np.generic]:
    """Return parts of full scale as samples of a kind."""
    scale = {"uint8": 255, "uint16": 65535, "float32": 1}[dtype]
    clipped = np.clip(image, 0, 1)
    return clipped.astype(np.float32) if scale == 1 else np.rint(clipped * scale).astype(dtype)
