"""Metrics of image scores and anomaly maps: streaming, in bounded memory, each number with its error bound.

>>> import numpy as np
>>> from pyimgano_industrial.metrics import AUPRO
>>> metric = AUPRO(limit=0.3)
>>> metric.update(np.array([[0.1, 0.2], [0.3, 0.9]]), np.array([[0, 0], [0, 1]]))
>>> metric.compute()
Estimate(value=1.0, bound=0.0)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyimgano_industrial.core.names import on_demand

if TYPE_CHECKING:
    from pyimgano_industrial.metrics.checks import MetricError
    from pyimgano_industrial.metrics.image import ImageMetrics, ImageReport, image_ap, image_auroc
    from pyimgano_industrial.metrics.pixel import PixelMetrics
    from pyimgano_industrial.metrics.results import F1, Estimate, Interval, PixelReport, SPROReport
    from pyimgano_industrial.metrics.single import AUPRO, PixelAP, PixelAUROC, aupro, pixel_ap, pixel_auroc
    from pyimgano_industrial.metrics.spro import AUSPRO, DefectChannel, saturation_area

__all__ = [
    "AUPRO",
    "AUSPRO",
    "F1",
    "DefectChannel",
    "Estimate",
    "ImageMetrics",
    "ImageReport",
    "Interval",
    "MetricError",
    "PixelAP",
    "PixelAUROC",
    "PixelMetrics",
    "PixelReport",
    "SPROReport",
    "aupro",
    "image_ap",
    "image_auroc",
    "pixel_ap",
    "pixel_auroc",
    "saturation_area",
]

_MODULES = {
    "AUPRO": "single",
    "AUSPRO": "spro",
    "DefectChannel": "spro",
    "Estimate": "results",
    "F1": "results",
    "ImageMetrics": "image",
    "ImageReport": "image",
    "Interval": "results",
    "MetricError": "checks",
    "PixelAP": "single",
    "PixelAUROC": "single",
    "PixelMetrics": "pixel",
    "PixelReport": "results",
    "SPROReport": "results",
    "aupro": "single",
    "image_ap": "image",
    "image_auroc": "image",
    "pixel_ap": "single",
    "pixel_auroc": "single",
    "saturation_area": "spro",
}

__getattr__, __dir__ = on_demand(__name__, _MODULES)
