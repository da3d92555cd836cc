"""What the metrics return: numbers with their error bound, and intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Estimate:
    """value: 0..1; bound: the exact value is at most this far away, at most 1e-5 unless asked for otherwise."""

    value: float
    bound: float = 0.0

    def __float__(self) -> float:
        return self.value


@dataclass(frozen=True)
class F1:
    """F1 of what is above a threshold (strictly); bound: how far the best F1 may be above `value`."""

    value: float
    threshold: float
    precision: float
    recall: float
    bound: float = 0.0

    def __float__(self) -> float:
        return self.value


def f1_of(hits: int, alarms: int, misses: int, threshold: float, bound: float = 0.0) -> F1:
    """Return F1 from counts; precision is 0 where nothing is above the threshold."""
    precision = hits / (hits + alarms) if hits + alarms else 0.0
    recall = hits / (hits + misses) if hits + misses else 0.0
    return F1(2 * hits / (2 * hits + alarms + misses), threshold, precision, recall, bound)


@dataclass(frozen=True)
class Interval:
    """A percentile interval from images drawn again with replacement; samples: the draws that gave a number."""

    low: float
    high: float
    confidence: float
    samples: int


@dataclass(frozen=True)
class PixelReport:
    """What `PixelMetrics.compute` found.

    auroc, ap:   of pixels
    aupro:       limit -> AU-PRO
    f1:          SegF1 at the given threshold; None where none was given
    best_f1:     SegF1 at the best threshold, which only the labels tell
    by_size:     (smallest, largest area or None) -> limit -> AU-PRO of the defects of that size; None: there is none
    by_lighting: lighting -> the report of its images; None where they have no defect or no normal pixel
    images:      the number of images
    """

    auroc: Estimate
    ap: Estimate
    aupro: Mapping[float, Estimate]
    f1: F1 | None
    best_f1: F1
    images: int
    by_size: Mapping[tuple[int, int | None], Mapping[float, Estimate] | None] = field(default_factory=dict)
    by_lighting: Mapping[str, PixelReport | None] = field(default_factory=dict)


@dataclass(frozen=True)
class SPROReport:
    """What `AUSPRO.compute` found, each number by limit.

    by_kind:   kind of anomaly (logical_anomalies, structural_anomalies) -> AU-sPRO of its images and the good ones
    mean:      the mean over the kinds, the headline of MVTec LOCO AD
    by_defect: name of the defect -> AU-sPRO of the images that have it and the good ones
    """

    by_kind: Mapping[str, Mapping[float, Estimate]]
    mean: Mapping[float, Estimate]
    by_defect: Mapping[str, Mapping[float, Estimate]]
