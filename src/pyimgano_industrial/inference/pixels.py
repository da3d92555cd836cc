"""The pixels of normal maps, counted one map at a time in bounded memory, and thresholds for them.

What counts is the image: its pixels are alike, and a million of them say no more of the next image than one score.
So each image gives the share of its pixels above a threshold, every image weighs the same whatever its size, and the
promise is about the mean of these shares. Its bounds are those of independent numbers in 0..1 (`rates.mean_bounds`),
which ask for as many images as image scores do. A threshold may be chosen so because the shares fall as it rises
(Bates et al., Distribution-free, risk-controlling prediction sets, JACM 2021; on average: Angelopoulos et al.,
Conformal risk control, 2022).
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.inference.calibration import CalibrationError
from pyimgano_industrial.inference.rates import largest_mean
from pyimgano_industrial.inference.tail import fit_weighted
from pyimgano_industrial.inference.thresholds import MAD_TO_SIGMA, Cut, Method, Promise

_BITS = 20  # of a float32: sign, exponent and 11 bits of the mantissa, so that a bin is 0.05 % wide
_DROPPED = 32 - _BITS
_SIGN = np.uint32(1 << 31)
_TAIL_SHARE = 0.02  # the share of the pixels that the tail is fitted on, that of Siffer et al.


class PixelScores:
    """Collects maps (H, W) of normal images: 8 MiB, and three numbers an image.

    area: how many flagged pixels a normal image may have, where images with flagged pixels are counted.
    """

    def __init__(self, *, area: int = 0) -> None:
        if area < 0:
            raise CalibrationError(f"area must be 0 or more pixels; got {area}")
        self.area = area
        self._weights = np.zeros(1 << _BITS)
        self._means: list[float] = []
        self._variances: list[float] = []
        self._largest: list[float] = []

    @property
    def count(self) -> int:
        """The number of maps."""
        return len(self._means)

    @property
    def largest(self) -> NDArray[np.float64]:
        """The largest pixel of each image, (N,); with `area`, the one that `area` pixels are above or equal to."""
        return np.array(self._largest)

    def add(self, anomaly_map: NDArray[Any], mask: NDArray[np.bool_] | None = None) -> None:
        """Count one map (H, W), finite; mask: (H, W) bool, the pixels that count."""
        values = self._inside(np.asarray(anomaly_map, np.float32), mask)
        bins = _bin(values)
        first = bins.min().item()
        counts = np.bincount(bins - first)
        self._weights[first : first + len(counts)] += counts / values.size
        self._means.append(values.mean(dtype=np.float64).item())
        self._variances.append(values.var(dtype=np.float64).item())
        place = max(values.size - 1 - self.area, 0)
        self._largest.append(np.partition(values, place)[place].item())

    def share_above(self, threshold: float) -> float:
        """Return the mean over images of the share of pixels that reach a threshold, to the width of a bin."""
        first = _bin(np.array([threshold], np.float32))[0]
        reached: float = self._weights[first:].sum().item()
        return reached / self.count

    def cut(self, method: Method, *, target: float, confidence: float, k: float | None = None) -> Cut:
        """Return the threshold that at most a mean share `target` of an image's pixels reaches, by one method."""
        if method == "tolerance":
            share = largest_mean(target, self.count, confidence=confidence)
            return self._at(share, "proven")
        if method == "conformal":
            share = target - (1 - target) / self.count
            return self._at(share if share >= -1e-12 else None, "on average")
        if method == "quantile":
            return self._at(target, "estimated")
        if method == "tail":
            return self._tail(target)
        center, sigma = self._spread(method)
        k = NormalDist().inv_cdf(1 - target) if k is None else k
        return self._shaped(center + k * sigma, NormalDist().cdf(-k), possible=sigma > 0)

    def _inside(self, values: NDArray[np.float32], mask: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        number = self.count
        if values.ndim != 2:
            raise CalibrationError(f"a map must be (H, W); map {number} has shape {values.shape}")
        if mask is not None and np.shape(mask) != values.shape:
            raise CalibrationError(f"a mask must have its map's size {values.shape}; mask {number} has {mask.shape}")
        inside: NDArray[np.float32] = values.reshape(-1) if mask is None else values[np.asarray(mask, bool)]
        if not inside.size:
            raise CalibrationError(
                f"a map needs at least one pixel inside its region of interest; map {number} has none"
            )
        if not np.isfinite(inside).all():
            raise CalibrationError(f"maps must be finite; map {number} holds NaN or infinity")
        return inside

    def _at(self, share: float | None, promise: Promise) -> Cut:
        """Return the lowest threshold that at most a share of the pixels reaches; None: none, and a refusal."""
        allowed = max(0.0, share or 0.0) * self.count
        held = np.flatnonzero(self._weights)
        beyond = np.append(np.cumsum(self._weights[held][:0:-1])[::-1], 0.0)  # the weight above each bin that holds any
        first = np.argmax(beyond <= allowed + 1e-12).item()
        above = beyond[first].item()
        return Cut(_edge(held[first].item() + 1), "refused" if share is None else promise, above / self.count, above)

    def _tail(self, target: float) -> Cut:
        start = self._at(_TAIL_SHARE, "estimated").threshold
        if target >= _TAIL_SHARE:
            return self._at(target, "estimated")
        first = _bin(np.array([start], np.float32))[0]
        held = np.flatnonzero(self._weights[first:]) + first
        values = np.array([_edge(place) for place in held.tolist()])
        found = fit_weighted(values, self._weights[held] / self.count, level=start)
        if found is None or target >= found.share:
            return self._at(target, "extrapolated") if found else self._at(None, "refused")
        return self._shaped(found.threshold(target), target, possible=True)

    def _spread(self, method: Method) -> tuple[float, float]:
        """Return centre and sigma of the pixels, each image weighing the same."""
        if method == "mean_sigma":
            means = np.array(self._means)
            return means.mean().item(), np.sqrt(np.mean(self._variances) + means.var()).item()
        held = np.flatnonzero(self._weights)
        values = np.array([_edge(place) for place in held.tolist()])
        median = _weighted_median(values, self._weights[held])
        order = np.argsort(np.abs(values - median))
        return median, MAD_TO_SIGMA * _weighted_median(np.abs(values - median)[order], self._weights[held][order])

    def _shaped(self, threshold: float, expected: float, *, possible: bool) -> Cut:
        above = self.share_above(threshold) * self.count
        return Cut(threshold, "extrapolated" if possible else "refused", expected, above)


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.float64]) -> float:
    reached = np.cumsum(weights)
    median: float = values[np.searchsorted(reached, reached[-1] / 2)].item()
    return median


def _bin(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the bin of each value; bins are in the order of the values."""
    bits = np.ascontiguousarray(values + np.float32(0)).view(np.uint32)  # the sum turns -0 into 0
    keys = np.where(bits & _SIGN, ~bits, bits | _SIGN)
    return (keys >> np.uint32(_DROPPED)).astype(np.int64)


def _edge(place: int) -> float:
    """Return the smallest value of a bin, where values that reach it begin."""
    key = np.uint32(place << _DROPPED)
    bits = key ^ _SIGN if key & _SIGN else ~key
    edge: float = np.array(bits, np.uint32).view(np.float32).item()
    return edge
