"""What is normal at each place of aligned images: the good patches that were seen there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.models.filter_bank.descriptors import resampled

Floats = NDArray[np.float32]

SHARED = 0.3  # of what all places have in common goes into each: few images do not show a place's own
AROUND = 3  # cells along a side, over which what is measured at a place is averaged


def explained(patches: Sequence[Floats]) -> float:
    """Return the share of the variance that knowing the place explains, at most 1, of each image's patches (places, D).

    Both variances are without bias, so that it is near 0, or just below, where places do not differ.
    """
    if len(patches) < 2:
        return 0.0
    seen = np.stack(patches).astype(np.float64)
    here = seen.var(axis=0, ddof=1).sum(axis=1).mean()
    anywhere = seen.reshape(-1, seen.shape[2]).var(axis=0, ddof=1).sum()
    return float(1 - here / anywhere) if anywhere > 0 else 0.0


def departures(grids: Sequence[Floats]) -> list[Floats]:
    """Return grids (rows, columns, C) less the mean of each place."""
    mean = np.mean(grids, axis=0, dtype=np.float32)
    return [grid - mean for grid in grids]


@dataclass(frozen=True)
class Places:
    """Good patches of each place, less its mean and in its standard deviations: the nearest of them is what counts.

    Each place has a memory of its own, like PatchCore's (Roth et al., CVPR 2022) of all places, where PaDiM (Defard et
    al., ICPR 2021) has a Gaussian: what good parts show at a place comes in kinds, clean, oiled, with dirt.

    mean, spread: (rows, columns, D) float32
    examples: (rows, columns, D, N) float32 that float16 holds, so that files are half as large
    used: (N,) which of the images count, all where it is None
    """

    mean: Floats
    spread: Floats
    examples: Floats
    used: NDArray[np.bool_] | None = None

    @classmethod
    def of(cls, grids: Sequence[Floats]) -> Places:
        """Learn from whitened grids (rows, columns, D)."""
        import cv2

        mean: Floats = np.mean(grids, axis=0, dtype=np.float32)
        own = np.zeros_like(mean)
        for grid in grids:
            own += (grid - mean) ** 2 / len(grids)
        around = cv2.blur(own, (AROUND, AROUND), borderType=cv2.BORDER_REFLECT).reshape(own.shape)
        spread: Floats = np.sqrt(around + SHARED * own.mean(axis=(0, 1)) + np.float32(1e-6))
        examples = np.empty((*own.shape, len(grids)), np.float32)
        for number, grid in enumerate(grids):
            examples[..., number] = ((grid - mean) / spread).astype(np.float16)
        return cls(mean, spread, examples)

    @cached_property
    def _squares(self) -> Floats:
        """Return the squared lengths (rows, columns, N) of the examples, infinite for those that do not count."""
        squares: Floats = np.einsum("rcdn,rcdn->rcn", self.examples, self.examples)
        if self.used is not None:
            squares[..., ~self.used] = np.inf
        return squares

    def deviation(self, grid: Floats) -> Floats:
        """Return how far each cell (rows, columns) is from the nearest good one of its place, as a root mean square."""
        shape = (self.mean.shape[0], self.mean.shape[1])
        here = (resampled(grid, shape) - self.mean) / self.spread
        nearest = np.empty(shape, np.float32)
        for row, (cells, examples, squares) in enumerate(zip(here, self.examples, self._squares, strict=True)):
            nearest[row] = (squares - 2 * np.matmul(cells[:, None], examples)[:, 0]).min(axis=1)
        nearest += np.einsum("rcd,rcd->rc", here, here)
        deviation: Floats = np.sqrt(np.maximum(nearest, 0) / here.shape[2])
        return resampled(deviation, (grid.shape[0], grid.shape[1]))
