"""What is usual: how far good patches that were not fitted lie from the memory, and from what is normal at a place."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.models.filter_bank.descriptors import resampled
from pyimgano_industrial.models.filter_bank.place import AROUND, SHARED

Floats = NDArray[np.float32]
Distances = tuple[Floats, Floats | None]

_LEAST = 1e-6


@dataclass
class Usual:
    """Sums over normal images of their patches' distances (rows, columns, 1 or 2), and how many patches there are."""

    total: Floats
    count: Floats

    @classmethod
    def of(cls, distances: Distances, inside: NDArray[np.bool_], *, shape: tuple[int, int]) -> Usual:
        """Take in one image: its distances to the memory and deviations from the place, and its cells that count."""
        weight = resampled(inside.astype(np.float32), shape)[..., None]
        known = [resampled(one, shape) for one in distances if one is not None]
        return cls(np.stack(known, axis=2) * weight, weight)

    def __add__(self, other: Usual) -> Usual:
        return Usual(self.total + other.total, self.count + other.count)

    def without(self, other: Usual) -> Usual:
        return Usual(self.total - other.total, self.count - other.count)

    def units(self) -> Floats:
        """Return the mean distances: (1, 1, 1) to the memory alone, (rows, columns, 2) where there are places too.

        With places, each has units of its own: where good parts differ (dirt, a moving seal) they are larger than at a
        quiet place, whose small defect must not drown. Part of each mean is that of all places, since few images do not
        show a place's own.
        """
        import cv2

        everywhere: Floats = self.total.sum(axis=(0, 1), keepdims=True) / max(_LEAST, float(self.count.sum()))
        if self.total.shape[2] == 1:
            return np.maximum(everywhere, np.float32(_LEAST), dtype=np.float32)
        total, count = (
            cv2.blur(one, (AROUND, AROUND), borderType=cv2.BORDER_REFLECT).reshape(one.shape)
            for one in (self.total, self.count)
        )
        here = np.where(count > _LEAST, total / np.maximum(count, np.float32(_LEAST)), everywhere)
        units = (1 - SHARED) * here + SHARED * everywhere
        return np.maximum(units, np.float32(_LEAST), dtype=np.float32)
