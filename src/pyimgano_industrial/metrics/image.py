"""Metrics of image scores against labels: AUROC, AP, F1 at a threshold and at the best one; exact."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyimgano_industrial.metrics.bootstrap import checked, f1_interval, interval
from pyimgano_industrial.metrics.checks import MetricError, checked_threshold
from pyimgano_industrial.metrics.measures import Curve, Measured, area, average_precision, best_f1
from pyimgano_industrial.metrics.results import F1, Estimate, Interval, f1_of


@dataclass(frozen=True)
class ImageReport:
    """auroc, ap: of images; f1: at the given threshold (AD 2's ClassF1), None without; best_f1: at the best one."""

    auroc: Estimate
    ap: Estimate
    f1: F1 | None
    best_f1: F1
    images: int


class ImageMetrics:
    """Collects one score and label an image; threshold: an image strictly above it is called anomalous.

    >>> metrics = ImageMetrics(threshold=0.5)
    >>> for score, label in [(0.1, 0), (0.6, 0), (0.9, 1)]:
    ...     metrics.update(score, label)
    >>> metrics.compute().auroc.value
    1.0
    """

    def __init__(self, *, threshold: float | None = None) -> None:
        self._threshold = checked_threshold(threshold)
        self.reset()

    def update(self, score: ArrayLike, label: ArrayLike, *, name: str | None = None) -> None:
        """Add one image or several: scores () or (N,), finite; labels alike, 0 or False normal, 1 or True anomalous."""
        image = name or f"image {len(self._scores)}"
        scores, labels = np.atleast_1d(np.asarray(score, float)), np.atleast_1d(np.asarray(label))
        if scores.shape != labels.shape or scores.ndim != 1:
            raise MetricError(
                f"scores and labels must be one for one; from {image} on there are {scores.shape} scores and "
                f"{labels.shape} labels: pass (N,) and (N,)"
            )
        if not np.isfinite(scores).all():
            raise MetricError(f"scores must be finite; {image} has {scores[~np.isfinite(scores)][0]}: leave it out")
        if not np.isin(labels, (0, 1)).all():
            raise MetricError(f"labels must be 0 or 1; {image} has {labels[~np.isin(labels, (0, 1))][0]!r}: map them")
        self._scores.extend(scores.tolist())
        self._labels.extend((labels == 1).tolist())

    def compute(self) -> ImageReport:
        """Return the numbers; raises MetricError without normal or without anomalous images."""
        scores, labels = self._checked()
        curve, values = _curve(scores, labels)
        best = best_f1(curve)
        below = values[best.best + 1] if best.best + 1 < values.size else -np.inf
        return ImageReport(
            auroc=_estimate(area(1.0)(curve)),
            ap=_estimate(average_precision(curve)),
            f1=None if self._threshold is None else _f1_at(scores, labels, self._threshold),
            best_f1=_f1_at(scores, labels, float(below)),
            images=scores.size,
        )

    def bootstrap(self, *, samples: int = 1000, confidence: float = 0.95, seed: int = 0) -> dict[str, Interval]:
        """Return intervals of auroc, ap, best_f1 and, where there is a threshold, f1, by drawing images again."""
        checked(samples, confidence)
        scores, labels = self._checked()
        wanted: dict[str, Callable[[Curve], Measured]] = {
            "auroc": area(1.0),
            "ap": average_precision,
            "best_f1": best_f1,
        }
        values: dict[str, list[float]] = {name: [] for name in wanted}
        rng = np.random.default_rng(seed)
        for _ in range(samples):
            drawn = rng.integers(0, scores.size, scores.size)
            if 0 < np.count_nonzero(labels[drawn]) < scores.size:
                curve, _ = _curve(scores[drawn], labels[drawn])
                for name, measure in wanted.items():
                    values[name].append(measure(curve).value)
        intervals = {name: interval(found, confidence) for name, found in values.items()}
        if self._threshold is not None:
            above = scores > self._threshold
            counts = np.column_stack([above & labels, above & ~labels, ~above & labels]).astype(np.int64)
            intervals["f1"] = f1_interval(counts, samples=samples, confidence=confidence, seed=seed)
        return intervals

    def reset(self) -> None:
        """Forget all images."""
        self._scores: list[float] = []
        self._labels: list[bool] = []

    def _checked(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        anomalous, count = sum(self._labels), len(self._labels)
        if not 0 < anomalous < count:
            raise MetricError(
                f"image metrics need normal and anomalous images; got {count - anomalous} and {anomalous}: "
                "check the split"
            )
        return np.array(self._scores), np.array(self._labels)


def image_auroc(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the AUROC of scores (N,) and labels (N,): the share of pairs in order, ties counting half."""
    return _of(scores, labels).auroc.value


def image_ap(scores: ArrayLike, labels: ArrayLike) -> float:
    """Return the average precision of scores (N,) and labels (N,), as scikit-learn defines it."""
    return _of(scores, labels).ap.value


def _of(scores: ArrayLike, labels: ArrayLike) -> ImageReport:
    metrics = ImageMetrics()
    metrics.update(scores, labels)
    return metrics.compute()


def _curve(scores: NDArray[Any], labels: NDArray[np.bool_]) -> tuple[Curve, NDArray[np.float64]]:
    values, places = np.unique(-scores, return_inverse=True)
    found = np.bincount(places, labels, minlength=values.size)
    count = np.bincount(places, minlength=values.size)
    normal = (count - found).astype(np.float64)
    return Curve(normal, found.astype(np.float64), np.ones(values.size, bool)), -values


def _f1_at(scores: NDArray[Any], labels: NDArray[np.bool_], threshold: float) -> F1:
    above = scores > threshold
    hits, alarms = int(np.count_nonzero(above & labels)), int(np.count_nonzero(above & ~labels))
    return f1_of(hits, alarms, int(np.count_nonzero(labels)) - hits, threshold)


def _estimate(measured: Measured) -> Estimate:
    return Estimate(measured.value, measured.bound)
