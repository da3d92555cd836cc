"""Pipelines of albumentations and kornia in place of our own variants, run with the real libraries."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyimgano_industrial.presets.augmented_detector import AugmentedDetector

IMAGES = [np.full((32, 48, 3), 60 + 20 * index, np.uint8) for index in range(4)]


class Seen:
    """Keeps what it is fitted on."""

    def fit(self, images: Any) -> None:
        self.images = list(images)

    def decision_function(self, images: Any) -> np.ndarray:
        return np.zeros(len(images), np.float32)


def fitted(augmentation: Any) -> list[np.ndarray]:
    return AugmentedDetector(detector=Seen(), augmentation=augmentation, copies=2).fit(IMAGES).detector.images


def check(images: list[np.ndarray]) -> None:
    assert len(images) == 3 * len(IMAGES)
    assert all(np.array_equal(image, own) for image, own in zip(images[::3], IMAGES, strict=True))
    assert all((image.shape, image.dtype) == ((32, 48, 3), np.uint8) for image in images)
    assert all(np.any(image != IMAGES[index // 3]) for index, image in enumerate(images) if index % 3)


def test_a_pipeline_of_albumentations_makes_the_variants() -> None:
    albumentations = pytest.importorskip("albumentations", reason="needs albumentations: tox run -e pipelines")

    def varied(image: np.ndarray, *, index: int) -> np.ndarray:
        light = albumentations.RandomBrightnessContrast(brightness_limit=(0.1, 0.3), p=1)
        return albumentations.Compose([light], seed=index)(image=image)["image"]

    check(fitted(varied))
    assert all(np.array_equal(*pair) for pair in zip(fitted(varied), fitted(varied), strict=True))


def test_a_pipeline_of_kornia_makes_the_variants() -> None:
    augmentation = pytest.importorskip("kornia.augmentation", reason="needs kornia: tox run -e pipelines")
    import torch

    light = augmentation.ColorJiggle(brightness=(0.6, 0.8), p=1)

    def varied(image: np.ndarray, *, index: int) -> np.ndarray:
        torch.manual_seed(index)
        pixels = torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255
        return (light(pixels)[0].permute(1, 2, 0) * 255).round().byte().numpy()

    check(fitted(varied))
