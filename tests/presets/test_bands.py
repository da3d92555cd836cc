"""Steps that work in bands of rows give what the whole image at once gives."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pyimgano_industrial.presets import STEPS, pixels
from pyimgano_industrial.presets.bands import Enlarged, blur_radius, halved, overlapping, reduced
from pyimgano_industrial.presets.measures import noise_level
from pyimgano_industrial.presets.pixels import FULL_SCALE, to_float

OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("deblock", {}),
    ("deblock", {"size": 4}),
    ("deblock", {"size": 7, "strength": 0.2}),
    ("denoise", {}),
    ("denoise", {"sigma": 4.0}),
    ("homomorphic", {}),
    ("homomorphic", {"cutoff": 0.25}),
    ("mask_glare", {}),
    ("match_sharpness", {"target": 0.03}),
    ("match_sharpness", {"target": 0.001, "sigma": 5.0}),
]


def picture(shape: tuple[int, ...], kind: str) -> NDArray[Any]:
    """A textured picture with noise and a patch of glare."""
    height, width = shape[:2]
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    grey = 0.4 + 0.2 * np.sin(x * 60) * np.cos(y * 45) + np.random.default_rng(0).normal(0, 0.02, (height, width))
    image = grey if len(shape) == 2 else grey[..., None] * [1.1, 0.9, 0.7]
    image[height // 3 : height // 3 + max(1, height // 9), width // 4 : width // 4 + max(1, width // 7)] = 1
    parts = np.clip(image, 0, 1).astype(np.float32)
    scale = FULL_SCALE[kind]
    return parts if scale == 1 else np.rint(parts * scale).astype(kind)


@pytest.mark.parametrize(("name", "options"), OPTIONS)
@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
@pytest.mark.parametrize("shape", [(151, 113, 3), (210, 107), (5, 200), (90, 3, 3)])
def test_a_step_in_bands_equals_the_step_at_once(
    name: str, options: dict[str, Any], kind: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = picture(shape, kind)
    monkeypatch.setattr(pixels, "_STRIP", 2**40)
    at_once = STEPS[name](image, **options)
    monkeypatch.setattr(pixels, "_STRIP", 2**10)
    assert len([*overlapping(image, halo=0)]) > 1 or image.size <= 2**10
    in_bands = STEPS[name](image, **options)
    away = np.abs(in_bands.astype(np.float64) - at_once.astype(np.float64))
    # Sums in another order differ in the last bit of a float32, which moves a rounding of 16 bits now and then.
    assert away.max() <= {"uint8": 0, "uint16": 1, "float32": 1e-6}[kind]
    assert (away > 0).mean() < 0.005 or kind == "float32"


@pytest.mark.parametrize("kind", ["uint8", "uint16", "float32"])
def test_steps_equal_opencv_on_the_whole_image(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pixels, "_STRIP", 2**10)
    image = picture((151, 113, 3), kind)
    smooth = cv2.bilateralFilter(to_float(image), 7, sigmaColor=2 * noise_level(image), sigmaSpace=1.5)
    np.testing.assert_allclose(to_float(STEPS["denoise"](image)), smooth, atol=0.51 / FULL_SCALE[kind] + 1e-6)
    logs = np.log(np.maximum(to_float(image), np.float32(1 / 512)))
    sigma = np.sqrt(0.5) / (np.pi * 0.25 / 2)
    slow = cv2.GaussianBlur(logs, (0, 0), sigmaX=sigma * 113 / 151, sigmaY=sigma, borderType=cv2.BORDER_REFLECT)
    whole = np.clip(to_float(image) * np.exp(0.2 * logs - 0.4 * slow), 0, 1)
    found = STEPS["homomorphic"](image, cutoff=0.25, gamma_low=0.8, gamma_high=1.2)
    np.testing.assert_allclose(to_float(found), whole, atol=0.51 / FULL_SCALE[kind] + 1e-6)


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 70), width=st.integers(1, 70), rows=st.integers(1, 70), columns=st.integers(1, 70),
    colour=st.booleans(),
)  # fmt: skip
def test_reduction_and_enlargement_are_those_of_opencv(
    height: int, width: int, rows: int, columns: int, colour: bool
) -> None:
    image = np.random.default_rng(height).random((height, width, 3)[: 2 + colour], np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pixels, "_STRIP", 2**8)
        cells = reduced(image, np.copy, (min(rows, height), min(columns, width)))
        larger = Enlarged(cells, image.shape)
        found = np.concatenate([larger[strip] for strip in pixels.strips(image)])
        half = np.concatenate([part for _, part in halved(image, lambda strip: image[strip])])
    expected = cv2.resize(image, cells.shape[1::-1], interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(cells, expected.reshape(cells.shape), atol=2e-6)
    expected = cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_allclose(found, expected.reshape(image.shape), atol=2e-6)
    np.testing.assert_allclose(half, cv2.pyrDown(image).reshape(half.shape), atol=1e-6)


@pytest.mark.parametrize("sigma", [0.3, 1.0, 1.8, 5.0, 10.0])
def test_a_blur_looks_no_farther_than_its_radius(sigma: float) -> None:
    point = np.zeros((201, 3), np.float32)
    point[100] = 1
    reached = np.flatnonzero(cv2.GaussianBlur(point, (0, 0), sigma)[:, 1])
    assert 100 - reached[0] <= blur_radius(sigma)


@pytest.mark.parametrize("kind", ["uint8", "uint16"])
def test_one_table_for_all_channels_gives_what_one_for_each_gives(kind: str) -> None:
    from pyimgano_industrial.presets.curves import look_up

    image = picture((40, 30, 3), kind)
    table = np.random.default_rng(0).permutation(256 if kind == "uint8" else 65536).astype(kind)
    np.testing.assert_array_equal(look_up(image, np.stack([table] * 3)), table[image])
    other = np.stack([table, table[::-1], table])
    expected = np.stack([other[channel][image[..., channel]] for channel in range(3)], axis=2)
    np.testing.assert_array_equal(look_up(image, other), expected)
