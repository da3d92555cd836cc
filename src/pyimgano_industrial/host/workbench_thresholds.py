"""Seam: the threshold of pyimgano-train says what it promises, in its report and in the infer_config."""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np

from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.host.thresholds import names, source_of
from pyimgano_industrial.inference.calibration import in_force
from pyimgano_industrial.inference.calibrator import Calibrator


def apply(host: ModuleType) -> None:
    """Keep the host's threshold; add our report to the summary of scores, which is what it passes on."""
    name = "calibrate_detector_threshold_with_summary"
    original = expect(host, name, "detector", "calibration_inputs", "quantile", "input_format")
    expect(host, "collect_calibration_scores", "detector", "calibration_inputs", "input_format")
    expect(host, "summarize_calibration_scores", "scores")
    expect(host, "resolve_default_quantile", "detector")

    @wraps(original)
    def calibrate(
        detector: Any, calibration_inputs: Sequence[Any], *, quantile: float | None = None, input_format: Any = None
    ) -> tuple[float, dict[str, Any]]:
        wanted = host.resolve_default_quantile(detector)[0] if quantile is None else quantile
        scores = host.collect_calibration_scores(detector, calibration_inputs, input_format=input_format)
        calibration = Calibrator(method="quantile", target_fpr=round(1 - wanted, 12)).fit(
            scores, images=names(calibration_inputs), source=source_of(detector, scores)
        )
        threshold = np.quantile(scores, wanted).item()
        calibration = calibration.at(threshold).after(in_force(detector))
        detector.threshold_ = threshold
        return threshold, host.summarize_calibration_scores(scores) | {"calibration": calibration.to_dict()}

    setattr(host, name, calibrate)
    rebind(name, original, calibrate)
