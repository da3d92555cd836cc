"""Maps as float16 whose pixels keep their order, on one scale for all maps of an object.

float16 holds at most 65504, and 1024 values from each power of two to the next. Scores that lie close together far from
0 (0.5 ± 0.0005) fall on three of them; large ones become infinite. Rankings, and with them AU-PRO and SegF1 at the best
threshold, do not depend on the scale of scores but on their order. So where a plain conversion would lose it, the 15361
values from 0 to 1 are shared out among the scores that occur: half of them evenly over all that occur, however far
apart, and half by how often they occur. Both conversions never turn an order around.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.metrics.keys import highest_key_up_to, to_keys, to_value

LARGEST = float(np.finfo(np.float16).max)
MOST_TIES = 1e-3  # of pairs of different scores among the highest, before they are shared out anew
TOP = 0.05  # the share of pixels that "the highest" are: those that decide AU-PRO to a false positive rate of 0.05

_BITS = 20  # of a key: a bin is 0.05 % of a score wide and holds 4096 values of float32
_WITHIN = 32 - _BITS
_LEVELS = np.array([1], np.float16).view(np.uint16)[0].item()  # values of float16 from 0 up to below 1
_SAMPLE = 4096  # pixels a map

Half = NDArray[np.float16]


class HalfError(IndustrialError, ValueError):
    """Maps that cannot be written as float16."""


@dataclass(frozen=True, eq=False)
class HalfScale:
    """How the maps of one object become float16.

    kind:      "plain", rounded to the nearest; "shared", see the module
    threshold: of float32 scores; pixels above it stay above `of(threshold)`, and no others
    reason:    why they are not converted plainly, for people; empty where they are
    """

    kind: Literal["plain", "shared"]
    threshold: float | None = None
    reason: str = ""
    starts: NDArray[np.int32] | None = None

    def __call__(self, anomaly_map: NDArray[np.float32]) -> Half:
        """Return a map (H, W) float32 as float16 of the same shape."""
        half = self._plain(anomaly_map) if self.kind == "plain" else self._shared(anomaly_map)
        shaped: Half = half.reshape(anomaly_map.shape)
        return shaped

    def of(self, score: float) -> float:
        """Return what a score becomes."""
        found: float = self(np.array([_float32(score)], np.float32))[0].item()
        return found

    def _plain(self, values: NDArray[np.float32]) -> Half:
        half: Half = values.astype(np.float16)
        if self.threshold is not None:
            cut = _float32(self.threshold)
            with np.errstate(over="ignore"):
                level = np.float16(cut)
            half[(values > cut) & (half <= level)] = np.nextafter(level, np.float16(np.inf))
        return half

    def _shared(self, values: NDArray[np.float32]) -> Half:
        assert self.starts is not None
        flat = values.reshape(-1)
        keys = to_keys(flat)
        bins = keys >> np.uint32(_WITHIN)
        first, width = self.starts[bins], self.starts[bins + 1] - self.starts[bins]
        levels = first + ((width * (keys & np.uint32((1 << _WITHIN) - 1)).astype(np.int32)) >> _WITHIN)
        if self.threshold is not None:
            levels += flat > _float32(self.threshold)
        half: Half = levels.astype(np.uint16).view(np.float16)
        return half


class HalfStatistics:
    """Collects what the choice of a scale needs, one map at a time, in 8 MiB and 16 KiB a map."""

    def __init__(self) -> None:
        self._counts = np.zeros(1 << _BITS, np.int64)
        self._samples: list[NDArray[np.float32]] = []
        self._low, self._high = np.inf, -np.inf

    def add(self, anomaly_map: NDArray[np.float32]) -> None:
        """Count a map (H, W) float32, finite."""
        if not np.isfinite(anomaly_map).all():
            raise HalfError("a map must be finite to become float16; it holds NaN or infinity")
        flat = anomaly_map.reshape(-1)
        bins = to_keys(flat) >> np.uint32(_WITHIN)
        first = bins.min().item()
        counts = np.bincount(bins - np.uint32(first))
        self._counts[first : first + counts.size] += counts
        self._samples.append(flat[:: max(1, flat.size // _SAMPLE)].copy())
        self._low, self._high = min(self._low, flat.min().item()), max(self._high, flat.max().item())

    def scale(self, threshold: float | None = None) -> HalfScale:
        """Return the scale for all maps that were added; threshold: of pixels, which it tells apart exactly."""
        if not self._samples:
            raise HalfError("a scale for float16 needs at least one map; got none")
        reason = self._against_plain()
        if not reason:
            return HalfScale("plain", threshold)
        return HalfScale("shared", threshold, reason, self._starts())

    def _against_plain(self) -> str:
        if max(-self._low, self._high) > LARGEST:
            return f"scores from {self._low:.6g} to {self._high:.6g} exceed {LARGEST:.0f}, the largest float16"
        sample = np.sort(np.concatenate(self._samples))
        highest = sample[-max(2, round(TOP * sample.size)) :]
        ties = _tied(highest.astype(np.float16)) - _tied(highest)
        if ties <= MOST_TIES:
            return ""
        return (
            f"scores from {self._low:.6g} to {self._high:.6g} lie so close together that float16 would tie "
            f"{100 * ties:.2g} % of the pairs among the highest {100 * TOP:g} % of the pixels"
        )

    def _starts(self) -> NDArray[np.int32]:
        """Return the first level of each bin, and the last one's end: (bins + 1,)."""
        occupied = self._counts > 0
        share = 0.5 * occupied / occupied.sum() + 0.5 * self._counts / self._counts.sum()
        ends = np.floor(np.cumsum(share) * _LEVELS + 1e-6).astype(np.int32)
        return np.concatenate([np.zeros(1, np.int32), np.minimum(ends, _LEVELS)])


def above(anomaly_map: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """Return which pixels lie above a threshold, compared exactly: numpy would round the threshold first."""
    return anomaly_map > _float32(threshold)


def _float32(value: float) -> np.float32:
    """Return the largest float32 that is at most `value`, which the same float32 scores lie above."""
    return np.float32(to_value(highest_key_up_to(value, 4), 4))


def _tied(ordered: NDArray[np.floating]) -> float:
    """Return the share of pairs of ordered values that are equal."""
    changes = np.flatnonzero(np.diff(ordered)) + 1
    runs = np.diff(changes, prepend=0, append=ordered.size)
    share: float = (runs.astype(float) ** 2).sum().item() / ordered.size**2
    return share
