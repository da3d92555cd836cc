"""From the anomalies of an image's cells to one score: how far its tails lie above those of normal images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

SHARES = (0.001, 0.01, 0.1, 1.0)
ALIGNED_SHARES = (0.0001,)  # in units of its place every cell is alike, and the few most anomalous say the most
_LEAST_SPREAD = 0.02  # of the mean: few images that happen to agree must not make every other one stand out


def tails(cells: Floats, *, shares: tuple[float, ...] = SHARES) -> NDArray[np.float64]:
    """Return the means of the largest shares of the cells, at least one cell each, (shares,)."""
    ordered = np.sort(cells, axis=None)[::-1]
    counts = [max(1, int(np.ceil(share * ordered.size))) for share in shares]
    sums = np.cumsum(ordered, dtype=np.float64)
    return np.array([sums[count - 1] / count for count in counts])


@dataclass(frozen=True)
class Normal:
    """Mean and spread (shares,) of the tails of normal images."""

    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    @classmethod
    def of(cls, found: NDArray[np.float64]) -> tuple[Normal, Floats]:
        """Return what is normal by the tails of normal images (N, shares), and their scores (N,)."""
        mean = found.mean(axis=0)
        normal = cls(mean, np.maximum(found.std(axis=0, ddof=1), _LEAST_SPREAD * mean))
        return normal, np.array([normal.score(one) for one in found], np.float32)

    def score(self, found: NDArray[np.float64]) -> float:
        """Return the score of an image's tails (shares,): their mean distance above normal in standard deviations."""
        return float(((found - self.mean) / self.spread).mean())
