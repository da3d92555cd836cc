from __future__ import annotations

import io
import re
import struct
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import trees
from pyimgano_industrial.core import images
from pyimgano_industrial.core.errors import DatasetNotFoundError, ImageError
from pyimgano_industrial.core.images import (
    image_size,
    is_plain,
    read_raw,
    read_rgb,
    significant_bits,
    stored_bits,
    to_uint8,
    write_png,
)

RAMP = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3) * 10


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".tiff", ".PNG", ".Tiff"])
def test_lossless_formats_give_back_their_rgb_samples(tmp_path: Path, suffix: str) -> None:
    path = trees.write(tmp_path / f"image{suffix}", RAMP)
    np.testing.assert_array_equal(read_rgb(path), RAMP)
    assert image_size(path) == (2, 3)


@pytest.mark.parametrize("suffix", [".jpg", ".jpeg", ".webp", ".JPG"])
def test_lossy_formats_come_close_to_their_rgb_samples(tmp_path: Path, suffix: str) -> None:
    red = np.zeros((16, 16, 3), np.uint8)
    red[..., 0] = 200
    path = trees.write(tmp_path / f"image{suffix}", red)
    assert np.abs(read_rgb(path).astype(int) - red).max() <= 8


def test_a_grey_file_becomes_three_equal_channels(tmp_path: Path) -> None:
    grey = np.array([[1, 2], [3, 4]], np.uint8)
    rgb = read_rgb(trees.write(tmp_path / "grey.png", grey))
    np.testing.assert_array_equal(rgb, np.stack([grey] * 3, axis=2))


def test_alpha_is_left_out_of_rgb(tmp_path: Path) -> None:
    path = tmp_path / "alpha.png"
    Image.fromarray(np.dstack([RAMP, np.zeros((2, 3), np.uint8)])).save(path)
    np.testing.assert_array_equal(read_rgb(path), RAMP)


def test_palette_and_bilevel_files_show_their_colours(tmp_path: Path) -> None:
    palette = Image.new("P", (2, 1))
    palette.putpixel((1, 0), 1)
    palette.putpalette([0, 0, 0, 10, 20, 30])
    palette.save(tmp_path / "palette.png")
    assert read_rgb(tmp_path / "palette.png")[0, 1].tolist() == [10, 20, 30]
    Image.fromarray(np.array([[False, True]])).save(tmp_path / "bilevel.png")
    assert read_raw(tmp_path / "bilevel.png").tolist() == [[0, 255]]


def test_non_ascii_paths_are_read(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "Schlüssel 钥匙" / "größe é.png", RAMP)
    np.testing.assert_array_equal(read_rgb(path), RAMP)
    assert image_size(f"{path}") == (2, 3)


def test_exif_orientation_turns_image_and_size_alike(tmp_path: Path) -> None:
    upright = np.zeros((16, 32, 3), np.uint8)
    upright[:, :16] = 250  # the left half is white: turned a quarter clockwise, the top half is
    path = trees.rotated_jpeg(tmp_path / "phone.jpg", upright)
    rgb = read_rgb(path)
    assert rgb.shape[:2] == image_size(path) == (32, 16)
    assert rgb[:14].min() > 200
    assert rgb[18:].max() < 50


# EXIF's orientation -> what turns the stored pixels upright
_UPRIGHT: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: stored.swapaxes(0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.rot90(stored, 2).swapaxes(0, 1),
    8: np.rot90,
}


@pytest.mark.parametrize("suffix", [".png", ".tif", ".webp"])
@pytest.mark.parametrize("orientation", _UPRIGHT)
def test_every_format_and_orientation_is_upright_and_as_large_as_its_size(
    tmp_path: Path, suffix: str, orientation: int
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"turned{suffix}"
    Image.fromarray(RAMP).save(path, exif=exif, **({"lossless": True} if suffix == ".webp" else {}))
    upright = _UPRIGHT[orientation](RAMP)
    np.testing.assert_array_equal(read_rgb(path), upright)
    assert image_size(path) == upright.shape[:2]


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 3)])
def test_a_written_png_reads_back_and_its_folder_is_made(tmp_path: Path, shape: tuple[int, ...]) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, shape, dtype=np.uint8)
    path = tmp_path / "größe" / "Bild.png"
    write_png(path, pixels)
    read = read_rgb(path)
    np.testing.assert_array_equal(read if pixels.ndim == 3 else read[..., 0], pixels)
    assert [file.name for file in path.parent.iterdir()] == ["Bild.png"]


def test_12_bit_samples_keep_their_upper_8_bits(tmp_path: Path) -> None:
    path = trees.png16(tmp_path / "camera.png", np.array([[0, 16, 2048, 4095]], np.uint16))
    assert read_rgb(path)[0, :, 0].tolist() == [0, 1, 128, 255]
    assert significant_bits(path) == 12


