"""Images read by windows: arrays, memory maps, files decoded whole, and TIFF and Zarr files larger than memory."""

from __future__ import annotations

import mmap
import struct
import zlib
from abc import abstractmethod
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.core.extras import require
from pyimgano_industrial.core.images import read_rgb

WINDOWED_ABOVE = 256 * 2**20  # bytes of decoded pixels
_MAPPED = 8 * 2**20  # bytes of a file between one row and another that are in memory at a time
_ORIENTATION = 274  # TIFF's tag
_GREY, _RGB, _YCBCR = 1, 2, 6  # values of TIFF's PhotometricInterpretation
_JPEG = 7  # a value of TIFF's Compression


class Source(Protocol):
    """An image of `shape` (H, W) that is read by windows; `name` is for messages."""

    shape: tuple[int, int]
    name: str

    def read_rows(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> NDArray[Any]:
        """Return the rows y0:y1 of columns x0:x1, by default all: (h, w) or (h, w, C) of the image's own dtype."""
        ...

    def close(self) -> None:
        """Release the file, after which rows cannot be read; for arrays nothing is to do."""
        return

    def __enter__(self) -> Source:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_source(
    item: NDArray[Any] | Path | str | Source, *, name: str | None = None, windowed_above: int = WINDOWED_ABOVE
) -> Source:
    """Open an image to be read by rows; a Source is returned as it is.

    item: (H, W) or (H, W, C) array, or the path of a file: `.npy` and `.zarr` are read by rows; TIFF and BigTIFF too
    when their first page decodes to more than `windowed_above` bytes; all others are decoded to (H, W, 3) uint8 RGB.
    What is read by rows keeps its dtype and channels (a colour TIFF's alpha is left out). name: default the path.
    Raises ImageError, naming the file, when it is missing, damaged or of an unsupported kind, and PluginError when it
    needs an extra that is not installed.

    >>> open_source(np.zeros((4, 6, 3), np.uint8)).shape
    (4, 6)
    """
    if isinstance(item, np.ndarray):
        return _array_source(item, name or "image")
    if not isinstance(item, (str, Path)):
        return item
    path, name = Path(item), name or str(item)
    suffix = path.suffix.lower()
    if suffix in (".npy", ".zarr", ".tif", ".tiff") and not path.exists():
        raise ImageError(f"image file not found: {path}")
    if suffix == ".npy":
        return _open_npy(path, name)
    if suffix == ".zarr":
        return ZarrSource(path, name)
    if suffix in (".tif", ".tiff"):
        return _open_tiff(path, name, windowed_above)
    return ArraySource(read_rgb(path), name)


class BandReader:
    """Reads bands of rows that move down the columns x0:x1 of an image, possibly overlapping, each row once.

    A band is never changed afterwards: views of it stay valid as long as they are held.
    """

    def __init__(self, source: Source, x0: int = 0, x1: int | None = None) -> None:
        self._source = source
        self._columns = x0, x1
        self._y0 = 0
        self._rows: NDArray[Any] | None = None

    def band(self, y0: int, y1: int) -> NDArray[Any]:
        """Return the rows y0:y1; raises ValueError outside the image and above the last band."""
        height = self._source.shape[0]
        if not self._y0 <= y0 < y1 <= height:
            raise ValueError(f"bands must move down within rows {self._y0}..{height}; got {y0}..{y1}")
        if isinstance(self._source, ArraySource):
            return self._source.read_rows(y0, y1, *self._columns)
        end = self._y0 if self._rows is None else self._y0 + len(self._rows)
        if self._rows is None or y0 >= end:
            self._rows = self._source.read_rows(y0, y1, *self._columns)
        elif y1 > end:
            below = self._source.read_rows(end, y1, *self._columns)
            self._rows = np.concatenate((self._rows[y0 - self._y0 :], below))
        else:
            self._rows = self._rows[y0 - self._y0 :]
        self._y0 = y0
        return self._rows[: y1 - y0]


class ArraySource(Source):
    """An array in memory; rows are views of it."""

    def __init__(self, pixels: NDArray[Any], name: str = "image") -> None:
        self.shape = _size(pixels.shape, name)
        self.name = name
        self._pixels = pixels

    def read_rows(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> NDArray[Any]:
        return self._pixels[y0:y1, x0:x1]


class MemmapSource(Source):
    """A file mapped into memory; rows are copies, so that the pages they were on do not stay in memory."""

    def __init__(self, pixels: NDArray[Any], mapping: mmap.mmap, name: str) -> None:
        self.shape = _size(pixels.shape, name)
        self.name = name
        self._pixels = pixels
        self._mapping = mapping

    def read_rows(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> NDArray[Any]:
        rows = self._pixels[y0:y1, x0:x1]
        copy = np.empty(rows.shape, rows.dtype.newbyteorder("="))
        step = max(1, _MAPPED // max(1, abs(self._pixels.strides[0])))
        for y in range(0, len(rows), step):
            copy[y : y + step] = rows[y : y + step]
            if hasattr(mmap, "MADV_DONTNEED"):  # Windows has none, and trims what a process maps by itself
                self._mapping.madvise(mmap.MADV_DONTNEED)
        return copy


class _BlockSource(Source):
    """A file whose rows are stored in blocks of `block_rows`; each block is decoded once by a reader moving down."""

    block_rows: int

    def __init__(self) -> None:
        self._kept = -1, 0, 0  # the block in memory, and its columns
        self._rows: NDArray[Any] = np.empty(0)

    def read_rows(self, y0: int, y1: int, x0: int = 0, x1: int | None = None) -> NDArray[Any]:
        x1 = self.shape[1] if x1 is None else x1
        parts = []
        for block in range(y0 // self.block_rows, (y1 - 1) // self.block_rows + 1):
            if (block, x0, x1) != self._kept:
                self._rows, self._kept = self._decode(block, x0, x1), (block, x0, x1)
            first = block * self.block_rows
            parts.append(self._rows[max(0, y0 - first) : y1 - first])
        return np.concatenate(parts) if len(parts) > 1 else parts[0]

    @abstractmethod
    def _decode(self, block: int, x0: int, x1: int) -> NDArray[Any]:
        """Return the rows of a block, counted from the top, between two columns; the last block may have fewer."""


class TiffSource(_BlockSource):
    """The first page of a TIFF or BigTIFF, decoded one row of strips or tiles at a time; needs the extra "large"."""

    def __init__(self, file: Any, name: str) -> None:
        super().__init__()
        self.name = name
        self._file = file
        self._page = page = file.pages[0]
        self.shape = page.imagelength, page.imagewidth
        rows, width = (page.tilelength, page.tilewidth) if page.is_tiled else (page.rowsperstrip, page.imagewidth)
        self.block_rows = min(rows, page.imagelength)
        self._block_columns = width
        self._across = -(-page.imagewidth // width)
        self._down = -(-page.imagelength // self.block_rows)

    def close(self) -> None:
        self._file.close()

    def _decode(self, block: int, x0: int, x1: int) -> NDArray[Any]:
        page = self._page
        planes = page.samplesperpixel if page.planarconfig == 2 else 1
        first = block * self.block_rows
        rows = np.zeros((min(self.block_rows, self.shape[0] - first), x1 - x0, page.samplesperpixel), page.dtype)
        columns = range(x0 // self._block_columns, (x1 - 1) // self._block_columns + 1)
        for plane in range(planes):
            target = rows[..., plane : plane + 1] if planes > 1 else rows
            for column in columns:
                segment, (_, _, _, x, _) = self._segment((plane * self._down + block) * self._across + column)
                if segment is not None:
                    left, right = max(x, x0), min(x + segment.shape[1], x1)
                    part = segment[: len(target), left - x : right - x]
                    target[: len(part), left - x0 : right - x0] = part
        return _channels(rows, page.photometric)

    def _segment(self, index: int) -> tuple[NDArray[Any] | None, tuple[int, int, int, int, int]]:
        """Decode one strip or tile: (h, w, samples), None where the file leaves it out, and where it lies."""
        page, size = self._page, self._page.databytecounts[index]
        file = page.parent.filehandle
        try:
            file.seek(page.dataoffsets[index])
            data = file.read(size)
            if len(data) < size:
                raise ValueError("the file is cut short")
            segment, place, _ = page.decode(data or None, index, jpegtables=page.jpegtables)
        except (ValueError, RuntimeError, NotImplementedError, OSError, zlib.error) as error:
            hint = "; pip install imagecodecs" if "imagecodecs" in str(error) else ""
            raise ImageError(f"cannot decode {self.name}: {error}{hint}") from error
        return (None if segment is None else segment[0]), place


class ZarrSource(_BlockSource):
    """A Zarr array (H, W) or (H, W, C), decoded one row of chunks at a time; needs the extra "large"."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__()
        zarr = require("zarr", extra="large")
        try:
            array = zarr.open(str(path), mode="r")
        except (ValueError, OSError, KeyError) as error:
            raise ImageError(f"cannot read {path}: it is not a Zarr array ({error})") from error
        if not hasattr(array, "chunks"):
            arrays = ", ".join(sorted(key for key, _ in array.arrays())) or "none"
            raise ImageError(f"a Zarr image must be one array; {path} is a group; open an array in it: {arrays}")
        self.shape = _size(array.shape, name)
        self.name = name
        self._array = array
        self.block_rows = array.chunks[0]

    def _decode(self, block: int, x0: int, x1: int) -> NDArray[Any]:
        first = block * self.block_rows
        try:
            return np.asarray(self._array[first : first + self.block_rows, x0:x1])
        except (ValueError, RuntimeError, OSError) as error:
            raise ImageError(f"cannot decode {self.name}: {error}") from error


def _array_source(pixels: NDArray[Any], name: str) -> Source:
    mapping = getattr(pixels, "_mmap", None)
    # Pages of a copy-on-write map ("c") hold what was written to it: they must not be given back.
    if isinstance(mapping, mmap.mmap) and getattr(pixels, "mode", "c") in ("r", "r+"):
        return MemmapSource(pixels, mapping, name)
    return ArraySource(pixels, name)


def _open_npy(path: Path, name: str) -> Source:
    try:
        pixels = np.load(path, mmap_mode="r")
    except (ValueError, OSError) as error:
        raise ImageError(f"cannot read {path}: it is cut short, or not an array of numbers ({error})") from error
    return _array_source(pixels, name)


def _open_tiff(path: Path, name: str, windowed_above: int) -> Source:
    try:
        tifffile = require("tifffile", extra="large")
    except ImportError:
        if path.stat().st_size > windowed_above:
            raise
        return ArraySource(read_rgb(path), name)
    try:
        file = tifffile.TiffFile(path)
    except (tifffile.TiffFileError, struct.error, OSError):
        return ArraySource(read_rgb(path), name)  # another format under this suffix, or an error that says more
    try:
        page = file.pages[0]
        if page.nbytes <= windowed_above:
            return ArraySource(read_rgb(path), name)
        _check_windowed(page, name)
        if not page.is_memmappable:
            source, file = TiffSource(file, name), None  # which closes it
            return source
        return _map_tiff(page, path, name)
    finally:
        if file is not None:
            file.close()


def _check_windowed(page: Any, name: str) -> None:
    orientation = page.tags.valueof(_ORIENTATION, default=1)
    faults = {
        f"orientation {orientation}": orientation != 1,
        f"photometric interpretation {page.photometric!r}": page.photometric not in (_GREY, _RGB)
        and (page.photometric, page.compression) != (_YCBCR, _JPEG),
        "several planes in depth": page.imagedepth != 1,
        f"samples of {page.bitspersample} bits": page.dtype is None,
    }
    if any(faults.values()):
        found = ", ".join(fault for fault, is_there in faults.items() if is_there)
        raise ImageError(
            f"a TIFF that is read by rows must be grey or RGB and upright (orientation 1); {name} has {found}; "
            "convert it, or pass its pixels as an array"
        )


def _map_tiff(page: Any, path: Path, name: str) -> Source:
    dtype = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    try:
        pixels = np.memmap(path, dtype, "r", offset=page.dataoffsets[0], shape=page.shaped)
    except ValueError as error:
        raise ImageError(f"cannot read {path}: the file is cut short ({error})") from error
    planes = pixels[:, 0]  # (planes, H, W, samples of a plane)
    rows = np.moveaxis(planes[..., 0], 0, -1) if len(planes) > 1 else planes[0]
    return _array_source(_channels(rows, page.photometric), name)


def _channels(rows: NDArray[Any], photometric: int) -> NDArray[Any]:
    """Return (n, W) of one channel, the first three of a colour image, all of others."""
    if rows.shape[2] == 1:
        return rows[..., 0]
    return rows[..., :3] if photometric in (_RGB, _YCBCR) else rows


def _size(shape: tuple[int, ...], name: str) -> tuple[int, int]:
    if len(shape) not in (2, 3) or 0 in shape:
        raise ImageError(f"an image must be (H, W) or (H, W, C) with pixels; got shape {shape} for {name}")
    return shape[0], shape[1]
