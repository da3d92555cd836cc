"""Numbers of a weighted curve that is known bin by bin, each with what every bin may add to its error.

Bins are in the order of falling scores. Within a bin the order of its pixels is unknown, unless all are equal: then
`exact` is True, they are one threshold and the curve joins its ends by a straight line. Areas are those of Bergmann
et al. (The MVTec Anomaly Detection Dataset, IJCV 2021), average precision is that of scikit-learn: precision at each
distinct score, weighted by the rise of recall, without interpolation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """normal: (bins,) pixels free of defects; found: (bins,) weight of the defects; exact: (bins,) all scores equal."""

    normal: Floats
    found: Floats
    exact: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Measured:
    """value: the number; errors: (bins,) what each bin may add to its error; worst: the errors' maximum counts, not
    their sum; best: the last bin above the best threshold, where there is one."""

    value: float
    errors: Floats
    worst: bool = False
    best: int = 0

    @property
    def bound(self) -> float:
        total: float = (self.errors.max(initial=0.0) if self.worst else self.errors.sum()).item()
        return total


Measure = Callable[[Curve], Measured]


def area(limit: float) -> Measure:
    """Return the measure of the area under the curve up to a false positive rate, divided by that rate."""

    def measure(curve: Curve) -> Measured:
        width, height = curve.normal / max(curve.normal.sum().item(), 1.0), curve.found / curve.found.sum()
        right, top = np.cumsum(width), np.cumsum(height)
        left, low = right - width, top - height
        inside = np.clip(limit - left, 0.0, width)
        share = np.divide(inside, width, out=np.zeros_like(width), where=width > 0)
        value = np.sum(inside * (low + share * height / 2)).item() / limit
        unsure = np.where(share < 1, 1.0, 0.5) * inside * height / limit
        return Measured(min(value, 1.0), np.where(curve.exact, 0.0, unsure))

    return measure


def average_precision(curve: Curve) -> Measured:
    """Return the sum of precision times the rise of recall."""
    found, normal = curve.found, curve.normal
    hits, alarms = np.cumsum(found), np.cumsum(normal)
    before, least = hits - found, alarms - normal
    rise = found / hits[-1]
    held = found > 0
    at_once = np.divide(hits, hits + alarms, out=np.zeros_like(hits), where=held)
    highest = np.divide(hits, hits + least, out=np.ones_like(hits), where=held)
    lowest = np.divide(before + 1, before + 1 + alarms, out=np.zeros_like(hits), where=held)
    value = np.where(curve.exact, at_once, (highest + lowest) / 2)
    errors = np.where(curve.exact, 0.0, rise * np.maximum(highest - lowest, 0) / 2)
    return Measured(np.sum(rise * value).item(), errors)


def best_f1(curve: Curve) -> Measured:
    """Return the largest F1 of all thresholds; `best` is the last bin above it."""
    total = curve.found.sum()
    hits, alarms = np.cumsum(curve.found), np.cumsum(curve.normal)
    reached = 2 * hits / (hits + alarms + total)
    best = int(np.argmax(reached))
    possible = 2 * hits / (hits + alarms - curve.normal + total)
    errors = np.where(curve.exact | (curve.found == 0), 0.0, np.maximum(possible - reached[best], 0))
    return Measured(reached[best].item(), errors, worst=True, best=best)
