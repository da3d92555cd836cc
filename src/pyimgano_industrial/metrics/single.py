"""One pixel metric at a time, and each as a function of lists of arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.checks import MetricError
from pyimgano_industrial.metrics.collector import MEMORY, TOLERANCE
from pyimgano_industrial.metrics.measures import area, average_precision
from pyimgano_industrial.metrics.pixel import PixelMetrics
from pyimgano_industrial.metrics.results import Estimate

Arrays = Iterable[NDArray[Any]]
_Metric = TypeVar("_Metric", bound=PixelMetrics)


class AUPRO(PixelMetrics):
    """AU-PRO up to one false positive rate; `update` as for `PixelMetrics`.

    >>> import numpy as np
    >>> metric = AUPRO(limit=0.3)
    >>> metric.update(np.array([[0.1, 0.2], [0.3, 0.9]]), np.array([[0, 0], [0, 1]]))
    >>> metric.compute().value
    1.0
    """

    def __init__(
        self,
        *,
        limit: float = 0.3,
        tolerance: float = TOLERANCE,
        memory: int = MEMORY,
        folder: Path | str | None = None,
        copy: bool = True,
    ) -> None:
        super().__init__(limits=limit, tolerance=tolerance, memory=memory, folder=folder, copy=copy)

    def compute(self) -> Estimate:  # type: ignore[override] # one number in place of the report
        """Return AU-PRO, 0..1, with its error bound."""
        return self._single("regions", area(self._limits[0]))


class PixelAUROC(PixelMetrics):
    """Area under the ROC curve of all pixels."""

    def compute(self) -> Estimate:  # type: ignore[override] # one number in place of the report
        """Return AUROC, 0..1, with its error bound."""
        return self._single("pixels", area(1.0))


class PixelAP(PixelMetrics):
    """Average precision of all pixels."""

    def compute(self) -> Estimate:  # type: ignore[override] # one number in place of the report
        """Return AP, 0..1, with its error bound."""
        return self._single("pixels", average_precision)


def aupro(maps: Arrays, masks: Arrays, *, limit: float = 0.3) -> Estimate:
    """Return AU-PRO of maps [(H, W)] and masks [(H, W)], up to a false positive rate."""
    with _filled(AUPRO(limit=limit, copy=_passing(maps)), maps, masks) as metric:
        return metric.compute()


def pixel_auroc(maps: Arrays, masks: Arrays) -> Estimate:
    """Return the AUROC of all pixels of maps [(H, W)] and masks [(H, W)]."""
    with _filled(PixelAUROC(copy=_passing(maps)), maps, masks) as metric:
        return metric.compute()


def pixel_ap(maps: Arrays, masks: Arrays) -> Estimate:
    """Return the average precision of all pixels of maps [(H, W)] and masks [(H, W)]."""
    with _filled(PixelAP(copy=_passing(maps)), maps, masks) as metric:
        return metric.compute()


def _passing(maps: Arrays) -> bool:
    """Return whether maps may be gone once they were passed, unlike those of a list."""
    return not isinstance(maps, list | tuple | np.ndarray)


@contextmanager
def _filled(metric: _Metric, maps: Arrays, masks: Arrays) -> Iterator[_Metric]:
    left, right = iter(maps), iter(masks)
    with metric:
        for anomaly_map in left:
            mask = next(right, None)
            if mask is None:
                raise MetricError(
                    f"each map needs a mask; there is none for map {metric.count}: zeros where it is good"
                )
            metric.update(anomaly_map, mask)
        if next(right, None) is not None:
            raise MetricError(f"each mask needs a map; there are {metric.count} maps and more masks: pass all maps")
        yield metric
