"""Where a model's map lies on the image: resizing, centre cropping and padding followed back to the image's pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Resize:
    """Resizes to (height, width), or the shorter side to `size`; the longer one at most `longest`."""

    size: tuple[int, ...]
    longest: int | None = None


@dataclass(frozen=True)
class CentreCrop:
    """Cuts the middle (height, width) out; a smaller image is padded."""

    size: tuple[int, int]


@dataclass(frozen=True)
class SquarePad:
    """Pads the shorter side on both ends."""


Step = Resize | CentreCrop | SquarePad


@dataclass(frozen=True)
class Region:
    """The part of an image that a map covers, in pixels of the image; it may reach over the image's edges."""

    top: float
    left: float
    bottom: float
    right: float

    def unseen(self, height: int, width: int) -> float:
        """Return the share of an image's pixels, 0..1, that lie outside."""
        rows = min(self.bottom, height) - max(self.top, 0)
        columns = min(self.right, width) - max(self.left, 0)
        return 1 - rows * columns / (height * width)


def region(steps: Sequence[Step], height: int, width: int) -> Region:
    """Return what is left of an image of that size after the steps.

    >>> region([Resize((256, 256)), CentreCrop((224, 224))], 512, 1024)
    Region(top=32.0, left=64.0, bottom=480.0, right=960.0)
    """
    top, left, bottom, right = 0.0, 0.0, float(height), float(width)
    for step in steps:
        if isinstance(step, Resize):
            height, width = _resized(step, height, width)
            continue
        new_height, new_width = step.size if isinstance(step, CentreCrop) else (max(height, width),) * 2
        first = isinstance(step, CentreCrop)
        above = round((height - new_height) / 2) if first else -((new_height - height) // 2)
        before = round((width - new_width) / 2) if first else -((new_width - width) // 2)
        rows, columns = (bottom - top) / height, (right - left) / width
        top, left = top + above * rows, left + before * columns
        bottom, right = top + new_height * rows, left + new_width * columns
        height, width = new_height, new_width
    return Region(top, left, bottom, right)


def place(anomaly_map: NDArray[np.float32], where: Region, height: int, width: int) -> NDArray[np.float32]:
    """Return a map (H, W) float32 of the image's size; pixels that the map does not cover get its smallest value.

    anomaly_map: (h, w) float32 over `where`; resized bilinearly, or by area where it shrinks.
    """
    import cv2

    top, left, bottom, right = (round(edge) for edge in (where.top, where.left, where.bottom, where.right))
    if anomaly_map.shape != (bottom - top, right - left):
        shrinks = anomaly_map.shape[0] > bottom - top and anomaly_map.shape[1] > right - left
        flags = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        anomaly_map = cv2.resize(anomaly_map, (right - left, bottom - top), interpolation=flags)
    if (top, left, bottom, right) == (0, 0, height, width):
        return anomaly_map
    placed = np.full((height, width), anomaly_map.min(), np.float32)
    inside = np.s_[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
    placed[inside] = anomaly_map[max(-top, 0) : min(bottom, height) - top, max(-left, 0) : min(right, width) - left]
    return placed


def _resized(step: Resize, height: int, width: int) -> tuple[int, int]:
    """Return torchvision's size: the longer side in proportion, rounded down."""
    if len(step.size) == 2:
        return step.size[0], step.size[1]
    short, long = min(height, width), max(height, width)
    new_short, new_long = step.size[0], int(step.size[0] * long / short)
    if step.longest is not None and new_long > step.longest:
        new_short, new_long = int(step.longest * new_short / new_long), step.longest
    return (new_short, new_long) if height <= width else (new_long, new_short)
