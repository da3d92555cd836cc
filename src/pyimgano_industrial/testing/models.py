"""What every detector promises; subclass ModelContract and implement `make_detector`."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = list[NDArray[np.uint8]]


class ModelContract:
    """Checks a detector against its promises, on small generated images.

    >>> class TestGauge(ModelContract):
    ...     def make_detector(self):
    ...         return Gauge()
    """

    image_size = (64, 96)

    def make_detector(self) -> Any:
        """Return an unfitted detector."""
        raise TypeError(f"{type(self).__name__} must define make_detector()")

    def normal_images(self, count: int = 6) -> Images:
        """Return (H, W, 3) uint8 images of the same scene with noise."""
        height, width = self.image_size
        scene = 90 + 60 * np.sin(np.linspace(0, 6, width)) * np.cos(np.linspace(0, 4, height))[:, None]
        noise = np.random.default_rng(0).normal(0, 3, (count, height, width, 3))
        return list(np.clip(scene[..., None] + noise, 0, 255).astype(np.uint8))

    def anomalous_image(self) -> NDArray[np.uint8]:
        """Return a normal image with a bright square on it."""
        image = self.normal_images(1)[0].copy()
        height, width = self.image_size
        image[height // 4 : height // 2, width // 4 : width // 2] = 255
        return image

    def test_fit_returns_the_detector(self) -> None:
        detector = self.make_detector()
        assert detector.fit(self.normal_images()) is detector

    def test_scores_are_one_finite_number_an_image(self) -> None:
        scores = np.asarray(self._fitted().decision_function(self.normal_images()))
        assert scores.shape == (6,)
        assert np.isfinite(scores).all()

    def test_an_anomalous_image_scores_higher_than_normal_ones(self) -> None:
        detector = self._fitted()
        normal = np.asarray(detector.decision_function(self.normal_images()))
        assert detector.decision_function([self.anomalous_image()])[0] > normal.max()

    def test_an_image_scores_the_same_alone_and_in_a_list(self) -> None:
        detector = self._fitted()
        images = [*self.normal_images(3), self.anomalous_image()]
        alone = [detector.decision_function([image])[0] for image in images]
        np.testing.assert_allclose(detector.decision_function(images), alone, rtol=1e-5, atol=1e-6)

    def test_maps_have_the_image_s_size_and_peak_at_the_defect(self) -> None:
        detector = self._fitted()
        if not hasattr(detector, "predict_anomaly_map"):
            return
        anomaly_map = np.asarray(detector.predict_anomaly_map([self.anomalous_image()]))[0]
        height, width = self.image_size
        assert anomaly_map.shape == self.image_size
        assert np.isfinite(anomaly_map).all()
        inside = anomaly_map[height // 4 : height // 2, width // 4 : width // 2]
        assert inside.mean() > anomaly_map.mean()

    def test_fitting_twice_gives_the_same_scores(self) -> None:
        images = [self.anomalous_image()]
        np.testing.assert_allclose(self._fitted().decision_function(images), self._fitted().decision_function(images))

    def test_a_fitted_detector_pickles(self) -> None:
        detector, images = self._fitted(), [self.anomalous_image()]
        copy = pickle.loads(pickle.dumps(detector))
        np.testing.assert_allclose(copy.decision_function(images), detector.decision_function(images))

    def _fitted(self) -> Any:
        return self.make_detector().fit(self.normal_images())
