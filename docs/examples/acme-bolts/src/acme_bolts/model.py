"""A gauge: the absolute difference to the median good image, seen on a grid."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.images import read_rgb

COARSE = {"acme_gauge": {"grid": 32}}


class Gauge:
    """Takes arrays (H, W, 3) uint8 RGB or paths; scores and maps are grey levels, higher is more anomalous."""

    def __init__(self, *, grid: int = 64) -> None:
        self.grid = grid

    def fit(self, images: Sequence[NDArray[np.uint8] | str | Path], y: object = None) -> "Gauge":
        self.median_ = np.median([self._shrink(image)[0] for image in images], axis=0)
        return self

    def decision_function(self, images: Sequence[NDArray[np.uint8] | str | Path]) -> NDArray[np.float32]:
        return np.array([self._difference(image)[0].max() for image in images], np.float32)

    def predict_anomaly_map(self, images: Sequence[NDArray[np.uint8] | str | Path]) -> NDArray[np.float32]:
        import cv2

        seen = [self._difference(image) for image in images]
        return np.stack([cv2.resize(difference, (width, height)) for difference, (height, width) in seen])

    def _difference(self, image: NDArray[np.uint8] | str | Path) -> tuple[NDArray[np.float32], tuple[int, int]]:
        small, size = self._shrink(image)
        return np.abs(small - self.median_).mean(axis=2).astype(np.float32), size

    def _shrink(self, image: NDArray[np.uint8] | str | Path) -> tuple[NDArray[np.float32], tuple[int, int]]:
        import cv2

        pixels = image if isinstance(image, np.ndarray) else read_rgb(image)
        small = cv2.resize(pixels, (self.grid, self.grid), interpolation=cv2.INTER_AREA)
        return small.astype(np.float32), pixels.shape[:2]
