from __future__ import annotations

import pickle
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
import zarr
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import PluginError, UnknownNameError
from pyimgano_industrial.tiling import sink as room
from pyimgano_industrial.tiling.blend import Accumulator, Blend
from pyimgano_industrial.tiling.grid import make_grid
from pyimgano_industrial.tiling.sink import ArraySink, Sink, TiffSink, open_sink
from pyimgano_industrial.tiling.source import open_source

MAP = np.random.default_rng(0).random((600, 70), dtype=np.float32)
SUFFIXES = [".npy", ".tif", ".TIFF", ".zarr"]


def write_all(sink: Sink, rows: int = 33) -> None:
    for y0 in range(0, len(MAP), rows):
        sink.write(y0, MAP[y0 : y0 + rows])


def read(path: Path) -> NDArray[np.float32]:
    whole: NDArray[np.float32] = open_source(path, windowed_above=0).read_rows(0, len(MAP))
    return whole


def test_without_a_path_the_map_stays_in_memory() -> None:
    sink = open_sink(None, MAP.shape)
    write_all(sink)
    result = sink.finish()
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, MAP)


def test_rows_are_copied_as_they_are_valid_during_the_call_only() -> None:
    sink, rows = ArraySink((2, 3)), np.ones((2, 3), np.float32)
    sink.write(0, rows)
    rows[:] = 7
    assert (sink.finish() == 1).all()


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("rows", [1, 33, 600])
def test_a_file_holds_the_map(tmp_path: Path, suffix: str, rows: int) -> None:
    path = tmp_path / f"map{suffix}"
    with open_sink(path, MAP.shape) as sink:
        write_all(sink, rows)
        assert not path.exists()
        assert sink.finish() == path
    assert read(path).dtype == np.float32
    np.testing.assert_array_equal(read(path), MAP)
    assert list(tmp_path.iterdir()) == [path]


def test_other_software_reads_the_files(tmp_path: Path) -> None:
    for name in ("map.npy", "map.tif", "map.zarr"):
        with open_sink(str(tmp_path / name), MAP.shape) as sink:
            write_all(sink)
            sink.finish()
    np.testing.assert_array_equal(np.load(tmp_path / "map.npy", mmap_mode="r"), MAP)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "map.tif"), cv2.IMREAD_UNCHANGED), MAP)
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "map.tif"), MAP)
    np.testing.assert_array_equal(zarr.open_array(str(tmp_path / "map.zarr"), mode="r")[:], MAP)


def test_a_tiff_beyond_32_bit_offsets_is_a_bigtiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_CLASSIC_TIFF", 1000)
    with open_sink(tmp_path / "map.tif", MAP.shape) as sink:
        write_all(sink)
        sink.finish()
    with tifffile.TiffFile(tmp_path / "map.tif") as file:
        assert file.is_bigtiff
        np.testing.assert_array_equal(file.asarray(), MAP)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows fills files of zeros, which takes long")
def test_the_header_of_a_map_above_4_gib_is_a_bigtiffs(tmp_path: Path) -> None:
    sink = TiffSink(tmp_path / "map.tif", (40_000, 40_000))
    (partial,) = tmp_path.iterdir()
    with tifffile.TiffFile(partial) as file:
        assert file.is_bigtiff
        assert file.pages[0].shape == (40_000, 40_000)
    sink.abort()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_map_given_up_leaves_nothing_behind_and_the_old_one_in_place(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"map{suffix}"
    with open_sink(path, MAP.shape) as sink:
        write_all(sink)
        sink.finish()

    def broken() -> None:
        with open_sink(path, (300, 70)) as sink:
            sink.write(0, MAP[:280])
            raise RuntimeError("the detector failed")

    with pytest.raises(RuntimeError, match="the detector failed"):
        broken()
    assert list(tmp_path.iterdir()) == [path]
    np.testing.assert_array_equal(read(path), MAP)
    sink.abort()  # finished: nothing to give up
    assert path.exists()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_new_map_replaces_the_old_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"map{suffix}"
    for value in (1, 2):
        with open_sink(path, MAP.shape) as sink:
            sink.write(0, np.full(MAP.shape, value, np.float32))
            sink.finish()
    assert (read(path) == 2).all()
    assert list(tmp_path.iterdir()) == [path]


def test_what_is_no_map_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "map.npy").mkdir()
    (tmp_path / "map.zarr").mkdir()
    with pytest.raises(
        IsADirectoryError, match=r"^a map must not replace a folder; choose another name than .*map.npy$"
    ):
        open_sink(tmp_path / "map.npy", MAP.shape)
    with pytest.raises(FileExistsError, match=r"^a Zarr map replaces Zarr arrays only; .*map.zarr is something else"):
        open_sink(tmp_path / "map.zarr", MAP.shape)


