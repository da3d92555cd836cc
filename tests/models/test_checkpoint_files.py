"""A file's kind is told by its content, and what is none is named."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path

import pytest

from pyimgano_industrial.models.checkpoint_files import CheckpointError, sha256, sniff


def zipped(path: Path, *names: str) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return path


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_the_suffix_is_not_read(tmp_path: Path) -> None:
    assert sniff(zipped(tmp_path / "model.onnx", "archive/data.pkl")) == "torch"
    assert sniff(written(tmp_path / "old.xml", pickle.dumps({}, protocol=2))) == "torch"
    assert sniff(written(tmp_path / "model.ckpt", b'\xef\xbb\xbf<?xml version="1.0"?>\n<net name="m">')) == "openvino"
    assert sniff(written(tmp_path / "model.pt", b"\x08\x0a\x12\x07pytorch")) == "onnx"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.ckpt", b"", "must not be empty; .*a.ckpt has 0 bytes"),
        ("a.ckpt", b"PK\x03\x04 and then nothing", "a.ckpt .* is cut short or damaged"),
        ("a.bin", b"\x00" * 64, "weights of an OpenVINO model: give a.xml beside it"),
        ("a.ckpt", b"\x40\x00\x00\x00\x00\x00\x00\x00{}", "perhaps safetensors"),
        ("a.ckpt", b"hello", "is none of them"),
    ],
)
def test_another_file_is_refused_by_what_it_is(name: str, content: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=message):
        sniff(written(tmp_path / name, content))


def test_torchscript_other_archives_and_folders_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="is a TorchScript program"):
        sniff(zipped(tmp_path / "script.pt", "archive/data.pkl", "archive/constants.pkl"))
    with pytest.raises(CheckpointError, match="not one that torch saved"):
        sniff(zipped(tmp_path / "photos.zip", "photo.png"))
    with pytest.raises(CheckpointError, match=r"is a folder: give the \.ckpt"):
        sniff(tmp_path)
    with pytest.raises(CheckpointError, match=r"gone\.ckpt is not there"):
        sniff(tmp_path / "gone.ckpt")


@pytest.mark.parametrize(
    ("name", "content", "beside"),
    [
        ("a.ckpt", b"\x80\x02abc", None),
        ("a.xml", b'<?xml version="1.0"?><net/>', "a.bin"),
        ("a.onnx", b"\x08\x0a\x12\x07pytorch", "a.onnx.data"),
    ],
)
def test_the_hash_is_that_of_the_file_and_of_an_export_s_weights_beside_it(
    name: str, content: bytes, beside: str | None, tmp_path: Path
) -> None:
    path = written(tmp_path / name, content)
    for other in ("a.bin", f"{name}.data"):
        written(tmp_path / other, other.encode())
    weights = b"" if beside is None else beside.encode()
    assert sha256(path) == hashlib.sha256(content + weights).hexdigest()
