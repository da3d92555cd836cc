"""Inference: scores and maps of files and arrays from any detector, and thresholds from normal images that hold.

>>> from pyimgano_industrial.inference import Calibrator, read_input
>>> read_input(np.full((2, 3), 7, np.uint8))[0, 0].tolist()
[7, 7, 7]
>>> Calibrator(method="conformal", target_fpr=0.25).fit([1.0, 2.0, 3.0, 4.0]).threshold
4.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyimgano_industrial.core.names import on_demand

if TYPE_CHECKING:
    from pyimgano_industrial.inference.calibration import Calibration, CalibrationError
    from pyimgano_industrial.inference.calibrator import Calibrator
    from pyimgano_industrial.inference.changes import ThresholdChange, ThresholdChangeError
    from pyimgano_industrial.inference.feed import read_input
    from pyimgano_industrial.inference.formats import FORMATS, InputFormatError
    from pyimgano_industrial.inference.holdout import fit_and_calibrate, fit_and_score
    from pyimgano_industrial.inference.latency import Latency
    from pyimgano_industrial.inference.pixels import PixelScores
    from pyimgano_industrial.inference.region_detector import RegionDetector
    from pyimgano_industrial.inference.result import Result
    from pyimgano_industrial.inference.rois import Rois
    from pyimgano_industrial.inference.run import InferenceError, infer, infer_iter

__all__ = [
    "FORMATS",
    "Calibration",
    "CalibrationError",
    "Calibrator",
    "InferenceError",
    "InputFormatError",
    "Latency",
    "PixelScores",
    "RegionDetector",
    "Result",
    "Rois",
    "ThresholdChange",
    "ThresholdChangeError",
    "fit_and_calibrate",
    "fit_and_score",
    "infer",
    "infer_iter",
    "read_input",
]

_MODULES = {
    "Calibration": "calibration",
    "CalibrationError": "calibration",
    "Calibrator": "calibrator",
    "FORMATS": "formats",
    "InferenceError": "run",
    "InputFormatError": "formats",
    "Latency": "latency",
    "PixelScores": "pixels",
    "RegionDetector": "region_detector",
    "Result": "result",
    "Rois": "rois",
    "ThresholdChange": "changes",
    "ThresholdChangeError": "changes",
    "fit_and_calibrate": "holdout",
    "fit_and_score": "holdout",
    "infer": "run",
    "infer_iter": "run",
    "read_input": "feed",
}

__getattr__, __dir__ = on_demand(__name__, _MODULES)
