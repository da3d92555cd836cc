"""Inference: scores and maps of files and arrays from any detector, regions of interest, and what went wrong.

>>> from pyimgano_industrial.inference import read_input
>>> read_input(np.full((2, 3), 7, np.uint8))[0, 0].tolist()
[7, 7, 7]
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyimgano_industrial.inference.feed import read_input
    from pyimgano_industrial.inference.formats import FORMATS, InputFormatError
    from pyimgano_industrial.inference.latency import Latency
    from pyimgano_industrial.inference.region_detector import RegionDetector
    from pyimgano_industrial.inference.result import Result
    from pyimgano_industrial.inference.rois import Rois
    from pyimgano_industrial.inference.run import InferenceError, infer, infer_iter

__all__ = [
    "FORMATS",
    "InferenceError",
    "InputFormatError",
    "Latency",
    "RegionDetector",
    "Result",
    "Rois",
    "infer",
    "infer_iter",
    "read_input",
]

_MODULES = {
    "FORMATS": "formats",
    "InferenceError": "run",
    "InputFormatError": "formats",
    "Latency": "latency",
    "RegionDetector": "region_detector",
    "Result": "result",
    "Rois": "rois",
    "infer": "run",
    "infer_iter": "run",
    "read_input": "feed",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
