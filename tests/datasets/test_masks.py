from __future__ import annotations

import math
import unicodedata
from pathlib import Path, PurePath

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image

import trees
from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.datasets.faults import FaultError
from pyimgano_industrial.datasets.masks import MaskIndex, mask_values, read_mask, reduce_mask


@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tif", ".PNG"])
def test_every_non_zero_value_of_a_lossless_mask_is_anomalous(tmp_path: Path, suffix: str) -> None:
    path = trees.write(tmp_path / f"m{suffix}", np.array([[0, 1, 127, 255]], np.uint8))
    assert read_mask(path, (1, 4)).tolist() == [[False, True, True, True]]


@pytest.mark.parametrize("suffix", [".jpg", ".JPEG", ".webp"])
def test_a_lossy_mask_is_cut_at_half_so_that_ringing_does_not_count(tmp_path: Path, suffix: str) -> None:
    drawn = np.zeros((32, 32), np.uint8)
    drawn[8:24, 8:24] = 255
    drawn[0, :] = 40
    mask = read_mask(trees.write(tmp_path / f"m{suffix}", drawn), (32, 32))
    np.testing.assert_array_equal(mask, drawn == 255)


def test_colours_count_as_their_largest_channel(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "m.png", np.array([[[0, 0, 0], [0, 9, 0], [0, 0, 200]]], np.uint8))
    assert read_mask(path, (1, 3)).tolist() == [[False, True, True]]
    assert mask_values(path, (1, 3)).tolist() == [[0, 9, 200]]


def test_alpha_does_not_count(tmp_path: Path) -> None:
    Image.fromarray(np.array([[[0, 0, 0, 255], [5, 5, 5, 0]]], np.uint8)).save(tmp_path / "m.png")
    assert read_mask(tmp_path / "m.png", (1, 2)).tolist() == [[False, True]]


def test_a_16_bit_mask_keeps_small_values(tmp_path: Path) -> None:
    path = trees.png16(tmp_path / "m.png", np.array([[0, 1, 40000]], np.uint16))
    assert read_mask(path, (1, 3)).tolist() == [[False, True, True]]


def test_a_mask_of_another_size_names_both_sizes_and_the_file(tmp_path: Path) -> None:
    path = trees.mask(tmp_path / "m.png", size=(4, 6))
    with pytest.raises(
        FaultError, match=r"the size of its image, 12 x 8 \(width x height\); .*m\.png is 6 x 4; export"
    ):
        read_mask(path, (8, 12))


def test_a_mask_that_fits_transposed_is_put_down_to_exif(tmp_path: Path) -> None:
    path = trees.mask(tmp_path / "m.png", size=(8, 12))
    with pytest.raises(FaultError, match=r"transposed, it fits: the image's EXIF orientation turns it.*turn the mask"):
        read_mask(path, (12, 8))


def test_an_unreadable_mask_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.png").write_bytes(b"\x89PNG")
    with pytest.raises(ImageError, match=r"cannot read .*m\.png"):
        read_mask(tmp_path / "m.png", (8, 12))


def _slow(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    (rows, columns), (height, width) = mask.shape, size
    out = np.zeros(size, np.bool_)
    for i in range(height):
        for j in range(width):
            for y in range(math.floor(i * rows / height), math.ceil((i + 1) * rows / height)):
                for x in range(math.floor(j * columns / width), math.ceil((j + 1) * columns / width)):
                    out[i, j] |= mask[y, x]
    return out


_SIDES = st.integers(1, 9)


@settings(max_examples=200, deadline=None)
@given(arrays.arrays(np.bool_, st.tuples(_SIDES, _SIDES)), st.tuples(_SIDES, _SIDES))
def test_reduction_is_any_over_the_covered_pixels(mask: NDArray[np.bool_], size: tuple[int, int]) -> None:
    np.testing.assert_array_equal(reduce_mask(mask, size), _slow(mask, size))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 99), st.integers(0, 79), st.tuples(_SIDES, _SIDES))
def test_no_single_pixel_vanishes_at_any_size(row: int, column: int, size: tuple[int, int]) -> None:
    mask = np.zeros((100, 80), np.bool_)
    mask[row, column] = True
    assert reduce_mask(mask, size).any()


def test_a_reduced_pixel_is_anomalous_if_any_pixel_it_covers_is() -> None:
    mask = np.zeros((2, 5), np.bool_)
    mask[0, 2] = True  # 5 columns to 2: target 0 covers 0..2, target 1 covers 2..4
    assert reduce_mask(mask, (1, 2)).tolist() == [[True, True]]
    assert reduce_mask(mask, (2, 5)).tolist() == mask.tolist()
    assert reduce_mask(mask, (2, 5)).flags.c_contiguous


def test_a_mask_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must have rows and columns; got \(2, 2\) to \(0, 2\)"):
        reduce_mask(np.zeros((2, 2), np.bool_), (0, 2))


def _index(folder: Path, *names: str) -> MaskIndex:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return MaskIndex(folder)


def test_masks_are_found_by_name_without_suffix(tmp_path: Path) -> None:
    index = _index(tmp_path, "a.png", "b.v2.BMP", "c.txt", "sub/a.png")
    assert index.find(PurePath("a")) == (tmp_path / "a.png",)
    assert index.find(PurePath("b.v2")) == (tmp_path / "b.v2.BMP",)
    assert index.find(PurePath("sub/a")) == (tmp_path / "sub" / "a.png",)
    assert index.find(PurePath("c")) == ()


def test_an_exact_name_wins_over_one_in_another_case(tmp_path: Path) -> None:
    index = _index(tmp_path, "A.png", "a.png", "B.png")
    assert index.find(PurePath("a")) == (tmp_path / "a.png",)
    assert index.find(PurePath("b")) == (tmp_path / "B.png",)


def test_a_decomposed_name_finds_its_composed_mask(tmp_path: Path) -> None:
    index = _index(tmp_path, unicodedata.normalize("NFC", "größe_é.png"))
    assert len(index.find(PurePath(unicodedata.normalize("NFD", "größe_é")))) == 1


def test_two_suffixes_of_one_name_are_both_found(tmp_path: Path) -> None:
    assert len(_index(tmp_path, "a.png", "a.bmp").find(PurePath("a"))) == 2