@pytest.mark.parametrize("path", [None, "map.npy", "map.tif", "map.zarr"])
def test_rows_come_from_the_top_down_each_once(tmp_path: Path, path: str | None) -> None:
    with open_sink(path and tmp_path / path, (10, 4)) as sink:
        sink.write(0, np.zeros((3, 4), np.float32))
        for y0, shape in ((0, (3, 4)), (4, (3, 4)), (3, (3, 5)), (3, (8, 4)), (3, (4,))):
            with pytest.raises(
                ValueError,
                match=r"^the rows of a 10 x 4 map .*; expected row 3 from column 0, got shape .* at row \d, column 0$",
            ):
                sink.write(y0, np.zeros(shape, np.float32))
        with pytest.raises(
            ValueError, match=r"^all 10 rows must be written before finish; got 3, of columns up to 4 of 4$"
        ):
            sink.finish()
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_cannot_be_written_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"map.tiffs has '.tiffs'; did you mean '.tiff'\? Known: .npy, .tif,"):
        open_sink(tmp_path / "map.tiffs", MAP.shape)
    with pytest.raises(FileNotFoundError, match=r"^the folder of a map must exist; make .*no for .*map.npy$"):
        open_sink(tmp_path / "no" / "map.npy", MAP.shape)


@pytest.mark.parametrize(("module", "suffix"), [("tifffile", ".tif"), ("zarr", ".zarr")])
def test_a_missing_extra_names_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, suffix: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(PluginError, match=rf"needs '{module}'.*pip install \"pyimgano-industrial\[large\]\"$"):
        open_sink(tmp_path / f"map{suffix}", MAP.shape)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_tiles_blend_into_a_file_as_into_memory(tmp_path: Path, suffix: str) -> None:
    grid = make_grid(*MAP.shape, tile_size=(64, 32), stride=(20, 17))
    with open_sink(tmp_path / f"map{suffix}", MAP.shape) as sink:
        accumulator = Accumulator(grid, "hann", sink=sink)
        for tile in grid:
            accumulator.add(tile, MAP[tile.y0 : tile.y1, tile.x0 : tile.x1])
        path = accumulator.finish()
    np.testing.assert_allclose(read(path), MAP, atol=1e-6)


@pytest.mark.parametrize("suffix", [None, *SUFFIXES])
@pytest.mark.parametrize("rows", [33, 600])
def test_a_map_comes_stripe_after_stripe(tmp_path: Path, suffix: str | None, rows: int) -> None:
    with open_sink(suffix and tmp_path / f"map{suffix}", MAP.shape) as sink:
        for x0, x1 in ((0, 30), (30, 31), (31, 70)):
            for y0 in range(0, len(MAP), rows):
                sink.write(y0, MAP[y0 : y0 + rows, x0:x1], x0)
            with pytest.raises(ValueError, match=f"expected row {0 if x1 < 70 else 600} from column"):
                sink.write(1, MAP[:1, x1:], x1)
            if x1 < 70:
                with pytest.raises(ValueError, match=r"got (0|600), of columns up to"):
                    sink.finish()
        found = sink.finish()
    np.testing.assert_array_equal(found if isinstance(found, np.ndarray) else read(found), MAP)


@pytest.mark.parametrize("blend", ["max", "hann"])
@pytest.mark.parametrize("suffix", [None, *SUFFIXES])
def test_stripes_blend_as_one(tmp_path: Path, suffix: str | None, blend: Blend) -> None:
    grid = make_grid(*MAP.shape, tile_size=(64, 32), stride=(20, 17), widest=50)
    assert len(grid.stripes) > 1
    with open_sink(suffix and tmp_path / f"map{suffix}", MAP.shape) as sink:
        accumulator = Accumulator(grid, blend, sink=sink)
        for tile in grid:
            accumulator.add(tile, MAP[tile.y0 : tile.y1, tile.x0 : tile.x1])
        found = accumulator.finish()
        if suffix:
            assert [path.name for path in tmp_path.iterdir()] == [f"map{suffix}"]
    np.testing.assert_allclose(found if isinstance(found, np.ndarray) else read(found), MAP, atol=1e-6)


def test_a_large_map_in_memory_is_an_array_like_any_other() -> None:
    """Above 32 MiB it lies in memory of small pages."""
    sink, rows = ArraySink((4097, 2048)), np.arange(4097 * 2048, dtype=np.float32).reshape(4097, 2048)
    sink.write(0, rows)
    found = sink.finish()
    found[0, 0] = 7
    again = pickle.loads(pickle.dumps(found))
    assert again[0, 0] == 7
    np.testing.assert_array_equal(again[1:], rows[1:])
