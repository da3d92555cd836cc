"""What is usual: how far good patches that were not fitted lie from the good ones that were."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.models.filter_bank.descriptors import resampled
from pyimgano_industrial.models.filter_bank.place import AROUND

Floats = NDArray[np.float32]

_SHARED = 0.1  # of the variance that all places have in common goes into each
_LEAST_SPREAD = 0.02  # of the mean distance: few images that happen to agree must not make every other one stand out
_LEAST = 1e-6


@dataclass
class Usual:
    """Sums over normal images of their patches' distances and squares (rows, columns), and the patches' number."""

    total: Floats
    squares: Floats
    count: Floats

    @classmethod
    def of(cls, distance: Floats, inside: NDArray[np.bool_], *, shape: tuple[int, int]) -> Usual:
        """Take in one image: its distances (rows, columns), and its cells that count."""
        weight, known = resampled(inside.astype(np.float32), shape), resampled(distance, shape)
        return cls(known * weight, known * known * weight, weight)

    def __add__(self, other: Usual) -> Usual:
        return Usual(self.total + other.total, self.squares + other.squares, self.count + other.count)

    def without(self, other: Usual) -> Usual:
        return Usual(self.total - other.total, self.squares - other.squares, self.count - other.count)

    def units(self, *, of_places: bool) -> Floats:
        """Return what a distance is divided by, (1, 1) or (rows, columns): a usual patch then has 1 on average.

        With places, it goes with the standard deviation at each: where good parts differ now and then (dirt, a moving
        seal) it is larger than at a quiet place, whose small defect must not drown. Part of each variance is that of
        all places, since few images do not show a place's own.
        """
        import cv2

        number = max(_LEAST, float(self.count.sum()))
        mean = max(_LEAST, float(self.total.sum()) / number)
        if not of_places:
            return np.full((1, 1), mean, np.float32)
        counted = np.maximum(self.count, np.float32(_LEAST))
        own = np.maximum(self.squares / counted - (self.total / counted) ** 2, 0) * self.count
        shared = float(own.sum()) / number
        total, count = (cv2.blur(one, (AROUND, AROUND), borderType=cv2.BORDER_REFLECT) for one in (own, self.count))
        here = np.where(count > _LEAST, total / np.maximum(count, np.float32(_LEAST)), np.float32(shared))
        spread = np.sqrt((1 - _SHARED) * here + _SHARED * shared + (_LEAST_SPREAD * mean) ** 2)
        scale = float((self.total / spread).sum()) / number
        units: Floats = (spread * max(_LEAST, scale)).astype(np.float32)
        return units
