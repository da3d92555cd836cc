"""An array's format is stated, or inferred by one rule; every stated format gives the same pixels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.inference import FORMATS, InputFormatError
from pyimgano_industrial.inference.formats import Format, bits_of, parse_format, to_rgb

RGB = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
SCALES = {"u8": (np.uint8, 1), "u16": (np.uint16, 257), "f32": (np.float32, np.float32(1 / 255))}


def written(rgb: np.ndarray, stated: Format) -> np.ndarray:
    """The image as an array of a stated format."""
    if stated.order == "grey":
        pixels = rgb[..., :1] if stated.layout == "hwc" else rgb[..., 0]
    else:
        alpha = np.full((*rgb.shape[:2], 1), 9, np.uint8)
        colours = rgb[..., ::-1] if stated.order.startswith("bgr") else rgb
        pixels = np.concatenate([colours, alpha], axis=2) if stated.order.endswith("a") else colours
    dtype, scale = SCALES[stated.kind]
    return (np.moveaxis(pixels, -1, 0) if stated.layout == "chw" else pixels).astype(dtype) * dtype(scale)


def expected(rgb: np.ndarray, stated: Format) -> np.ndarray:
    return np.repeat(rgb[..., :1], 3, axis=2) if stated.order == "grey" else rgb


@given(
    name=st.sampled_from(sorted(FORMATS)), height=st.integers(1, 9), width=st.integers(1, 9), seed=st.integers(0, 99)
)
def test_every_stated_format_gives_the_same_pixels(name: str, height: int, width: int, seed: int) -> None:
    rgb = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    stated = FORMATS[name]
    np.testing.assert_array_equal(to_rgb(written(rgb, stated), input_format=name), expected(rgb, stated))


@given(
    name=st.sampled_from([name for name in sorted(FORMATS) if "bgr" not in name]),
    height=st.integers(5, 12),
    width=st.integers(5, 12),
)
def test_the_rule_infers_every_format_but_bgr(name: str, height: int, width: int) -> None:
    rgb = np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)
    rgb[0, 0] = 255  # fills the 16 bits
    stated = FORMATS[name]
    np.testing.assert_array_equal(to_rgb(written(rgb, stated)), expected(rgb, stated))


def test_bool_is_black_and_white() -> None:
    assert to_rgb(np.array([[False, True]]))[0, :, 0].tolist() == [0, 255]


def test_12_bits_fill_the_range_by_the_rule_and_when_stated() -> None:
    pixels = np.array([[0, 2048, 4095]], np.uint16)
    assert to_rgb(pixels)[0, :, 0].tolist() == [0, 128, 255]
    assert to_rgb(pixels, input_format="gray_u16_hw", u16_max=4095)[0, :, 0].tolist() == [0, 128, 255]
    assert to_rgb(pixels, input_format="gray_u16_hw")[0, :, 0].tolist() == [0, 8, 15]


def test_the_host_s_enum_of_formats_is_understood() -> None:
    from pyimgano.inputs.image_format import ImageFormat

    assert {one.value for one in ImageFormat} <= set(FORMATS)
    assert parse_format(ImageFormat.BGR_U8_HWC).name == "bgr_u8_hwc"  # type: ignore[arg-type]  # duck-typed


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.zeros((4, 6), np.int64), "must be bool, uint8, uint16 or float in 0..1; bolt is int64: convert it"),
        (np.zeros((4, 6, 2), np.uint8), r"bolt has shape \(4, 6, 2\): state input_format, such as bgr_u8_hwc"),
        (np.zeros(4, np.uint8), r"bolt has shape \(4,\)"),
        (np.zeros((0, 6), np.uint8), r"must have pixels; bolt has shape \(0, 6\)"),
        (np.full((4, 6), 1.5), "float samples must be finite and in 0..1; bolt has others; convert it"),
        (np.full((4, 6), np.nan), "float samples must be finite"),
        (np.full((4, 6), -0.1), "float samples must be finite and in 0..1"),
    ],
)
def test_what_cannot_be_inferred_is_an_error(pixels: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_rgb(pixels, name="bolt")


@pytest.mark.parametrize(
    ("name", "pixels", "message"),
    [
        ("rgb_u8_hwc", RGB[..., 0], r"wants \(H, W, 3\) uint8; bolt has \(5, 7\) uint8: state another format"),
        ("rgb_u8_hwc", RGB.astype(np.float32), r"wants \(H, W, 3\) uint8; bolt has \(5, 7, 3\) float32"),
        ("rgb_f32_chw", RGB, r"wants \(3, H, W\) float; bolt has \(5, 7, 3\) uint8"),
        ("gray_u16_hw", RGB, r"wants \(H, W\) uint16"),
    ],
)
def test_an_array_that_is_not_what_was_stated_is_an_error(name: str, pixels: np.ndarray, message: str) -> None:
    with pytest.raises(InputFormatError, match=message):
        to_rgb(pixels, input_format=name, name="bolt")


def test_an_unknown_format_lists_the_known_ones() -> None:
    with pytest.raises(InputFormatError, match="got 'bgr_u8': did you mean 'bgr_u8_hwc'"):
        parse_format("bgr_u8")


@pytest.mark.parametrize(("largest", "bits"), [(256, 9), (1023, 10), (4095, 12), (65535, 16)])
def test_the_largest_sample_tells_the_bits(largest: int, bits: int) -> None:
    assert bits_of(largest) == bits


@pytest.mark.parametrize("largest", [0, 255, 65536])
def test_a_largest_sample_out_of_range_is_an_error(largest: int) -> None:
    with pytest.raises(
        InputFormatError, match=f"u16_max must be in 256..65535, the largest 16-bit sample; got {largest}"
    ):
        bits_of(largest)
