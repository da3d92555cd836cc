"""What the metrics accept: maps, masks, limits and thresholds, checked once where they enter."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError


class MetricError(IndustrialError, ValueError):
    """Something that no metric can be computed from; the message says which image it was."""


def checked_map(anomaly_map: NDArray[Any], image: str) -> NDArray[Any]:
    """Return a map as (H, W) float32, or float64 where it holds more: float64 and integers of 32 and 64 bits."""
    values = np.asarray(anomaly_map)
    if values.ndim != 2 or not values.size:
        raise MetricError(
            f"an anomaly map must be (H, W) with pixels; that of {image} has shape {values.shape}: "
            "pass one map at a time, without axes for batch or channel"
        )
    if values.dtype.kind not in "fiub" or values.dtype.itemsize > 8:
        raise MetricError(f"an anomaly map must hold real numbers; that of {image} is {values.dtype}: convert it")
    small = values.dtype.itemsize <= (4 if values.dtype.kind == "f" else 2)
    values = np.ascontiguousarray(values, np.float32 if small else np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        finite = np.isfinite(values.sum())  # the sum of large numbers may not be
    if not finite and not np.isfinite(values).all():
        count = values.size - np.count_nonzero(np.isfinite(values))
        raise MetricError(
            f"an anomaly map must be finite; that of {image} holds {count} NaN or infinite pixels: "
            "find out where the model makes them, or leave the image out and say so"
        )
    return values


def checked_mask(mask: NDArray[Any], size: tuple[int, int], image: str, *, what: str = "mask") -> NDArray[np.bool_]:
    """Return a mask as (H, W) bool; it may hold False and True, 0 and 1, or 0 and 255."""
    values = np.asarray(mask)
    if values.shape != size:
        raise MetricError(
            f"a {what} must have its map's size {size}; that of {image} has shape {values.shape}: "
            "resize the map to the image's own size, never the mask"
        )
    if values.dtype == bool:
        return values
    found: NDArray[np.bool_] = values != 0
    largest = values.max()
    if largest not in (0, 1, 255) or np.any(found & (values != largest)):
        raise MetricError(
            f"a {what} must be binary (False and True, 0 and 1, or 0 and 255); that of {image} holds "
            f"{np.unique(values)[:5].tolist()}: pass mask > 0, or the channels one by one"
        )
    return found


def checked_region(inside: NDArray[Any], size: tuple[int, int], image: str) -> NDArray[np.bool_]:
    """Return a region of interest as (H, W) bool, with at least one pixel."""
    region = checked_mask(inside, size, image, what="region of interest")
    if not region.any():
        raise MetricError(f"a region of interest must hold a pixel; that of {image} holds none")
    return region


def checked_limits(limits: float | Iterable[float]) -> tuple[float, ...]:
    """Return limits of the false positive rate, each above 0 and up to 1."""
    found = (limits,) if isinstance(limits, int | float) else tuple(limits)
    if not found or not all(0 < limit <= 1 for limit in found):
        raise MetricError(f"limits of the false positive rate must be above 0 and up to 1; got {limits}: try 0.3")
    return found


def checked_threshold(threshold: float | None) -> float | None:
    if threshold is not None and not np.isfinite(threshold):
        raise MetricError(f"a threshold must be a finite number or None; got {threshold}: take it from normal images")
    return threshold
