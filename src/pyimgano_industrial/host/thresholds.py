"""Seam: `calibrate_threshold` says what its threshold rests on, and where it cannot hold."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.inference.calibration import Source
from pyimgano_industrial.inference.calibrator import Calibrator

_OPTIONS = ("input_format", "u16_max", "batch_size", "amp")


def apply(host: ModuleType) -> None:
    """Keep the host's signature and threshold; add the warnings, and leave the report as `detector.calibration_`."""
    original = expect(host, "calibrate_threshold", "detector", "calibration_inputs", "quantile", *_OPTIONS)
    expect(host, "collect_calibration_scores", "detector", "calibration_inputs", *_OPTIONS)

    @wraps(original)
    def calibrate_threshold(
        detector: Any, calibration_inputs: Sequence[Any], *, quantile: float = 0.995, **options: Any
    ) -> float:
        if not 0 < quantile < 1:
            return original(detector, calibration_inputs, quantile=quantile, **options)  # type: ignore[no-any-return]
        # Looked up when called: others replace it, too.
        scores = host.collect_calibration_scores(detector, calibration_inputs, **options)
        calibration = Calibrator(method="quantile", target_fpr=round(1 - quantile, 12)).fit(
            scores, images=names(calibration_inputs), source=source_of(detector, scores)
        )
        threshold: float = np.quantile(scores, quantile).item()
        calibration.at(threshold).apply(detector)
        return threshold

    host.calibrate_threshold = calibrate_threshold  # type: ignore[attr-defined]  # the host's module attribute
    rebind("calibrate_threshold", original, calibrate_threshold)


def source_of(detector: Any, scores: NDArray[np.float64]) -> Source:
    """Return "train" where the scores are those of the images that the detector was fitted on.

    The host's detectors keep the scores of their fit. A memory bank leaves an image out of its own neighbours there, so
    that asked again it scores every image as high or lower.
    """
    fitted = getattr(detector, "decision_scores_", None)
    if fitted is None or getattr(detector, "source_", None) == "held-out" or np.shape(fitted) != np.shape(scores):
        return "held-out"
    slack = 1e-6 * np.abs(fitted).max(initial=0)
    return "train" if np.all(scores <= np.asarray(fitted) + slack) else "held-out"


def names(images: Sequence[Any]) -> list[str] | None:
    """Return the names of images that are paths; arrays have none."""
    return None if any(isinstance(image, np.ndarray) for image in images) else [str(image) for image in images]
