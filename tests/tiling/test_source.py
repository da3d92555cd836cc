from __future__ import annotations

import re
import sys
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

import trees
from distributions import python
from pyimgano_industrial.core.errors import ImageError, PluginError
from pyimgano_industrial.tiling import source as room
from pyimgano_industrial.tiling.source import ArraySource, BandReader, MemmapSource, Source, TiffSource, open_source

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 255, (50, 37, 3), np.uint8)
GREY16 = RNG.integers(0, 65535, (50, 37), np.uint16)


def read_in_bands(source: Source, *, height: int = 8, stride: int = 5) -> NDArray[Any]:
    """Put an image together from its bands; bands of some columns must give the same."""
    whole, width = columns_in_bands(source, height=height, stride=stride), source.shape[1]
    some = [
        columns_in_bands(source, x0, x1, height=height, stride=stride)
        for x0, x1 in pairwise((0, width // 3, width // 3 + 1, width))
    ]
    np.testing.assert_array_equal(np.concatenate(some, axis=1), whole)
    return whole


def columns_in_bands(
    source: Source, x0: int = 0, x1: int | None = None, *, height: int = 8, stride: int = 5
) -> NDArray[Any]:
    """Put columns of an image together from the first rows of overlapping bands."""
    reader, last = BandReader(source, x0, x1), source.shape[0] - height
    bands = [reader.band(y, y + height) for y in (*range(0, last, stride), last)]
    ends = [*range(0, last, stride), last, source.shape[0]]
    return np.concatenate([band[: ends[i + 1] - ends[i]] for i, band in enumerate(bands)])


@pytest.mark.parametrize("pixels", [RGB, GREY16, GREY16.astype(np.float32), RGB[..., :1]])
def test_an_array_is_read_without_a_copy(pixels: NDArray[Any]) -> None:
    source = open_source(pixels, name="the part")
    assert source.shape == (50, 37)
    assert source.name == "the part"
    assert np.shares_memory(BandReader(source).band(3, 9), pixels)
    np.testing.assert_array_equal(source.read_rows(3, 9), pixels[3:9])


def test_an_array_without_two_or_three_axes_is_no_image() -> None:
    with pytest.raises(ImageError, match=r"^an image must be \(H, W\) or .* got shape \(2, 5, 5, 3\) for the batch$"):
        open_source(np.zeros((2, 5, 5, 3)), name="the batch")
    with pytest.raises(ImageError, match=r"with pixels; got shape \(0, 5\) for image$"):
        open_source(np.zeros((0, 5)))


def test_a_source_is_opened_as_it_is() -> None:
    source = ArraySource(RGB)
    assert open_source(source) is source


def test_an_image_file_is_decoded_whole(tmp_path: Path) -> None:
    path = trees.write(tmp_path / "part.png", RGB)
    with open_source(path) as source:
        assert source.name == str(path)
        np.testing.assert_array_equal(read_in_bands(source), RGB)


@pytest.mark.parametrize("suffix", [".png", ".npy", ".tif", ".TIFF", ".zarr"])
def test_a_missing_file_is_named(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"none{suffix}"
    with pytest.raises(FileNotFoundError, match=rf"^image file not found: {re.escape(str(path))}$"):
        open_source(path)


@pytest.mark.parametrize("pixels", [RGB, GREY16, GREY16.astype(">u2"), np.asfortranarray(RGB)])
def test_npy_files_are_read_by_rows_of_their_own_dtype(tmp_path: Path, pixels: NDArray[Any]) -> None:
    np.save(tmp_path / "part.npy", pixels)
    source = open_source(tmp_path / "part.npy")
    assert isinstance(source, MemmapSource)
    rows = read_in_bands(source)
    assert rows.dtype == pixels.dtype.newbyteorder("=")
    np.testing.assert_array_equal(rows, pixels)


def test_npy_files_that_hold_no_image_are_errors(tmp_path: Path) -> None:
    path = tmp_path / "part.npy"
    np.save(path, np.array([["a", {}]], dtype=object))
    with pytest.raises(
        ImageError, match=rf"^cannot read {re.escape(str(path))}: it is cut short, or not an array of numbers"
    ):
        open_source(path)
    np.save(path, RGB)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ImageError, match="cut short"):
        open_source(path)
    np.save(path, np.zeros(5))
    with pytest.raises(ImageError, match=rf"got shape \(5,\) for {re.escape(str(path))}$"):
        open_source(path)


def test_a_memory_map_of_the_caller_is_read_by_rows(tmp_path: Path) -> None:
    np.save(tmp_path / "part.npy", RGB)
    mapped = np.load(tmp_path / "part.npy", mmap_mode="r")
    assert isinstance(open_source(mapped), MemmapSource)
    np.testing.assert_array_equal(read_in_bands(open_source(mapped)), RGB)
    np.testing.assert_array_equal(read_in_bands(open_source(mapped[3:, 2:9])), RGB[3:, 2:9])


def test_what_was_written_to_a_memory_map_is_kept(tmp_path: Path) -> None:
    np.save(tmp_path / "part.npy", RGB)
    for mode in ("r+", "c"):
        mapped = np.load(tmp_path / "part.npy", mmap_mode=mode)  # type: ignore[call-overload]  # wants a literal
        mapped[7] = 200
        source = open_source(mapped)
        assert (source.read_rows(7, 8) == 200).all()
        assert (source.read_rows(7, 8) == 200).all()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_the_pages_of_a_mapped_file_do_not_stay_in_memory(tmp_path: Path) -> None:
    np.lib.format.open_memmap(tmp_path / "large.npy", "w+", np.uint8, (8192, 16384))  # 128 MiB, sparse
    code = (
        "from pathlib import Path\n"
        "import pyimgano_industrial.tiling.source as room\n"
        "def peak():\n"
        "    return int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])\n"
        f"reader = room.BandReader(room.open_source({str(tmp_path / 'large.npy')!r}))\n"
        "before = peak()\n"
        "for y in range(0, 8192, 256): reader.band(y, min(y + 512, 8192))\n"
        "print(peak() - before)\n"
    )
    assert int(python(code)) < 32 * 1024  # KiB; two bands, the rows between them and their pages are 24 MiB


TIFFS = {
    "plain": {},
    "bigtiff": {"bigtiff": True},
    "big-endian": {"byteorder": ">"},
    "strips": {"rowsperstrip": 7},
    "one strip, deflate": {"compression": "zlib", "rowsperstrip": 50},
    "strips, deflate": {"compression": "zlib", "rowsperstrip": 7},
    "strips, deflate, predictor": {"compression": "zlib", "rowsperstrip": 7, "predictor": True},
    "tiles": {"tile": (16, 32)},
    "tiles, deflate": {"tile": (16, 16), "compression": "zlib"},
    "tiles, deflate, bigtiff, big-endian": {
        "tile": (32, 16),
        "compression": "zlib",
        "bigtiff": True,
        "byteorder": ">",
    },
}


@pytest.mark.parametrize("kind", TIFFS)
@pytest.mark.parametrize("pixels", [RGB, GREY16, np.dstack([GREY16, GREY16 // 2, GREY16 // 3])])
def test_tiff_files_are_read_by_rows_of_their_own_dtype(tmp_path: Path, kind: str, pixels: NDArray[Any]) -> None:
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(tmp_path / "part.tif", pixels, photometric=photometric, **TIFFS[kind])
    with open_source(tmp_path / "part.tif", windowed_above=0) as source:
        assert isinstance(source, MemmapSource) == (kind in ("plain", "bigtiff", "big-endian", "strips"))
        assert source.shape == (50, 37)
        rows = read_in_bands(source)
    assert rows.dtype == pixels.dtype
    np.testing.assert_array_equal(rows, pixels)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}, {"tile": (16, 16)}])
def test_colour_planes_are_put_together_and_alpha_is_left_out(tmp_path: Path, options: dict[str, Any]) -> None:
    path, rgba = tmp_path / "part.tif", np.dstack([RGB, RGB[..., 0]])
    tifffile.imwrite(path, np.moveaxis(RGB, 2, 0), photometric="rgb", planarconfig="separate", **options)
    np.testing.assert_array_equal(read_in_bands(open_source(path, windowed_above=0)), RGB)
    tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=["unassalpha"], **options)
    np.testing.assert_array_equal(read_in_bands(open_source(path, windowed_above=0)), RGB)


def test_channels_that_are_no_colours_are_kept(tmp_path: Path) -> None:
    spectrum = np.dstack([GREY16] * 5)
    tifffile.imwrite(tmp_path / "part.tif", spectrum, photometric="minisblack", planarconfig="contig")
    np.testing.assert_array_equal(read_in_bands(open_source(tmp_path / "part.tif", windowed_above=0)), spectrum)


def test_lzw_is_decoded_or_its_cure_named(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "part.tif", compression="tiff_lzw")
    code = (
        "import sys\n"
        "sys.modules['imagecodecs'] = None\n"
        "from pyimgano_industrial.tiling.source import open_source\n"
        "try:\n"
        f"    open_source({str(tmp_path / 'part.tif')!r}, windowed_above=0).read_rows(0, 8)\n"
        "except ValueError as error: print(error)\n"
    )
    assert python(code).strip().endswith("pip install imagecodecs")
    np.testing.assert_array_equal(read_in_bands(open_source(tmp_path / "part.tif", windowed_above=0)), RGB)


def test_jpeg_in_tiff_comes_close_to_its_colours(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(64), np.arange(48))[..., None] + np.array([0, 40, 80])
    path, options = tmp_path / "part.tif", {"tile": (16, 16), "compression": "jpeg", "compressionargs": {"level": 95}}
    tifffile.imwrite(path, smooth.astype(np.uint8), photometric="rgb", **options)
    assert np.abs(read_in_bands(open_source(path, windowed_above=0)).astype(int) - smooth).max() <= 12


def test_a_small_tiff_is_decoded_like_every_small_image(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "part.tif", GREY16)
    source = open_source(tmp_path / "part.tif")
    assert isinstance(source, ArraySource)
    assert source.read_rows(0, 50).dtype == np.uint8
    assert source.read_rows(0, 50).shape == (50, 37, 3)


def test_another_format_under_a_tiff_suffix_is_still_read(tmp_path: Path) -> None:
    trees.write(tmp_path / "part.png", RGB).rename(tmp_path / "part.tif")
    np.testing.assert_array_equal(open_source(tmp_path / "part.tif", windowed_above=0).read_rows(0, 50), RGB)


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_a_damaged_tiff_is_named(tmp_path: Path, options: dict[str, Any]) -> None:
    path = tmp_path / "part.tif"
    tifffile.imwrite(path, RGB, photometric="rgb", **options)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - 100])
    with pytest.raises(ImageError, match=rf"{re.escape(str(path))}.*the file is cut short"):
        open_source(path, windowed_above=0).read_rows(0, 50)
    path.write_bytes(whole[:6])
    with pytest.raises(ImageError, match=rf"^cannot read {re.escape(str(path))}: the file \(6 bytes\) is truncated"):
        open_source(path, windowed_above=0)
    if options:
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes(200) + whole[middle + 200 :])
        with pytest.raises(ImageError, match=rf"^cannot decode {re.escape(str(path))}: "):
            open_source(path, windowed_above=0).read_rows(0, 50)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"photometric": "rgb", "extratags": [(274, 3, 1, 6, True)]}, "orientation 6"),
        ({"photometric": "cielab"}, "photometric interpretation .*CIELAB"),
    ],
)
def test_a_large_tiff_that_rows_cannot_be_taken_from_is_an_error(
    tmp_path: Path, options: dict[str, Any], found: str
) -> None:
    tifffile.imwrite(tmp_path / "part.tif", RGB, **options)
    with pytest.raises(ImageError, match=rf"must be grey or RGB and upright .*; .*part.tif has {found}.*; conv"):
        open_source(tmp_path / "part.tif", windowed_above=0)


