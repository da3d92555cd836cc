"""A detector fitted on variants: what it sees, what it scores, and how it is handed on."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trees
from pyimgano_industrial.presets.augmentation import AugmentationError, CameraRobust
from pyimgano_industrial.presets.augmented_detector import AugmentedDetector, Variants


class Nearest:
    """Distance of an image's mean colour to the nearest one it was fitted on."""

    contamination = 0.1

    def fit(self, images: Sequence[np.ndarray], y: Any = None) -> Nearest:
        self.labels = y
        self.bank = np.array([image.mean((0, 1)) for image in images])
        return self

    def decision_function(self, images: Sequence[np.ndarray]) -> list[float]:
        return [np.linalg.norm(self.bank - image.mean((0, 1)), axis=1).min() for image in images]


def good(count: int = 6) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(120, 6, (32, 32, 3)).clip(0, 255).astype(np.uint8) for _ in range(count)]


def test_the_detector_sees_each_image_and_its_variants_and_scores_images_as_they_are() -> None:
    images = good()
    detector = AugmentedDetector(detector=Nearest(), copies=3, seed=2).fit(images)
    assert detector.bank.shape == (24, 3)
    assert np.allclose(detector.bank[::4], [image.mean((0, 1)) for image in images])
    assert detector.decision_function(images) == pytest.approx([0.0] * 6)


def test_other_light_is_less_anomalous_after_fitting_on_variants() -> None:
    images = good()
    darker = [(image * 0.8).astype(np.uint8) for image in images]
    plain = Nearest().fit(images).decision_function(darker)
    augmented = AugmentedDetector(detector=Nearest(), copies=8).fit(images).decision_function(darker)
    assert np.mean(augmented) < 0.5 * np.mean(plain)


def test_files_are_read_and_labels_repeated(tmp_path: Path) -> None:
    paths = [trees.write(tmp_path / f"{index}.png", image) for index, image in enumerate(good(2))]
    detector = AugmentedDetector(detector=Nearest(), copies=1).fit(paths, y=[0, 0])
    assert detector.bank.shape == (4, 3)
    assert detector.labels.tolist() == [0, 0, 0, 0]


def test_variants_are_the_same_by_index_slice_and_iteration() -> None:
    variants = Variants(good(3), CameraRobust(seed=4), copies=2)
    assert len(variants) == 9
    listed = list(variants)
    assert all(np.array_equal(variants[index], one) for index, one in enumerate(listed))
    assert all(np.array_equal(one, other) for one, other in zip(variants[-4:], listed[-4:], strict=True))
    with pytest.raises(IndexError):
        variants[9]


def test_it_pickles_and_hands_on_what_the_detector_knows() -> None:
    detector = AugmentedDetector(detector=Nearest()).fit(good())
    again = pickle.loads(pickle.dumps(detector))
    assert again.contamination == 0.1
    assert np.array_equal(again.bank, detector.bank)
    with pytest.raises(AttributeError):
        again.threshold_  # noqa: B018 - this detector has none


def test_what_cannot_be_is_an_error() -> None:
    with pytest.raises(AugmentationError, match=r"copies must be at least 1.*got 0"):
        AugmentedDetector(detector=Nearest(), copies=0)
    with pytest.raises(AugmentationError, match="at least one normal image; got none"):
        AugmentedDetector(detector=Nearest()).fit([])
    shrink = AugmentedDetector(detector=Nearest(), augmentation=lambda image, *, index: image[index:])
    with pytest.raises(AugmentationError, match=r"must keep shape and dtype, \(32, 32, 3\) uint8; got \(31, 32, 3\)"):
        shrink.fit(good())


def test_the_host_makes_it_by_name() -> None:
    from pyimgano.models import create_model

    made = create_model("industrial_camera_robust", detector=Nearest(), copies=1, strength="mild")
    assert made.fit(good(2)).bank.shape == (4, 3)
