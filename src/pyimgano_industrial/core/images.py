"""Image files decoded and written one way everywhere: RGB or grey, EXIF orientation honoured, no bits lost unsaid.

Rules for samples of more than 8 bits: the bit depth is what the PNG's sBIT chunk says (unless a value exceeds it: the
PNG standard wants such samples scaled up, so that they fill 16 bits), else 12 when no value exceeds 4095, else 16; the
value is then scaled linearly to 0..255. A caller that knows the camera states the depth.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.core.files import written

if TYPE_CHECKING:
    from types import ModuleType

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp"})

_PNG = b"\x89PNG\r\n\x1a\n"
_EXIF_ORIENTATION = 0x0112
_TIFF_WIDTH, _TIFF_HEIGHT, _TIFF_BITS_PER_SAMPLE = 256, 257, 258
_SIDEWAYS = (5, 6, 7, 8)

_stated: int | None = None


def read_rgb(path: Path | str, *, bit_depth: int | None = None) -> NDArray[np.uint8]:
    """Decode an image file to (H, W, 3) uint8 RGB.

    bit_depth: significant bits of samples wider than 8 bits, 9..16; None takes those of `state_bit_depth`, else applies
    the module's rule.
    Raises ImageError, naming the file, when it is missing, empty, truncated or not an image.
    """
    cv2 = _cv2()
    pixels = _decode(Path(path), cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH)
    if bit_depth is None and pixels.dtype == np.uint16:
        bit_depth = _stated or _depth_by_rule(pixels, stated_bit_depth(path))
    scaled = to_uint8(pixels, bit_depth=bit_depth, path=path)
    rgb: NDArray[np.uint8] = cv2.cvtColor(scaled, cv2.COLOR_GRAY2RGB if scaled.ndim == 2 else cv2.COLOR_BGR2RGB)
    return rgb


def state_bit_depth(bits: int | None) -> None:
    """State the bit depth of all files that are read in this process from now on, 9..16; None: the module's rule.

    For a command whose flag states it: models read files by themselves.
    """
    global _stated
    _stated = bits


def read_raw(path: Path | str) -> NDArray[Any]:
    """Decode an image file to its own channels and dtype: (H, W) or (H, W, C), BGR(A) order; for masks."""
    return _decode(Path(path), _cv2().IMREAD_UNCHANGED)


def write_png(path: Path, pixels: NDArray[np.uint8]) -> None:
    """Write (H, W, 3) RGB or (H, W) grey samples; the file is whole or as it was before, and its folder is made."""
    cv2 = _cv2()
    # Without settings OpenCV takes the fastest way: level 1, run lengths, the Sub filter.
    data = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR) if pixels.ndim == 3 else pixels)[1]
    with written(path) as spare:
        spare.write_bytes(data.tobytes())


def to_uint8(pixels: NDArray[Any], *, bit_depth: int | None = None, path: Path | str = "image") -> NDArray[np.uint8]:
    """Scale samples to uint8 by the module's rule; float samples must lie in 0..1."""
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        depth = bit_depth or _depth_by_rule(pixels)
        if not 9 <= depth <= 16:
            raise ImageError(f"bit_depth must be in 9..16; got {depth} for {path}")
        largest = int(pixels.max(initial=0))
        if largest >= 2**depth:
            raise ImageError(
                f"samples of {depth} bits must not exceed {2**depth - 1}; {path} has {largest}; "
                f"state {largest.bit_length()} bits (bit_depth={largest.bit_length()}, or "
                f"u16_max={2 ** largest.bit_length() - 1}), or leave out images of another camera"
            )
        scaled: NDArray[np.uint8] = (pixels >> (depth - 8)).astype(np.uint8)
        return scaled
    if np.issubdtype(pixels.dtype, np.floating):
        if not (np.isfinite(pixels).all() and pixels.min() >= 0 and pixels.max() <= 1):
            raise ImageError(f"float samples must be finite and in 0..1; {path} has others; convert it to 8 or 16 bits")
        rounded: NDArray[np.uint8] = np.rint(pixels * 255).astype(np.uint8)
        return rounded
    raise ImageError(f"samples must be uint8, uint16 or float; {path} has {pixels.dtype}; convert it")


