"""Inference: thresholds from normal images only, for images and for pixels, with what they promise.

>>> from pyimgano_industrial.inference import Calibrator
>>> Calibrator(method="conformal", target_fpr=0.25).fit([1.0, 2.0, 3.0, 4.0]).threshold
4.0
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyimgano_industrial.inference.calibration import Calibration, CalibrationError
    from pyimgano_industrial.inference.calibrator import Calibrator
    from pyimgano_industrial.inference.holdout import fit_and_calibrate, fit_and_score
    from pyimgano_industrial.inference.pixels import PixelScores

__all__ = ["Calibration", "CalibrationError", "Calibrator", "PixelScores", "fit_and_calibrate", "fit_and_score"]

_MODULES = {
    "Calibration": "calibration",
    "CalibrationError": "calibration",
    "Calibrator": "calibrator",
    "PixelScores": "pixels",
    "fit_and_calibrate": "holdout",
    "fit_and_score": "holdout",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
