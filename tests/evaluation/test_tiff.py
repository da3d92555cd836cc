"""Maps written as float16 TIFF are read back by tifffile; what tifffile writes is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from pyimgano_industrial.core.errors import ImageError, PluginError
from pyimgano_industrial.evaluation import tiff
from pyimgano_industrial.evaluation.maps import write_map

MAP = np.random.default_rng(0).normal(0, 50, (37, 53))


def test_tifffile_reads_what_is_written(tmp_path: Path) -> None:
    tiff.write_half(tmp_path / "a.tiff", MAP.astype(np.float16))
    found = tifffile.imread(tmp_path / "a.tiff")
    assert (found.dtype, found.shape) == (np.float16, (37, 53))
    assert (found == MAP.astype(np.float16)).all()
    with tifffile.TiffFile(tmp_path / "a.tiff") as file:
        assert (len(file.pages), file.pages[0].compression) == (1, 1)


@pytest.mark.parametrize("kind", ["<f2", "<f4", "<f8", ">f4", "<u1", "<i2"])
@pytest.mark.parametrize(
    "options",
    [{}, {"compression": "zlib"}, {"rowsperstrip": 5}, {"tile": (16, 16)}, {"compression": "lzw", "predictor": True}],
    ids=["plain", "deflate", "strips", "tiles", "lzw"],
)
def test_what_tifffile_writes_is_read(kind: str, options: dict, tmp_path: Path) -> None:
    wanted = MAP.astype(kind)
    tifffile.imwrite(tmp_path / "a.tif", wanted, **options)
    found = tiff.read_tiff((tmp_path / "a.tif").read_bytes(), "a.tif")
    assert found.dtype == wanted.dtype.newbyteorder("=")
    assert (found == wanted).all()


def test_what_evaluate_exports_is_read(tmp_path: Path) -> None:
    write_map(tmp_path / "a.tiff", MAP.astype(np.float32))
    assert (tiff.read_map(tmp_path / "a.tiff") == MAP.astype(np.float32)).all()


def test_plain_files_need_no_tifffile_and_others_name_the_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tifffile.imwrite(tmp_path / "plain.tiff", MAP.astype(np.float16))
    tifffile.imwrite(tmp_path / "tiles.tiff", MAP.astype(np.float16), tile=(16, 16))
    monkeypatch.setitem(__import__("sys").modules, "tifffile", None)
    assert tiff.read_tiff((tmp_path / "plain.tiff").read_bytes(), "plain.tiff").dtype == np.float16
    with pytest.raises(PluginError, match=r"tiles.tiff is tiled.*large"):
        tiff.read_tiff((tmp_path / "tiles.tiff").read_bytes(), "tiles.tiff")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.tiff", b"", "truncated, damaged or no TIFF"),
        ("a.tiff", b"no image", "truncated, damaged or no TIFF"),
        ("a.npy", b"no array", "write it with numpy.save"),
    ],
)
def test_damaged_files_are_named(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ImageError, match=said) as caught:
        tiff.read_map(tmp_path / name)
    assert name in f"{caught.value}"


def test_a_truncated_file_is_an_error(tmp_path: Path) -> None:
    tiff.write_half(tmp_path / "a.tiff", MAP.astype(np.float16))
    data = (tmp_path / "a.tiff").read_bytes()
    for length in (9, 60, len(data) - 1):
        with pytest.raises(ImageError, match="truncated"):
            tiff.read_tiff(data[:length], "a.tiff")


def test_a_map_of_several_channels_is_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.zeros((3, 4, 2)))
    with pytest.raises(ImageError, match=r"a.npy is \(3, 4, 2\)"):
        tiff.read_map(tmp_path / "a.npy")
