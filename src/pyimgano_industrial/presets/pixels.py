"""What every step takes and gives back: images of three kinds of sample, with values as parts of full scale."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError

Image = NDArray[Any]  # (H, W) or (H, W, 3), uint8, uint16 or float32 in 0..1
FULL_SCALE: dict[str, float] = {"uint8": 255.0, "uint16": 65535.0, "float32": 1.0}
LUMA = (0.299, 0.587, 0.114)  # ITU-R BT.601
_STRIP = 2**18  # samples that are worked on at a time, in the processor's cache


class PresetError(IndustrialError, ValueError):
    """An image, an option or a chain that a preset cannot work with."""


def check_image(image: Image, *, name: str = "an image") -> None:
    """Raise PresetError unless an image is (H, W) or (H, W, 3) of uint8, uint16 or float32 in 0..1, with pixels.

    uint16 values are parts of 65535; float32 values outside 0..1 are an error, NaN and infinity too.
    """
    kind = getattr(image, "dtype", type(image).__name__)
    if f"{kind}" not in FULL_SCALE or not isinstance(image, np.ndarray):
        raise PresetError(f"samples must be uint8, uint16 or float32 in 0..1; {name} has {kind}: convert it")
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise PresetError(f"an image must be (H, W) or (H, W, 3); {name} has shape {image.shape}: convert it")
    if not image.size:
        raise PresetError(f"an image must have pixels; {name} has shape {image.shape}")
    if image.dtype == np.float32:
        low, high = image.min(), image.max()  # both keep a NaN
        if not (low >= 0 and high <= 1):
            raise PresetError(f"float32 samples must be in 0..1; {name} has {low:g} to {high:g}: divide by full scale")


def check_positive(name: str, value: float, *, most: float = np.inf) -> None:
    """Raise PresetError unless an option is above 0 and at most `most`."""
    if not (0 < value <= most and np.isfinite(value)):
        limit = "" if np.isinf(most) else f" and at most {most:g}"
        raise PresetError(f"{name} must be above 0{limit}; got {value}")


def strips(image: Image) -> Iterator[slice]:
    """Yield the rows of an image in pieces that stay in the processor's cache."""
    rows = max(1, _STRIP // max(1, image.shape[1] * (1 if image.ndim == 2 else image.shape[2])))
    for first in range(0, image.shape[0], rows):
        yield slice(first, min(first + rows, image.shape[0]))


def to_float(image: Image) -> NDArray[np.float32]:
    """Return the samples as parts of full scale, 0..1 float32."""
    scale = np.float32(1 / FULL_SCALE[f"{image.dtype}"])
    parts: NDArray[np.float32] = np.multiply(image, scale, dtype=np.float32)
    return parts


def from_float(parts: NDArray[np.float32], dtype: np.dtype[Any]) -> Image:
    """Return parts of full scale as samples of a kind, rounded and clipped; `parts` may be written over."""
    scale = FULL_SCALE[f"{dtype}"]
    if scale == 1:
        return np.clip(parts, 0, 1, out=parts)
    np.multiply(parts, np.float32(scale), out=parts)
    np.clip(parts, 0, scale, out=parts)
    return np.rint(parts, out=parts).astype(dtype)


def small(image: Image, *, side: int) -> NDArray[np.float32]:
    """Return an image reduced to at most `side` x `side` cells, as parts of full scale: (h, w) or (h, w, 3).

    A cell is the mean of the pixels of a regular sample, at least 4 x 4 of them where the image has as many.
    """
    import cv2

    height, width = image.shape[:2]
    step_y, step_x = max(1, height // (4 * side)), max(1, width // (4 * side))
    sample = np.ascontiguousarray(image[step_y // 2 :: step_y, step_x // 2 :: step_x])
    size = (min(side, sample.shape[1]), min(side, sample.shape[0]))
    cells: NDArray[np.float32] = cv2.resize(to_float(sample), size, interpolation=cv2.INTER_AREA)
    return cells


def luma(parts: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the luma (h, w) of parts (h, w) or (h, w, 3)."""
    grey: NDArray[np.float32] = parts if parts.ndim == 2 else parts @ np.array(LUMA, np.float32)
    return grey
