from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import detectors
from pictures import part, photograph, stored
from pyimgano_industrial.core.calls import calls_of
from pyimgano_industrial.presets import CameraProfile, Chain, PresetDetector, PresetError, Step, chain
from pyimgano_industrial.presets.augmentation import CameraRobust


class Mean:
    """Scores by distance from the mean colour of what it was fitted on; remembers what it was given."""

    def fit(self, images: list[np.ndarray], **kwargs: Any) -> Mean:
        self.fitted_ = [image.copy() for image in images]
        self.kwargs_ = kwargs
        self.mean_ = np.mean([image.mean(axis=(0, 1)) for image in images], axis=0)
        self.threshold_ = 3.0
        return self

    def decision_function(self, images: list[np.ndarray]) -> np.ndarray:
        self.scored_ = [image.copy() for image in images]
        return np.array([np.abs(image.mean(axis=(0, 1)) - self.mean_).max() for image in images], np.float32)


class MeanWithMaps(Mean):
    def predict_anomaly_map(self, images: list[np.ndarray]) -> list[np.ndarray]:
        return [np.abs(image - self.mean_).max(axis=2).astype(np.float32) for image in images]


GOOD = [photograph(seed) for seed in range(12)]


def test_a_chain_that_asks_for_variants_fits_the_detector_on_them_too() -> None:
    """`industrial-camera-robust` is the profile, then variants of what it leaves, and scores images as they are."""

    class Seen:
        def fit(self, images: Any) -> None:
            self.fitted = [*images]

        def decision_function(self, images: Any) -> Any:
            self.scored = [*images]
            return [0.0] * len(self.scored)

    images = [photograph(seed) for seed in range(6)]
    inner = Seen()
    model = PresetDetector(detector=inner, preset="industrial-camera-robust").fit(images)
    assert len(inner.fitted) == 18
    augment = CameraRobust("normal", 0)
    for index, image in enumerate(images):
        corrected = model.chain_.apply(image)
        np.testing.assert_array_equal(inner.fitted[3 * index], corrected)
        for copy in (1, 2):
            np.testing.assert_array_equal(inner.fitted[3 * index + copy], augment(corrected, index=3 * index + copy))
    model.decision_function(images[:2])
    np.testing.assert_array_equal(inner.scored, [model.chain_.apply(image) for image in images[:2]])


def test_the_chain_comes_before_fit_and_before_scores_alike() -> None:
    inner = Mean()
    wrapped = PresetDetector(detector=inner, preset="industrial-clahe").fit(GOOD, tag=1)
    expected = [chain("industrial-clahe").apply(image) for image in GOOD]
    for found in (inner.fitted_, wrapped.decision_function(GOOD) is not None and inner.scored_):
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
    assert inner.kwargs_ == {"tag": 1}


def test_a_profile_is_fitted_with_the_detector_and_takes_drift_out_of_the_scores() -> None:
    plain = Mean().fit(GOOD)
    wrapped = PresetDetector(detector=Mean()).fit(GOOD)
    dark = [stored(part(seed) * 0.75) for seed in range(50, 56)]
    assert (plain.decision_function(dark) > 15).all()
    assert (wrapped.decision_function(dark) < 6).all()
    assert not wrapped.chain_.waits
    assert wrapped.predict(GOOD[:2]).tolist() == (wrapped.decision_function(GOOD[:2]) > 3).astype(int).tolist()


def test_files_and_arrays_score_alike(tmp_path: Path) -> None:
    wrapped = PresetDetector(detector=Mean()).fit(GOOD)
    path = tmp_path / "part.png"
    cv2.imwrite(f"{path}", GOOD[0][..., ::-1])
    assert wrapped.decision_function([f"{path}"]) == wrapped.decision_function([GOOD[0]])
    assert wrapped.decision_function([path]) == wrapped.decision_function([GOOD[0]])


def test_maps_are_there_where_the_detector_has_them_and_only_there() -> None:
    with_maps = PresetDetector(detector=MeanWithMaps(), preset="industrial-gray-world").fit(GOOD)
    images = [GOOD[0], photograph(3, height=60, width=70), GOOD[1]]
    scores, maps = with_maps.score_and_map(images)
    np.testing.assert_allclose(scores, with_maps.decision_function(images))
    assert [one.shape for one in maps] == [(120, 160), (60, 70), (120, 160)]
    np.testing.assert_array_equal(with_maps.get_anomaly_map(images[1]), maps[1])
    assert isinstance(with_maps.predict_anomaly_map(images), list)
    assert with_maps.predict_anomaly_map(GOOD[:2]).shape == (2, 120, 160)
    assert calls_of(with_maps).has_maps
    assert isinstance(with_maps, PresetDetector)
    without = PresetDetector(detector=Mean())
    assert not calls_of(without).has_maps


@pytest.mark.parametrize("kind", [detectors.ListOnly, detectors.BatchOnly])
def test_detectors_of_any_form_are_wrapped(kind: type) -> None:
    wrapped = PresetDetector(detector=kind(), preset=Chain("none", ()))
    np.testing.assert_allclose(wrapped.decision_function(GOOD[:3]), [image.mean() for image in GOOD[:3]], rtol=1e-5)


def test_what_the_wrapper_lacks_comes_from_the_detector_and_it_pickles() -> None:
    wrapped = PresetDetector(detector=MeanWithMaps()).fit(GOOD)
    assert wrapped.threshold_ == 3.0
    again = pickle.loads(pickle.dumps(wrapped))
    np.testing.assert_array_equal(again.score_and_map(GOOD[:2])[0], wrapped.score_and_map(GOOD[:2])[0])
    with pytest.raises(AttributeError, match="nothing"):
        _ = wrapped.nothing


def test_a_fitted_profile_is_taken_as_it_is(tmp_path: Path) -> None:
    profile = CameraProfile.fit(GOOD)
    profile.save(tmp_path / "line.json")
    preset = {"name": "line", "steps": [{"step": "camera_profile", "profile": f"{tmp_path / 'line.json'}"}]}
    wrapped = PresetDetector(detector=Mean(), preset=preset).fit([photograph(99)])
    dark = stored(part(50) * 0.7)
    np.testing.assert_array_equal(wrapped.chain_.apply(dark), profile.correct(dark)[0])


def test_an_image_that_is_none_is_named(tmp_path: Path) -> None:
    wrapped = PresetDetector(detector=Mean(), preset=Chain("g", (Step("gray_world"),))).fit(GOOD)
    with pytest.raises(PresetError, match="image 1 has int64"):
        wrapped.decision_function([GOOD[0], np.zeros((3, 3), np.int64)])
    with pytest.raises(ValueError, match=r"image file not found: .*none\.png"):
        wrapped.decision_function([tmp_path / "none.png"])
