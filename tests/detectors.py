"""Small detectors, each with one habit of the many that detectors have; all score an image by its mean."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np


def mean(image: np.ndarray) -> float:
    return image.mean(dtype=np.float64).item()


def red(image: np.ndarray) -> np.ndarray:
    return image[..., 0].astype(np.float64)


class ListOnly:
    def decision_function(self, images: list[np.ndarray]) -> list[float]:
        if not isinstance(images, list) or not all(isinstance(one, np.ndarray) and one.ndim == 3 for one in images):
            raise TypeError("expected a list of images")
        return [mean(one) for one in images]

    def predict_anomaly_map(self, images: list[np.ndarray]) -> list[np.ndarray]:
        self.decision_function(images)
        return [red(one) for one in images]


class BatchOnly:
    def decision_function(self, images: np.ndarray) -> np.ndarray:
        if not isinstance(images, np.ndarray) or images.ndim != 4:
            raise TypeError("expected a batch (N, H, W, C)")
        return images.mean(axis=(1, 2, 3))[:, None]

    def predict_anomaly_map(self, images: np.ndarray) -> np.ndarray:
        self.decision_function(images)
        return images[:, None, :, :, 0]


class SingleOnly:
    def decision_function(self, image: np.ndarray) -> float:
        if not isinstance(image, np.ndarray) or image.ndim != 3:
            raise TypeError("expected one image (H, W, C)")
        return mean(image)

    def get_anomaly_map(self, image: np.ndarray) -> np.ndarray:
        self.decision_function(image)
        return red(image)[..., None]


class PathOnly:
    """Reads its files itself, as a detector written for cv2.imread does."""

    def decision_function(self, paths: list[str]) -> np.ndarray:
        return np.array([mean(self.read(path)) for path in paths])

    def predict_anomaly_map(self, paths: list[str]) -> np.ndarray:
        return np.stack([red(self.read(path)) for path in paths])

    @staticmethod
    def read(path: str) -> np.ndarray:
        pixels = cv2.imread(path)
        if pixels is None:
            raise FileNotFoundError(path)
        return pixels[..., ::-1]


class Gives:
    """Returns what it was made with, cut to the number of images; counts its calls."""

    def __init__(self, scores: Any = None, maps: Any = None) -> None:
        self.scores, self.maps, self.calls = scores, maps, 0

    def decision_function(self, images: list[np.ndarray]) -> Any:
        self.calls += 1
        return [mean(one) for one in images] if self.scores is None else self.scores

    def predict_anomaly_map(self, images: list[np.ndarray]) -> Any:  # noqa: ARG002 - a detector's signature
        self.calls += 1
        return self.maps


class ScoresOnly:
    def decision_function(self, images: list[np.ndarray]) -> list[float]:
        return [mean(one) for one in images]


class BrokenMaps(ScoresOnly):
    """Its map call fails in a way that no form of the images can mend."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error, self.calls = error or RuntimeError("the hook is gone"), 0

    def predict_anomaly_map(self, images: list[np.ndarray]) -> Any:  # noqa: ARG002 - a detector's signature
        self.calls += 1
        raise self.error


class OnePass:
    """Gives scores and maps together, maps of a quarter of the size."""

    def __init__(self) -> None:
        self.calls = 0

    def decision_function(self, images: list[np.ndarray]) -> list[float]:
        self.calls += 1
        return [mean(one) for one in images]

    def score_and_map(self, images: list[np.ndarray]) -> tuple[list[float], list[np.ndarray]]:
        self.calls += 1
        return [mean(one) for one in images], [red(one)[::4, ::4] for one in images]


class Brightest:
    """Has maps: how far a pixel lies above the brightest of the normal images; scores by its maximum."""

    threshold_ = 5.0

    def fit(self, images: list[Any], y: Any = None) -> Brightest:  # noqa: ARG002 - a detector's signature
        from pyimgano_industrial.inference import read_input

        self.level = max(read_input(one).max().item() for one in images)
        return self

    def decision_function(self, images: list[np.ndarray]) -> list[float]:
        return [one.max().item() for one in self.predict_anomaly_map(images)]

    def predict_anomaly_map(self, images: list[np.ndarray]) -> list[np.ndarray]:
        return [np.maximum(one.max(axis=2).astype(np.float32) - self.level, 0) for one in images]
