"""What is normal at each place of aligned images: mean and variance of the whitened descriptors of each cell."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.models.filter_bank.descriptors import resampled

Floats = NDArray[np.float32]

SHARED = 0.3  # of what all places have in common goes into each: few images do not show a place's own
AROUND = 3  # cells along a side, over which what is measured at a place is averaged


@dataclass
class Sums:
    """Sums over images of grids (rows, columns, D) and of their squares; those of some images can be taken away."""

    total: NDArray[np.float64]
    squares: NDArray[np.float64]
    count: int = 0

    @classmethod
    def empty(cls, shape: tuple[int, ...]) -> Sums:
        return cls(np.zeros(shape), np.zeros(shape))

    def add(self, grid: Floats) -> None:
        self.total += grid
        self.squares += grid * grid
        self.count += 1

    def without(self, other: Sums) -> Sums:
        return Sums(self.total - other.total, self.squares - other.squares, self.count - other.count)

    def explained(self, inside: NDArray[np.bool_]) -> float:
        """Return the share of the variance of descriptors that knowing the place explains, at most 1.

        Both variances are without bias, so that it is near 0, or just below, where places do not differ.
        """
        if self.count < 2:
            return 0.0
        total, squares = self.total[inside], self.squares[inside]
        here = (squares - total**2 / self.count).sum() / (self.count - 1) / len(total)
        number = self.count * len(total)
        anywhere = (squares.sum(axis=0) - total.sum(axis=0) ** 2 / number).sum() / (number - 1)
        return float(1 - here / anywhere) if anywhere > 0 else 0.0


@dataclass(frozen=True)
class Places:
    """Mean and variance (rows, columns, D) of each cell: a diagonal form of PaDiM (Defard et al., ICPR 2021)."""

    mean: Floats
    variance: Floats

    @classmethod
    def of(cls, sums: Sums) -> Places:
        import cv2

        mean = sums.total / max(1, sums.count)
        own = np.maximum(sums.squares / max(1, sums.count) - mean**2, 0)
        around = cv2.blur(own.astype(np.float32), (AROUND, AROUND), borderType=cv2.BORDER_REFLECT).reshape(own.shape)
        shared = own.mean(axis=(0, 1)) + 1e-6
        return cls(mean.astype(np.float32), (around + SHARED * shared).astype(np.float32))

    def deviation(self, grid: Floats) -> Floats:
        """Return how far each cell lies from the mean of its place (rows, columns), in standard deviations."""
        shape = (self.mean.shape[0], self.mean.shape[1])
        apart = resampled(grid, shape) - self.mean
        deviation: Floats = np.sqrt((apart * apart / self.variance).mean(axis=2))
        return resampled(deviation, (grid.shape[0], grid.shape[1]))
