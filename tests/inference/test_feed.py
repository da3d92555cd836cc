"""Files and arrays become frames in order, a few at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.inference import InputFormatError, read_input
from pyimgano_industrial.inference.feed import BATCH_BYTES, Reader, batches, frames, items

RGB = np.random.default_rng(0).integers(0, 256, (6, 9, 3), np.uint8)


def test_a_file_and_its_array_are_the_same_pixels(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "a.png"), RGB[..., ::-1])
    np.testing.assert_array_equal(read_input(tmp_path / "a.png"), read_input(RGB))
    np.testing.assert_array_equal(read_input(str(tmp_path / "a.png")), RGB)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_honoured(tmp_path: Path, orientation: int) -> None:
    tag = Image.Exif()
    tag[0x0112] = orientation
    Image.fromarray(np.kron(RGB, np.ones((8, 8, 1), np.uint8))).save(tmp_path / "a.jpg", exif=tag, quality=95)
    turned = read_input(tmp_path / "a.jpg")
    with Image.open(tmp_path / "a.jpg") as image:
        from PIL import ImageOps

        upright = np.asarray(ImageOps.exif_transpose(image))
    assert turned.shape == upright.shape
    assert np.abs(turned.astype(int) - upright).mean() < 2  # two JPEG decoders


def test_a_12_bit_file_is_scaled_as_its_array_is(tmp_path: Path) -> None:
    ramp = np.linspace(0, 4095, 54).reshape(6, 9).astype(np.uint16)
    assert cv2.imwrite(str(tmp_path / "a.png"), ramp)
    np.testing.assert_array_equal(read_input(tmp_path / "a.png"), read_input(ramp))
    dark = ramp // 16
    assert cv2.imwrite(str(tmp_path / "b.png"), dark)
    np.testing.assert_array_equal(read_input(tmp_path / "b.png", u16_max=255 * 4), read_input(dark, u16_max=255 * 4))


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\nnot really"])
def test_a_broken_file_carries_an_error_that_names_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bolt.png"
    path.write_bytes(content)
    frame = Reader().frame(3, path)
    assert frame.pixels is None
    assert isinstance(frame.error, ImageError)
    assert "bolt.png" in str(frame.error)


def test_what_is_no_image_is_an_error_that_says_what_it_is() -> None:
    with pytest.raises(InputFormatError, match=r"image 4 is a builtins.list: convert it with numpy.asarray"):
        raise Reader().frame(4, [1, 2]).error or AssertionError  # type: ignore[arg-type]  # the wrong type on purpose


@pytest.mark.parametrize(
    ("batch", "input_format", "count"),
    [((2, 6, 9, 3), None, 2), ((5, 6, 9), None, 5), ((3, 6, 9), "gray_u8_hw", 3), ((2, 3, 6, 9), "rgb_u8_chw", 2)],
)
def test_one_array_is_a_batch(batch: tuple[int, ...], input_format: str | None, count: int) -> None:
    assert len(list(items(np.zeros(batch, np.uint8), input_format=input_format))) == count


@pytest.mark.parametrize("shape", [(6, 9, 3), (3, 6, 9), (6, 9), (6,)])
def test_one_image_instead_of_a_batch_is_an_error(shape: tuple[int, ...]) -> None:
    with pytest.raises(
        InputFormatError, match=r"one array must be a batch .*; got shape .*: put one image into a list"
    ):
        items(np.zeros(shape, np.uint8))


def test_one_path_instead_of_a_list_is_an_error() -> None:
    with pytest.raises(InputFormatError, match=r"got one path: infer\(detector, \['a.png'\]\)"):
        items("a.png")


def test_arrays_come_without_delay() -> None:
    taken: list[int] = []

    def camera() -> Iterator[np.ndarray]:
        for index in range(3):
            taken.append(index)
            yield RGB

    for index, frame in enumerate(frames(camera(), Reader(), ahead=16)):
        assert frame.index == index
        assert taken == list(range(index + 1))


def test_files_and_arrays_mixed_keep_their_order(tmp_path: Path) -> None:
    cv2.imwrite(f"{tmp_path / 'one.png'}", RGB)
    mixed = [tmp_path / "one.png" if index % 3 == 0 else RGB for index in range(40)]
    assert [frame.index for frame in frames(mixed, Reader(), ahead=4)] == list(range(40))


def test_files_are_read_ahead_in_other_threads_and_never_all(tmp_path: Path) -> None:
    taken: list[int] = []
    cv2.imwrite(f"{tmp_path / 'one.png'}", RGB)

    def source() -> Iterator[Path]:
        for index in range(100):
            taken.append(index)
            yield tmp_path / "one.png"

    found = frames(source(), Reader(), ahead=4)
    assert next(found).index == 0
    assert len(taken) == 5
    assert any(thread.name.startswith("pyimgano-read") for thread in threading.enumerate())
    assert [frame.index for frame in found] == list(range(1, 100))


def test_a_batch_is_bounded_by_its_pixels() -> None:
    side = int((BATCH_BYTES / 3 / 2) ** 0.5) + 1
    large = [Reader().frame(index, np.zeros((side, side, 3), np.uint8)) for index in range(3)]
    assert [len(batch) for batch in batches(large, None)] == [2, 1]
    assert [len(batch) for batch in batches(large, 3)] == [3]


@pytest.mark.parametrize(("size", "lengths"), [(None, [16, 4]), (8, [8, 8, 4]), (1, [1] * 20)])
def test_a_batch_holds_as_many_images_as_asked(size: int | None, lengths: list[int]) -> None:
    found = [Reader().frame(index, RGB) for index in range(20)]
    assert [len(batch) for batch in batches(found, size)] == lengths
