"""Bins of equal width, in value or in the bits of the floats, over the scores that matter; laid out from a sample.

Every layout is a function that never falls, from scores to bins: so a bin holds neighbours, whatever the rounding.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.keys import highest_key_up_to, to_value

Bins = NDArray[np.int64]
_SIGNED = {4: np.int32, 8: np.int64}


class Layout(Protocol):
    """Divides scores into `size` bins in rising order."""

    @property
    def size(self) -> int: ...

    def bins(self, values: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return each score's bin, (N,) integers; out: where they go, of a type that holds them.

        Floats in `out` need not be whole: the bin is their whole part.
        """
        ...

    def below(self, number: int) -> float:
        """Return the largest score of the bins before one; minus infinity where there is none."""
        ...


class Inverse(ABC):
    """A layout that finds where its bins begin by halving the range of all floats."""

    itemsize: int

    @abstractmethod
    def bins(self, values: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Return each score's bin, as `Layout` says."""

    def below(self, number: int) -> float:
        largest = np.finfo(f"f{self.itemsize}").max.item()
        low, high = highest_key_up_to(-largest, self.itemsize), highest_key_up_to(largest, self.itemsize) + 1
        while low < high:
            middle = (low + high) // 2
            value = np.array([to_value(middle, self.itemsize)], f"f{self.itemsize}")
            low, high = (middle + 1, high) if self.bins(value).item() < number else (low, middle)
        return to_value(low - 1, self.itemsize)


@dataclass(frozen=True, eq=False)
class Linear(Inverse):
    """Bins of equal width from `low` to `high`; all that lies outside is in the first one and the last."""

    low: np.floating[Any]
    high: np.floating[Any]
    scale: np.floating[Any]
    size: int
    itemsize: int

    @classmethod
    def of(cls, low: float, high: float, size: int, *, itemsize: int) -> Linear | None:
        """Return about `size` bins, or None where their width is no normal number."""
        kind = np.dtype(f"f{itemsize}").type
        with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
            first, last = kind(low), kind(high)
            scale = kind(size - 1) / (last - first)
            top = (last - first) * scale
        if not (np.isfinite(top) and np.isfinite(scale) and scale > 0):
            return None
        return cls(first, last, scale, int(top) + 1, itemsize)

    def bins(self, values: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        found: NDArray[Any] = np.clip(values, self.low, self.high)
        found -= self.low
        out = np.empty(values.shape, np.int32) if out is None else out
        np.multiply(found, self.scale, out=out, casting="unsafe")
        return out


@dataclass(frozen=True, eq=False)
class Relative(Inverse):
    """Bins of as many floats each, from `low` to `high`, their bits as integers; for scores above 0."""

    low: int
    high: int
    shift: int
    itemsize: int

    @classmethod
    def of(cls, low: float, high: float, size: int, *, itemsize: int) -> Relative | None:
        """Return `size` bins or up to twice as many, or None where `low` is below 0."""
        if low < 0 or high <= low:
            return None
        ends = np.array([low, high], f"f{itemsize}") + 0.0  # + 0.0: -0 becomes 0
        first, last = ends.astype(f"f{itemsize}").view(_SIGNED[itemsize]).tolist()
        return cls(first, last, max(((last - first) // size).bit_length() - 1, 0), itemsize)

    @property
    def size(self) -> int:
        return ((self.high - self.low) >> self.shift) + 1

    def bins(self, values: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        signed = _SIGNED[self.itemsize]
        found: NDArray[Any] = np.clip(values.view(signed), signed(self.low), signed(self.high))  # type: ignore[call-overload] # of either size
        found -= signed(self.low)
        out = found if out is None else out
        np.right_shift(found, signed(self.shift), out=out, casting="unsafe")  # type: ignore[call-overload] # as above
        return out


@dataclass(frozen=True, eq=False)
class Edges:
    """Bins that begin above each of `edges`, (N,) rising; for a few scores only."""

    edges: NDArray[Any]

    @property
    def size(self) -> int:
        return self.edges.size + 1

    def bins(self, values: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        return put(np.searchsorted(self.edges, values), out)

    def below(self, number: int) -> float:
        value: float = self.edges[number - 1].item() if number else -np.inf
        return value


def put(bins: NDArray[Any], out: NDArray[Any] | None) -> NDArray[Any]:
    """Return the bins, in `out` where there is one."""
    if out is None:
        return bins
    out[:] = bins
    return out
