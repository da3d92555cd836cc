"""Whitening, and a memory of good patches: a coreset, and the distance to the nearest of its members."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_RIDGE = 0.01  # of the mean variance: directions that hardly vary are not blown up into noise
_CHUNK = 1024  # queries at a time: the table of distances stays in the processor's cache


@dataclass(frozen=True)
class Whitening:
    """Centre (C,) and projection (C, D): principal components of unit variance.

    Source: PCA whitening, Jegou and Chum, Negative Evidences and Co-occurrences in Image Retrieval, ECCV 2012.
    """

    centre: Floats
    projection: Floats

    @classmethod
    def of(cls, patches: Floats, *, dimensions: int) -> Whitening:
        """Fit on patches (N, C); every channel counts alike, whatever its unit."""
        centre, spread = patches.mean(axis=0), patches.std(axis=0) + np.float32(1e-6)
        scaled = ((patches - centre) / spread).astype(np.float64)
        variances, axes = np.linalg.eigh(scaled.T @ scaled / len(scaled))
        largest = np.argsort(variances)[::-1][:dimensions]
        scale = np.sqrt(np.maximum(variances[largest], 0) + _RIDGE * variances.mean() + 1e-12)
        return cls(centre.astype(np.float32), (axes[:, largest] / scale / spread[:, None]).astype(np.float32))

    def __call__(self, grid: Floats) -> Floats:
        """Return (..., D) of (..., C)."""
        flat = (grid.reshape(-1, grid.shape[-1]) - self.centre) @ self.projection
        return flat.reshape(*grid.shape[:-1], -1).astype(np.float32, copy=False)


def coreset(patches: Floats, size: int, *, seed: int, begun: NDArray[np.intp] | None = None) -> NDArray[np.intp]:
    """Return the indices of `size` patches (N, D) such that every patch is near one: greedy k-centre.

    begun: indices that are kept; the rest is chosen as if they had been chosen first.
    Source: Sener and Savarese, Active Learning for Convolutional Neural Networks, ICLR 2018, which PatchCore (Roth et
    al., CVPR 2022) took up for its memory.
    """
    if len(patches) <= size:
        return np.arange(len(patches))
    if begun is None or not len(begun):
        begun = np.array([np.random.default_rng(seed).integers(len(patches))])
    lengths = np.einsum("nd,nd->n", patches, patches)
    chosen = np.empty(max(size, len(begun)), np.intp)
    chosen[: len(begun)] = begun
    nearest = nearest_distance(patches, patches[begun]) ** 2
    for number in range(len(begun), size):
        chosen[number] = last = nearest.argmax()
        np.minimum(nearest, lengths - 2 * (patches @ patches[last]) + lengths[last], out=nearest)
    return chosen


def nearest_distance(queries: Floats, bank: Floats) -> Floats:
    """Return the Euclidean distance (N,) of each query (N, D) to its nearest neighbour in the bank (M, D); exact."""
    lengths = np.einsum("md,md->m", bank, bank)
    found = np.empty(len(queries), np.float32)
    doubled = np.ascontiguousarray(bank.T) * np.float32(-2)
    for first in range(0, len(queries), _CHUNK):
        part = queries[first : first + _CHUNK]
        table = part @ doubled
        table += lengths
        found[first : first + _CHUNK] = table.min(axis=1) + np.einsum("nd,nd->n", part, part)
    distances: Floats = np.sqrt(np.maximum(found, 0))
    return distances