def test_a_tiff_that_is_kept_open_is_closed(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "part.tif", RGB, photometric="rgb", compression="zlib")
    with open_source(tmp_path / "part.tif", windowed_above=0) as source:
        assert isinstance(source, TiffSource)
        source.read_rows(0, 3)
    assert source._file.filehandle.closed


@pytest.mark.parametrize("options", [{"tile": (16, 16)}, {"rowsperstrip": 7}, {"rowsperstrip": 50}])
def test_overlapping_bands_decode_each_segment_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    tifffile.imwrite(tmp_path / "part.tif", RGB, photometric="rgb", compression="zlib", **options)
    decoded: Counter[int] = Counter()
    decode = TiffSource._segment

    def counting(self: TiffSource, index: int) -> Any:
        decoded[index] += 1
        return decode(self, index)

    monkeypatch.setattr(TiffSource, "_segment", counting)
    source = open_source(tmp_path / "part.tif", windowed_above=0)
    np.testing.assert_array_equal(columns_in_bands(source, stride=3), RGB)
    assert set(decoded.values()) == {1}
    decoded.clear()
    np.testing.assert_array_equal(columns_in_bands(source, 17, 37, stride=3), RGB[:, 17:])  # from the second tile on
    assert set(decoded.values()) == {1}
    assert len(decoded) == {"tile": 8}.get(*options, -(-50 // options.get("rowsperstrip", 50)))


@pytest.mark.parametrize("pixels", [RGB, GREY16])
def test_zarr_arrays_are_read_by_rows_of_their_own_dtype(tmp_path: Path, pixels: NDArray[Any]) -> None:
    path = tmp_path / "part.zarr"
    array = zarr.open_array(
        str(path), mode="w", shape=pixels.shape, chunks=(16, 10, 3)[: pixels.ndim], dtype=pixels.dtype
    )
    array[:] = pixels
    source = open_source(path)
    rows = read_in_bands(source)
    assert source.shape == (50, 37)
    assert rows.dtype == pixels.dtype
    np.testing.assert_array_equal(rows, pixels)


def test_zarr_stores_that_hold_no_image_are_errors(tmp_path: Path) -> None:
    group = zarr.open_group(str(tmp_path / "group.zarr"), mode="w")
    group.create_group("inner")
    for name in ("scale1", "scale0"):
        zarr.open_array(str(tmp_path / "group.zarr" / name), mode="w", shape=(4, 4), chunks=(2, 2), dtype="u1")
    with pytest.raises(ImageError, match=r"group.zarr is a group; open an array in it: scale0, scale1$"):
        open_source(tmp_path / "group.zarr")
    (tmp_path / "empty.zarr").mkdir()
    with pytest.raises(ImageError, match=r"empty.zarr: it is not a Zarr array"):
        open_source(tmp_path / "empty.zarr")
    zarr.open_array(str(tmp_path / "flat.zarr"), mode="w", shape=(4,), chunks=(2,), dtype="u1")
    with pytest.raises(ImageError, match=r"got shape \(4,\) for .*flat.zarr$"):
        open_source(tmp_path / "flat.zarr")


def test_a_missing_extra_names_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    zarr.open_array(str(tmp_path / "part.zarr"), mode="w", shape=(4, 4), chunks=(2, 2), dtype="u1")
    tifffile.imwrite(tmp_path / "part.tif", RGB, photometric="rgb")
    monkeypatch.setitem(sys.modules, "zarr", None)
    monkeypatch.setitem(sys.modules, "tifffile", None)
    with pytest.raises(PluginError, match=r"needs 'zarr'.*pip install \"pyimgano-industrial\[large\]\"$"):
        open_source(tmp_path / "part.zarr")
    with pytest.raises(PluginError, match=r"needs 'tifffile'.*pip install \"pyimgano-industrial\[large\]\"$"):
        open_source(tmp_path / "part.tif", windowed_above=100)
    np.testing.assert_array_equal(open_source(tmp_path / "part.tif").read_rows(0, 50), RGB)


class Counted(Source):
    """An image whose pixel values are their row numbers; it counts how often each row is read."""

    def __init__(self, height: int) -> None:
        self.shape = (height, 2)
        self.name = "counted"
        self.times = np.zeros(height, int)

    def read_rows(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> NDArray[Any]:
        self.times[y0:y1] += 1
        return np.repeat(np.arange(y0, y1), 2).reshape(-1, 2)[:, x0:x1]


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 12)), min_size=1, max_size=8))
def test_bands_that_move_down_read_each_row_once(steps: list[tuple[int, int]]) -> None:
    source = Counted(200)
    reader, y0, bands = BandReader(source), 0, []
    for step, height in steps:
        y0 += step
        bands.append((reader.band(y0, y0 + height), y0, height))
    for band, start, height in bands:  # checked at the end: a later band must not change an earlier one
        assert band[:, 0].tolist() == list(range(start, start + height))
    assert source.times.max() == 1


def test_a_band_above_the_last_or_outside_the_image_is_an_error() -> None:
    reader = BandReader(Counted(20))
    reader.band(5, 9)
    for y0, y1 in ((4, 9), (15, 21), (7, 7)):
        with pytest.raises(ValueError, match=rf"^bands must move down within rows 5\.\.20; got {y0}\.\.{y1}$"):
            reader.band(y0, y1)


def test_the_size_above_which_rows_are_read_is_stated() -> None:
    assert room.WINDOWED_ABOVE == 256 * 1024 * 1024