def test_16_bit_samples_keep_their_upper_8_bits(tmp_path: Path) -> None:
    path = trees.png16(tmp_path / "camera.png", np.array([[0, 256, 4096, 65535]], np.uint16))
    assert read_rgb(path)[0, :, 0].tolist() == [0, 1, 16, 255]
    assert significant_bits(path) == 16


def test_an_sbit_chunk_states_the_depth(tmp_path: Path) -> None:
    path = trees.png16(tmp_path / "camera.png", np.array([[0, 4, 1023]], np.uint16), significant_bits=10)
    assert read_rgb(path)[0, :, 0].tolist() == [0, 1, 255]
    assert significant_bits(path) == 10


def test_samples_scaled_up_as_the_png_standard_wants_do_not_saturate(tmp_path: Path) -> None:
    path = trees.png16(tmp_path / "camera.png", np.array([[0, 32768, 65535]], np.uint16), significant_bits=12)
    assert read_rgb(path)[0, :, 0].tolist() == [0, 128, 255]
    assert significant_bits(path) == 16


def test_a_stated_bit_depth_wins_over_the_rule(tmp_path: Path) -> None:
    path = trees.png16(tmp_path / "dark.png", np.array([[0, 4095]], np.uint16))
    assert read_rgb(path, bit_depth=14)[0, :, 0].tolist() == [0, 63]


def test_samples_beyond_the_stated_depth_are_an_error_not_white(tmp_path: Path) -> None:
    path = trees.png16(tmp_path / "bright.png", np.array([[0, 5000]], np.uint16))
    with pytest.raises(
        ImageError, match=r"12 bits must not exceed 4095; .*bright.png has 5000; state 13 bits .*u16_max=8191"
    ):
        read_rgb(path, bit_depth=12)


def test_a_command_may_state_the_depth_of_all_files(tmp_path: Path) -> None:
    path = tmp_path / "dark.png"
    assert cv2.imwrite(f"{path}", np.full((2, 2), 2560, np.uint16))
    images.state_bit_depth(14)
    try:
        assert (read_rgb(path) == 2560 >> 6).all()
        assert (read_rgb(path, bit_depth=16) == 2560 >> 8).all()
    finally:
        images.state_bit_depth(None)
    assert (read_rgb(path) == 2560 >> 4).all()


def test_a_bit_depth_that_cannot_be_is_refused(tmp_path: Path) -> None:
    path = trees.png16(tmp_path / "image.png", np.array([[0, 1]], np.uint16))
    with pytest.raises(ImageError, match=r"bit_depth must be in 9\.\.16; got 24 for .*image\.png"):
        read_rgb(path, bit_depth=24)


def test_float_samples_lie_in_0_to_1(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "float.tif", np.array([[0.0, 0.5, 1.0]], np.float32))
    assert read_rgb(path)[0, :, 0].tolist() == [0, 128, 255]
    bad = trees.write(tmp_path / "bad.tif", np.array([[0.0, 2.0]], np.float32))
    with pytest.raises(ImageError, match=r"float samples must be finite and in 0\.\.1; .*bad\.tif has others; convert"):
        read_rgb(bad)
    with pytest.raises(ImageError, match="must be finite"):
        to_uint8(np.array([[np.nan]]))


def test_other_sample_types_are_refused_by_name() -> None:
    with pytest.raises(ImageError, match=r"samples must be uint8, uint16 or float; x\.tif has int32; convert it"):
        to_uint8(np.zeros((1, 1), np.int32), path="x.tif")


def test_uint8_samples_pass_uncopied() -> None:
    assert to_uint8(RAMP, bit_depth=12) is RAMP


def test_stored_bits_come_from_the_header_alone(tmp_path: Path) -> None:
    assert stored_bits(trees.write(tmp_path / "eight.png", RAMP)) == 8
    assert stored_bits(trees.write(tmp_path / "eight.jpg", RAMP)) == 8
    assert stored_bits(trees.write(tmp_path / "eight.tif", RAMP)) == 8
    assert stored_bits(trees.write(tmp_path / "deep.tif", RAMP.astype(np.uint16))) == 16
    deep = trees.png16(tmp_path / "deep.png", np.zeros((50, 50), np.uint16))
    deep.write_bytes(deep.read_bytes()[:40])
    assert stored_bits(deep) == 16
    Image.fromarray(np.zeros((2, 2), bool)).save(tmp_path / "bilevel.png")
    assert stored_bits(tmp_path / "bilevel.png") == 8
    assert significant_bits(trees.write(tmp_path / "float.tif", np.zeros((2, 2), np.float32))) == 8


