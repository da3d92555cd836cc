"""The camera-robust augmentation: what it keeps, what it varies, and that a seed repeats it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyimgano_industrial.core.errors import UnknownNameError
from pyimgano_industrial.presets.augmentation import (
    STRENGTHS,
    AugmentationError,
    CameraRobust,
    Ranges,
    industrial_camera_robust,
)

NOTHING = Ranges(exposure=0, gain=0, gamma=0, vignette=0, shadow=0, blur=0, noise=0, jpeg=95)


def scene(shape: tuple[int, ...] = (64, 96, 3), dtype: type = np.uint8) -> np.ndarray:
    rng = np.random.default_rng(7)
    smooth = np.linspace(0.2, 0.8, shape[1])[None, :, None] + rng.normal(0, 0.02, (*shape[:2], 3))
    image = np.clip(smooth, 0, 1)[..., 0] if len(shape) == 2 else np.clip(smooth, 0, 1)
    return image.astype(np.float32) if dtype is np.float32 else (image * np.iinfo(dtype).max).astype(dtype)


@settings(max_examples=40, deadline=None)
@given(
    height=st.integers(1, 24),
    width=st.integers(1, 24),
    grey=st.booleans(),
    dtype=st.sampled_from([np.uint8, np.uint16, np.float32]),
    strength=st.sampled_from(["mild", "normal", "harsh"]),
    index=st.integers(0, 50),
)
def test_shape_dtype_and_range_are_kept_and_a_seed_repeats(
    height: int, width: int, grey: bool, dtype: type, strength: str, index: int
) -> None:
    image = scene((height, width) if grey else (height, width, 3), dtype)
    before = image.copy()
    one = CameraRobust(strength, seed=5)(image, index=index)
    assert one.shape == image.shape
    assert one.dtype == image.dtype
    assert np.isfinite(one).all()
    if dtype is np.float32:
        assert one.min() >= 0
        assert one.max() <= 1
    assert np.array_equal(one, industrial_camera_robust(image, strength=strength, seed=5, index=index))
    assert np.array_equal(image, before)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_without_effects_the_image_comes_back(dtype: type) -> None:
    image = scene(dtype=dtype)
    peak = 1 if dtype is np.float32 else np.iinfo(dtype).max
    back = CameraRobust(chance=0)(image)
    assert np.abs(back.astype(np.float64) - image).max() <= max(1e-5 * peak, 1 if dtype is np.uint8 else 0)


def test_sixteen_bits_keep_more_levels_than_eight() -> None:
    image = scene(dtype=np.uint16)
    varied = CameraRobust("normal", chance=1.0)(image, index=1)
    assert len(np.unique(varied)) > 256


@pytest.mark.parametrize(
    ("effect", "level"),
    [
        ("exposure", 1.0), ("gain", 0.2), ("gamma", 0.4), ("vignette", 0.6), ("shadow", 0.6), ("blur", 40.0),
        ("noise", 0.05), ("jpeg", 10),
    ],
)  # fmt: skip
def test_each_effect_alone_changes_the_image(effect: str, level: float) -> None:
    image = scene()
    some = replace(NOTHING, **{effect: level})
    calm = [CameraRobust(chance=1.0, ranges=NOTHING)(image, index=index).astype(int) for index in range(4)]
    varied = [CameraRobust(chance=1.0, ranges=some)(image, index=index) for index in range(4)]
    assert max(np.abs(one - other).max() for one, other in zip(varied, calm, strict=True)) > 2


def test_strengths_are_ordered() -> None:
    image = scene()
    changes = [
        np.mean([np.abs(CameraRobust(name, chance=1.0)(image, index=i) - image.astype(int)).mean() for i in range(12)])
        for name in STRENGTHS
    ]
    assert list(STRENGTHS) == ["mild", "normal", "harsh"]
    assert changes[0] < changes[1] < changes[2]


def test_variants_differ_from_one_another() -> None:
    variants = [CameraRobust(seed=1)(scene(), index=index) for index in range(8)]
    assert len({variant.tobytes() for variant in variants}) == 8


def test_nothing_moves_so_that_masks_stay_right() -> None:
    image = np.full((65, 65, 3), 60, np.uint8)
    image[30:35, 40:45] = 230
    for index in range(10):
        varied = CameraRobust("normal", seed=3)(image, index=index).astype(float).mean(2)
        weight = np.clip(varied - np.median(varied) - 40, 0, None)
        rows, columns = np.indices(weight.shape)
        centre = (rows * weight).sum() / weight.sum(), (columns * weight).sum() / weight.sum()
        assert centre == pytest.approx((32, 42), abs=0.3)


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"must be \(H, W\) or \(H, W, 3\).*\(4, 4, 4\) uint8"),
        (np.zeros((4, 4), np.int32), "int32: convert it"),
        (np.zeros((0, 4), np.uint8), r"must have pixels; got shape \(0, 4\)"),
        (np.full((4, 4), 2, np.float32), r"finite and in 0\.\.1"),
        (np.full((4, 4), np.nan, np.float32), r"finite and in 0\.\.1"),
    ],
)
def test_what_cannot_be_augmented_is_an_error(image: np.ndarray, message: str) -> None:
    with pytest.raises(AugmentationError, match=message):
        CameraRobust()(image)


def test_wrong_settings_are_errors() -> None:
    with pytest.raises(UnknownNameError, match="strength must be one of mild, normal, harsh; got 'hard'"):
        CameraRobust("hard")  # type: ignore[arg-type]
    with pytest.raises(AugmentationError, match=r"chance must be in 0\.\.1.*got 2"):
        CameraRobust(chance=2)