def stated_bit_depth(path: Path | str) -> int | None:
    """Return the significant bits that a PNG's sBIT chunk states for samples wider than 8 bits, else None."""
    with Path(path).open("rb") as file:
        if file.read(8) != _PNG:
            return None
        while len(header := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", header)
            if kind == b"sBIT":
                depth = max(file.read(length))
                return depth if depth > 8 else None
            if kind in (b"IDAT", b"IEND"):
                return None
            file.seek(length + 4, 1)
    return None


def stored_bits(path: Path | str) -> int:
    """Return the bits of one stored sample, 8 for 8 and less, from the file's header alone.

    Raises ImageError, naming the file, when it is missing or a TIFF whose header cannot be read.
    """
    from PIL.TiffImagePlugin import TiffImageFile

    try:
        with Path(path).open("rb") as file:
            header = file.read(25)
        bits: tuple[int, ...] = (8,)
        if header.startswith(_PNG) and len(header) == 25:
            bits = (header[24],)
        elif header.startswith((b"II", b"MM")):
            with TiffImageFile(path) as image:
                bits = image.tag_v2.get(_TIFF_BITS_PER_SAMPLE, bits)
    except (OSError, SyntaxError) as error:
        raise ImageError(_unreadable(Path(path))) from error
    return max(8, *bits)


def is_plain(path: Path | str) -> bool:
    """Return whether every reader decodes a file alike: 8 bits a sample, and upright without its EXIF tag."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            return stored_bits(path) == 8 and image.getexif().get(_EXIF_ORIENTATION, 1) == 1
    except (OSError, UnidentifiedImageError, SyntaxError, Image.DecompressionBombError):
        return False  # whoever decodes it will say what is wrong


def significant_bits(path: Path | str) -> int:
    """Return the bit depth of an image file by the module's rule: 8 from the header alone, 9..16 from its pixels."""
    if stored_bits(path) == 8:
        return 8
    pixels = read_raw(path)
    return _depth_by_rule(pixels, stated_bit_depth(path)) if pixels.dtype == np.uint16 else 8


def image_size(path: Path | str) -> tuple[int, int]:
    """Return (height, width) as displayed, EXIF orientation applied, from the file's header alone."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as image:
            width, height = image.size
            if (tags := getattr(image, "tag_v2", None)) is not None:  # a TIFF, to whose size some Pillows apply the tag
                width, height = tags[_TIFF_WIDTH], tags[_TIFF_HEIGHT]
            tagged = tags is not None or "exif" in image.info  # without this, Pillow decodes a PNG to look for the tag
            sideways = tagged and image.getexif().get(_EXIF_ORIENTATION) in _SIDEWAYS
    except Image.DecompressionBombError:  # more than 179 megapixels, which OpenCV decodes
        height, width = _decode(Path(path), _cv2().IMREAD_GRAYSCALE).shape
        return height, width
    except (OSError, UnidentifiedImageError, SyntaxError) as error:
        raise ImageError(_unreadable(Path(path))) from error
    return (width, height) if sideways else (height, width)


def _depth_by_rule(pixels: NDArray[np.uint16], stated: int | None = None) -> int:
    largest = int(pixels.max(initial=0))
    return next(depth for depth in (stated or 12, 16) if largest < 2**depth)


def _decode(path: Path, flags: int) -> NDArray[Any]:
    try:
        data = path.read_bytes()  # cv2.imread cannot open non-ASCII paths on Windows
    except OSError as error:
        raise ImageError(_unreadable(path)) from error
    if not data or _cut_short(data):
        raise ImageError(_unreadable(path))
    cv2 = _cv2()
    turned = 1 if flags == cv2.IMREAD_UNCHANGED else _webp_orientation(data)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | (turned > 1 and cv2.IMREAD_IGNORE_ORIENTATION))
    except cv2.error as error:  # more pixels than OpenCV decodes
        raise ImageError(f"{_unreadable(path)} ({error.err})") from error
    if pixels is None:
        raise ImageError(_unreadable(path))
    return _upright(pixels, turned)


def _webp_orientation(data: bytes) -> int:
    """Return the EXIF orientation of a WebP, which OpenCV honours from 4.12 on only; 1 for every other format."""
    if not (data.startswith(b"RIFF") and data[8:12] == b"WEBP" and b"EXIF" in data):
        return 1
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data)) as image:
            return int(image.getexif().get(_EXIF_ORIENTATION, 1))
    except (OSError, UnidentifiedImageError, SyntaxError, Image.DecompressionBombError):
        return 1  # damaged or too large, which the decoder will say


def _upright(pixels: NDArray[Any], orientation: int) -> NDArray[Any]:
    """Return pixels as an EXIF orientation of 1..8 wants them displayed."""
    if orientation in _SIDEWAYS:
        pixels = pixels.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return np.ascontiguousarray(pixels)


def _cut_short(data: bytes) -> bool:
    """Older OpenCV fills the missing part of a truncated PNG or JPEG with black or grey, silently."""
    if data.startswith(_PNG):
        return b"IEND" not in data
    # A JPEG's last scan must be followed by an end marker; an embedded thumbnail has markers of its own before it.
    return data.startswith(b"\xff\xd8") and data.find(b"\xff\xd9", data.rfind(b"\xff\xda")) < 0


def _unreadable(path: Path) -> str:
    if not path.exists():
        return f"image file not found: {path}"
    size = path.stat().st_size
    state = "is empty" if size == 0 else f"({size} bytes) is truncated, damaged or not an image"
    return f"cannot read {path}: the file {state}; replace it or take it out of the data set"


def _cv2() -> ModuleType:
    try:
        import cv2
    except ImportError as error:
        raise ImageError(
            f"OpenCV does not import ({error}); on a server without libGL see the how-to 'Servers without a display'"
        ) from error
    module: ModuleType = cv2
    return module
