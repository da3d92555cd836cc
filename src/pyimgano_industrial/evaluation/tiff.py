"""Maps in TIFF and NumPy files: float16 written with Pillow, any map read, with tifffile where that is needed."""

from __future__ import annotations

import io
import warnings
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import ImageError, PluginError
from pyimgano_industrial.core.extras import require
from pyimgano_industrial.core.files import written

MAP_SUFFIXES = (".tiff", ".tif", ".npy")

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _STRIPS, _SAMPLES, _STRIP_BYTES = 256, 257, 258, 259, 273, 277, 279
_PREDICTOR, _TILE_WIDTH, _SAMPLE_FORMAT = 317, 322, 339
_FLOAT = 3
_NONE, _DEFLATES = 1, (8, 32946)
_KINDS = {1: "u", 2: "i", _FLOAT: "f"}


def write_half(path: Path, anomaly_map: NDArray[np.float16]) -> None:
    """Write a map (H, W) float16 as TIFF without compression, one strip, whole or not at all."""
    from PIL import Image

    bits = np.ascontiguousarray(anomaly_map, np.float16).view(np.uint16)
    buffer = io.BytesIO()  # Pillow knows no float16, but it writes 16 bits and the tag that says what they are
    Image.fromarray(bits).save(buffer, "TIFF", tiffinfo={_SAMPLE_FORMAT: _FLOAT})
    with written(path) as spare:
        spare.write_bytes(buffer.getvalue())


def read_map(path: Path) -> NDArray[np.float32]:
    """Read a map (H, W) of .tiff, .tif or .npy as float32; raises ImageError, naming the file."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot read {path}: {error.strerror}") from error
    found = read_npy(data, path) if path.suffix.lower() == ".npy" else read_tiff(data, path)
    if found.ndim != 2 or not np.issubdtype(found.dtype, np.number) or np.iscomplexobj(found):
        raise ImageError(f"a map must be (H, W) of real numbers; {path} is {found.shape} {found.dtype}")
    with np.errstate(over="ignore"):
        return found.astype(np.float32)


def read_npy(data: bytes, name: Path | str) -> NDArray[Any]:
    """Decode a .npy file's content; raises ImageError, naming the file."""
    try:
        found: NDArray[Any] = np.load(io.BytesIO(data), allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ImageError(f"cannot read {name}: {error}; write it with numpy.save") from error
    return found


def read_tiff(data: bytes, name: Path | str) -> NDArray[Any]:
    """Decode a TIFF file's content to its own shape and dtype; several pages add an axis in front.

    Plain files (strips, no compression or deflate) need nothing; others need tifffile, from the extra "large". Raises
    ImageError, naming the file, for content that is no TIFF or cut short, PluginError where tifffile is missing.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # Pillow's way to say that tags are cut short
            found = _plain(data)
    except Exception as error:  # Pillow's parser raises what struct, indexing and zlib raise
        raise _unreadable(data, name) from error
    return _with_tifffile(data, name) if found is None else found


def _plain(data: bytes) -> NDArray[Any] | None:
    """Decode one page of one channel in strips; None: there is more to it."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    file = io.BytesIO(data)
    directory = ImageFileDirectory_v2(file.read(8))
    file.seek(directory.next)
    directory.load(file)
    compression = directory.get(_COMPRESSION, _NONE)
    kind = _KINDS.get(_one(directory.get(_SAMPLE_FORMAT, 1)))
    bits = _one(directory.get(_BITS, 1))
    known = compression == _NONE or compression in _DEFLATES
    plain = directory.get(_SAMPLES, 1) == 1 and directory.get(_PREDICTOR, 1) == 1 and _TILE_WIDTH not in directory
    if not (known and plain and kind and bits in (8, 16, 32, 64) and not directory.next):
        return None
    order = "<" if data.startswith(b"II") else ">"
    strips = []
    for start, size in zip(directory[_STRIPS], directory[_STRIP_BYTES], strict=True):
        strip = data[start : start + size]
        if len(strip) != size:
            raise EOFError
        strips.append(strip if compression == _NONE else zlib.decompress(strip))
    shape = directory[_HEIGHT], directory[_WIDTH]
    pixels = np.frombuffer(b"".join(strips), f"{order}{kind}{bits // 8}")
    return pixels[: shape[0] * shape[1]].reshape(shape).astype(pixels.dtype.newbyteorder("="))


def _with_tifffile(data: bytes, name: Path | str) -> NDArray[Any]:
    try:
        tifffile = require("tifffile", extra="large")
    except PluginError as error:
        raise PluginError(f"{name} is tiled, compressed, coloured or has several pages: {error}") from error
    try:
        found: NDArray[Any] = tifffile.imread(io.BytesIO(data))
    except Exception as error:  # tifffile and its codecs raise many kinds
        raise _unreadable(data, name) from error
    return found


def _unreadable(data: bytes, name: Path | str) -> ImageError:
    return ImageError(f"cannot read {name}: the file ({len(data)} bytes) is truncated, damaged or no TIFF")


def _one(value: Any) -> int:
    found: int = value[0] if isinstance(value, tuple) else value
    return found