def test_stored_bits_of_a_missing_or_broken_file_name_it(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"image file not found: .*none\.tif"):
        stored_bits(tmp_path / "none.tif")
    (tmp_path / "broken.tif").write_bytes(b"II broken")
    with pytest.raises(ImageError, match=r"cannot read .*broken\.tif"):
        stored_bits(tmp_path / "broken.tif")


def test_a_missing_file_is_named_and_is_both_kinds_of_error(tmp_path: Path) -> None:
    for read in (read_rgb, read_raw, image_size):
        with pytest.raises(ImageError, match=r"image file not found: .*none\.png") as caught:
            read(tmp_path / "none.png")
        assert isinstance(caught.value, (DatasetNotFoundError, FileNotFoundError, ValueError))


def test_an_empty_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.png").touch()
    for read in (read_rgb, image_size):
        with pytest.raises(ImageError, match=r"cannot read .*empty\.png: the file is empty; replace it or take it out"):
            read(tmp_path / "empty.png")


def test_a_text_file_with_an_image_suffix_is_named(tmp_path: Path) -> None:
    (tmp_path / "note.png").write_text("hello")
    for read in (read_rgb, image_size):
        with pytest.raises(ImageError, match=re.escape("note.png: the file (5 bytes) is truncated, damaged or not")):
            read(tmp_path / "note.png")


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".tif", ".webp"])
@pytest.mark.parametrize("share", [0.5, 0.99])
def test_a_truncated_file_is_an_error_in_every_format(tmp_path: Path, suffix: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    path = trees.write(tmp_path / f"cut{suffix}", noise)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(ImageError, match=r"cut\.\w+: the file \(\d+ bytes\) is truncated"):
        read_rgb(path)


def test_the_end_of_a_thumbnail_is_not_taken_for_the_end_of_the_jpeg(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(buffer, "JPEG")
    app1 = b"Exif\0\0" + buffer.getvalue()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    plain = trees.write(tmp_path / "plain.jpg", noise).read_bytes()
    whole = plain[:2] + b"\xff\xe1" + struct.pack(">H", len(app1) + 2) + app1 + plain[2:]
    assert not images._cut_short(whole)
    assert images._cut_short(whole[: len(whole) - len(plain) // 2])


def test_a_damaged_png_is_an_error(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "damaged.png", np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8))
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 20] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(ImageError, match=r"cannot read .*damaged\.png"):
        read_rgb(path)


def test_an_image_of_more_pixels_than_opencv_decodes_is_an_image_error(tmp_path: Path) -> None:
    path = trees.png16(tmp_path / "huge.png", np.zeros((1, 1), np.uint16))
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", 60000, 60000)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    path.write_bytes(data)
    for read in (read_rgb, image_size):
        with pytest.raises(ImageError, match=r"cannot read .*huge\.png"):
            read(path)


def test_the_size_of_an_image_too_large_for_pillow_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = trees.write(tmp_path / "large.png", RAMP)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2)
    assert image_size(path) == (2, 3)


def test_a_missing_opencv_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = trees.write(tmp_path / "image.png", RAMP)
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ImageError, match=r"OpenCV does not import .*without libGL"):
        read_rgb(path)


def test_read_raw_keeps_channels_and_samples(tmp_path: Path) -> None:
    bgra = np.arange(16, dtype=np.uint8).reshape(2, 2, 4)
    (tmp_path / "raw.png").write_bytes(cv2.imencode(".png", bgra)[1].tobytes())
    np.testing.assert_array_equal(read_raw(tmp_path / "raw.png"), bgra)
    deep = trees.png16(tmp_path / "deep.png", np.array([[7, 300]], np.uint16))
    assert read_raw(deep).tolist() == [[7, 300]]


def test_deep_tiffs_follow_the_same_rule(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "camera.tif", np.array([[0, 16, 4095]], np.uint16))
    assert read_rgb(path)[0, :, 0].tolist() == [0, 1, 255]
    assert significant_bits(path) == 12


def test_the_size_comes_from_the_header_alone(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "long.png", np.random.default_rng(0).integers(0, 255, (64, 32, 3), dtype=np.uint8))
    path.write_bytes(path.read_bytes()[:100])
    assert image_size(path) == (64, 32)


def test_a_plain_file_is_read_alike_by_every_reader(tmp_path: Path) -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(tmp_path / "plain.png")
    Image.fromarray(pixels).save(tmp_path / "turned.jpg", exif=turned)
    assert cv2.imwrite(str(tmp_path / "deep.png"), pixels.astype(np.uint16))
    (tmp_path / "empty.png").write_bytes(b"")
    names = ("plain.png", "turned.jpg", "deep.png", "empty.png", "nowhere.png")
    assert [is_plain(tmp_path / name) for name in names] == [True, False, False, False, False]
