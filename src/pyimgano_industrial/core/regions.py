"""Regions of interest: a mask, a polygon or a box, asked for rows of an image so that it may be larger than memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError

Box = tuple[int, int, int, int]
Roi = NDArray[Any] | Box | Sequence[tuple[float, float]]


class RegionError(IndustrialError, ValueError):
    """A region of interest does not fit its image."""


class Region:
    """A region of interest of one image.

    roi: a mask (H, W), non-zero inside; a box (x0, y0, x1, y1), x1 and y1 exclusive; or a polygon [(x, y), ...] of at
    least three points, in pixels.
    """

    def __init__(self, roi: Roi, *, height: int, width: int) -> None:
        self.height, self.width = height, width
        self._mask: NDArray[np.bool_] | None = None
        self._points: NDArray[np.int32] | None = None
        array = np.asarray(roi)
        if array.ndim == 2 and array.shape[1] == 2 and array.shape[0] >= 3 and array.shape != (height, width):
            self._points = np.rint(array).astype(np.int32)
        elif array.ndim == 2:
            if array.shape != (height, width):
                raise RegionError(f"a mask of a region must have its image's size {(height, width)}; got {array.shape}")
            self._mask = array != 0
        elif array.shape == (4,):
            x0, y0, x1, y1 = (round(value) for value in array.tolist())
            if not (0 <= x0 < x1 <= width and 0 <= y0 < y1 <= height):
                raise RegionError(f"a box must satisfy 0 <= x0 < x1 <= {width} and 0 <= y0 < y1 <= {height}; got {roi}")
            self._points = np.array([(x0, y0), (x1 - 1, y0), (x1 - 1, y1 - 1), (x0, y1 - 1)], np.int32)
        else:
            raise RegionError(
                f"a region must be a mask (H, W), a box (x0, y0, x1, y1) or a polygon of points; "
                f"got shape {array.shape}"
            )

    def at(self, height: int, width: int) -> Region:
        """Return the region for the same image at another size; no part of it vanishes."""
        if (height, width) == (self.height, self.width):
            return self
        if self._mask is not None:
            import cv2

            mask = cv2.resize(self._mask.astype(np.float32), (width, height), interpolation=cv2.INTER_AREA)
            return Region(mask > 0, height=height, width=width)
        assert self._points is not None
        corners = self._points * np.array([width / self.width, height / self.height])
        return Region(np.minimum(corners, (width - 1, height - 1)), height=height, width=width)

    def rows(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> NDArray[np.bool_]:
        """Return rows y0:y1 of the region between the columns x0:x1, by default all, (h, w) bool."""
        x1 = self.width if x1 is None else x1
        if self._mask is not None:
            return self._mask[y0:y1, x0:x1]
        import cv2

        band = np.zeros((y1 - y0, x1 - x0), np.uint8)
        assert self._points is not None
        cv2.fillPoly(band, [self._points], 1, offset=(-x0, -y0))
        return band.astype(np.bool_)
