"""What kind of model a file holds, told by its content; nothing in it is run."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import Literal

from pyimgano_industrial.core.errors import IndustrialError

Kind = Literal["torch", "onnx", "openvino"]

_ONNX_TAGS = b"\x12\x1a\x22\x28\x32\x3a\x42"  # the fields that may follow ir_version in an ONNX ModelProto
_HEAD = 4096


class CheckpointError(IndustrialError, ValueError):
    """A checkpoint is missing, damaged, unsafe, or not of the model that was asked for."""


def sniff(path: Path) -> Kind:
    """Return "torch" (a Lightning .ckpt or a .pt), "onnx" or "openvino" by a file's content; its suffix is not read.

    Raises CheckpointError for a file that is missing, empty, cut short or something else, saying what it is.
    """
    if not path.is_file():
        what = "a folder" if path.is_dir() else "not there"
        raise CheckpointError(f"a checkpoint must be a file; {path} is {what}: give the .ckpt, .pt, .xml or .onnx file")
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        raise CheckpointError(f"a checkpoint must not be empty; {path} has 0 bytes: copy or export it again")
    if head.startswith(b"PK\x03\x04"):
        return _zip(path)
    if head.startswith((b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")):
        return "torch"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.startswith((b"<?xml", b"<net")) and b"<net" in text:
        return "openvino"
    if head[0] == 0x08 and 1 <= head[1] <= 32 and head[2:3] in [bytes([tag]) for tag in _ONNX_TAGS]:
        return "onnx"
    raise CheckpointError(
        f"a checkpoint must be a Lightning .ckpt, an exported .pt, an OpenVINO .xml or an ONNX file; {path} "
        f"({path.stat().st_size} bytes) is {_likeness(path, head)}"
    )


def sha256(path: Path) -> str:
    """Return the SHA-256, as hexadecimal digits, of a model file and of the weights that lie beside an export."""
    beside = {"onnx": path.with_name(f"{path.name}.data"), "openvino": path.with_suffix(".bin")}.get(sniff(path))
    digest = hashlib.sha256()
    for part in (path, beside):
        if part is not None and part.is_file():
            with part.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
    return digest.hexdigest()


def _zip(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise CheckpointError(
            f"{path} ({path.stat().st_size} bytes) is cut short or damaged: copy or export it again"
        ) from error
    if any(name.endswith("/constants.pkl") for name in names):
        raise CheckpointError(
            f"{path} is a TorchScript program, which runs code when it is loaded: export ONNX instead"
        )
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return "torch"
    raise CheckpointError(f"{path} is a zip archive, but not one that torch saved: unpack it and give the file inside")


def _likeness(path: Path, head: bytes) -> str:
    if path.suffix == ".bin":
        return f"perhaps the weights of an OpenVINO model: give {path.with_suffix('.xml').name} beside it"
    if head[8:9] == b"{":
        return "perhaps safetensors, which hold no settings of the model: give anomalib's own .ckpt"
    return "none of them"
