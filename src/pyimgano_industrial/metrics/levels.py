"""Bins of keys as a tree: the first 16 bits, then as many more as each bin needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.keys import Keys, to_keys, to_value
from pyimgano_industrial.metrics.layout import put

PREFIXES = 1 << 16
Bins = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Level:
    """Divides every bin of the level above: bin b with `rest[b]` free bits into 2 ** (rest[b] - left[b]) bins."""

    first: Bins
    mask: NDArray[Any]
    left: NDArray[Any]
    same: bool  # every bin of the level above has as many free bits

    def bins(self, parents: NDArray[Any], keys: Keys) -> Bins:
        if parents.dtype == np.uint64:
            parents = parents.view(np.int64)  # NumPy 1 takes no indices without a sign; they are far below its bit
        low = keys & (self.mask[0] if self.same else self.mask.take(parents))
        low >>= self.left.take(parents)
        found: Bins = self.first.take(parents)
        found += low.view(np.int32 if low.itemsize == 4 else np.int64)
        return found


@dataclass(frozen=True, eq=False)
class Tree:
    """The bins, in the order of the scores. start: (bins,) each bin's smallest key; rest: (bins,) its free bits."""

    levels: tuple[Level, ...]
    start: NDArray[np.uint64]
    rest: NDArray[np.int64]
    itemsize: int

    @classmethod
    def of(cls, bits: NDArray[np.int64], *, itemsize: int) -> Tree:
        """Return the prefixes, each divided by `bits` (65536,) more."""
        rest = np.full(PREFIXES, 8 * itemsize - 16)
        start = np.arange(PREFIXES, dtype=np.uint64) << np.uint64(8 * itemsize - 16)
        return cls((), start, rest, itemsize).divided(bits)

    @property
    def size(self) -> int:
        return self.rest.size

    def divided(self, bits: NDArray[np.int64]) -> Tree:
        """Return the tree in which each bin is divided by `bits` (bins,) more, as far as it has that many."""
        left = np.maximum(self.rest - bits, 0)
        counts = 1 << (self.rest - left)
        first = np.cumsum(counts) - counts
        offset = (np.arange(counts.sum()) - np.repeat(first, counts)).astype(np.uint64)
        shifts = np.repeat(left, counts)
        start = np.repeat(self.start, counts) + (offset << shifts.astype(np.uint64))
        kind = np.uint32 if self.itemsize == 4 else np.uint64
        mask = ((np.uint64(1) << self.rest.astype(np.uint64)) - np.uint64(1)).astype(kind)
        level = Level(first, mask, left.astype(kind), not self.levels)
        return Tree((*self.levels, level), start, shifts, self.itemsize)

    def below(self, number: int) -> float:
        return to_value(self.start[number].item() - 1, self.itemsize)

    def bins(self, values: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return each score's bin, (N,) int64, in `out` where there is one."""
        keys = to_keys(values)
        found: NDArray[Any] = keys >> keys.dtype.type(8 * self.itemsize - 16)
        for level in self.levels:
            found = level.bins(found, keys)
        return put(found, out)
