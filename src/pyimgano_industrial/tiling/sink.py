"""Where a merged map goes: memory, or a .npy, TIFF or Zarr file that is written row by row and appears when whole."""

from __future__ import annotations

import shutil
import uuid
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import UnknownNameError, closest
from pyimgano_industrial.core.extras import require
from pyimgano_industrial.core.memory import small_pages

_LARGE = 32 * 2**20  # bytes; what is freed up to this size glibc keeps for the next array
_ZARR_CHUNK = (256, 1024)  # rows, columns: 1 MiB
_TIFF_STRIP = 64  # rows
_CLASSIC_TIFF = 2**32 - 2**20  # bytes that 32-bit offsets reach, headers left out


class Sink(Protocol):
    """What takes the rows of a map, from the top down, each once: whole, or stripe after stripe from the left.

    merged: the map itself, (H, W) float32, where it is in memory: rows are merged there and then written where they
    lie. None for others, which say in `folder` where files may lie that are needed meanwhile.
    """

    merged: NDArray[np.float32] | None
    folder: Path | None

    def write(self, y0: int, rows: NDArray[np.float32], x0: int = 0) -> None:
        """Take (n, w) float32 that begin at row y0 and column x0; they are valid during the call only."""

    def finish(self) -> Any:
        """Return the result, once all rows are written."""

    def abort(self) -> None:
        """Remove what was written."""


def open_sink(path: Path | str | None, shape: tuple[int, int]) -> ArraySink | FileSink:
    """Return the sink for a map of `shape` (H, W): in memory for None, else by suffix .npy, .tif, .tiff or .zarr.

    A file of that name is replaced, when the map is finished. Used in a `with` block, it removes a map half written.
    Raises UnknownNameError for another suffix, FileNotFoundError for a folder that does not exist, PluginError for a
    missing extra.
    """
    if path is None:
        return ArraySink(shape)
    suffix = Path(path).suffix.lower()
    if suffix not in _SINKS:
        raise UnknownNameError(
            f"a map is written to a file by suffix; {path} has {suffix!r}; {closest(suffix, _SINKS)}"
        )
    return _SINKS[suffix](path, shape)


class ArraySink:
    """Keeps the map in memory; `finish` returns it: (H, W) float32."""

    folder: Path | None = None

    def __init__(self, shape: tuple[int, int]) -> None:
        self.merged: NDArray[np.float32] | None = _room(shape)
        self._rows = self.merged
        self._order = _Order(shape)

    def write(self, y0: int, rows: NDArray[np.float32], x0: int = 0) -> None:
        self._order.take(y0, x0, rows.shape)
        place = self._rows[y0 : y0 + len(rows), x0 : x0 + rows.shape[1]]
        if not np.may_share_memory(place, rows):
            place[...] = rows

    def finish(self) -> NDArray[np.float32]:
        self._order.check_end()
        return self._rows

    def abort(self) -> None:
        self.merged = self._rows = np.empty((0, 0), np.float32)

    def __enter__(self) -> ArraySink:
        return self

    def __exit__(self, *_: object) -> None:
        return None


class FileSink(ABC):
    """Writes under a temporary name beside `path`; `finish` renames that and returns `path`, `abort` removes it."""

    merged: NDArray[np.float32] | None = None

    def __init__(self, path: Path | str, shape: tuple[int, int]) -> None:
        self.path = Path(path)
        self.folder: Path | None = self.path.parent
        self.shape = shape
        self._order = _Order(shape)
        if not self.path.parent.is_dir():
            raise FileNotFoundError(f"the folder of a map must exist; make {self.path.parent} for {self.path}")
        self._check_replaceable()
        self._partial = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex[:8]}.partial")
        self._open = True
        try:
            self._create(self._partial)
        except BaseException:
            self.abort()
            raise

    def write(self, y0: int, rows: NDArray[np.float32], x0: int = 0) -> None:
        """Take rows, (n, w) float32, that begin where the last ones ended; raises ValueError for others."""
        self._order.take(y0, x0, rows.shape)
        self._put(y0, x0, np.ascontiguousarray(rows, np.float32))

    def finish(self) -> Path:
        """Put the whole map in its place and return its path; raises ValueError when rows are missing."""
        self._order.check_end()
        self._close()
        self._replace()
        self._open = False
        return self.path

    def abort(self) -> None:
        """Remove the half-written map; a map that is finished stays."""
        if self._open:
            self._open = False
            self._close()
            _remove(self._partial)

    def __enter__(self) -> FileSink:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _check_replaceable(self) -> None:
        if self.path.is_dir():
            raise IsADirectoryError(f"a map must not replace a folder; choose another name than {self.path}")

    def _replace(self) -> None:
        self._partial.replace(self.path)

    @abstractmethod
    def _create(self, path: Path) -> None: ...

    @abstractmethod
    def _put(self, y0: int, x0: int, rows: NDArray[np.float32]) -> None: ...

    @abstractmethod
    def _close(self) -> None:
        """Release the file; it may be called when `_create` failed."""


class _RawSink(FileSink):
    """A header, then the samples: written to the file, not through a memory map, whose pages would count as ours."""

    _file: Any = None
    _start: int  # of the samples in the file, in bytes

    def _put(self, y0: int, x0: int, rows: NDArray[np.float32]) -> None:
        width = self.shape[1]
        if rows.shape[1] == width:
            self._file.write(rows.data)
            return
        for row, values in enumerate(rows, y0):
            self._file.seek(self._start + 4 * (row * width + x0))
            self._file.write(values.data)

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()


class NpySink(_RawSink):
    """Writes a .npy file, for `np.load(path, mmap_mode="r")`."""

    def _create(self, path: Path) -> None:
        self._file = path.open("xb")
        descr = np.lib.format.dtype_to_descr(np.dtype(np.float32))
        np.lib.format.write_array_header_1_0(self._file, {"descr": descr, "fortran_order": False, "shape": self.shape})
        self._start = self._file.tell()


class TiffSink(_RawSink):
    """Writes an uncompressed float32 TIFF, a BigTIFF above 4 GiB; needs the extra "large"."""

    def _create(self, path: Path) -> None:
        tifffile = require("tifffile", extra="large")
        size = 4 * self.shape[0] * self.shape[1]
        with tifffile.TiffWriter(path, bigtiff=size > _CLASSIC_TIFF) as tiff:
            self._start, _ = tiff.write(
                shape=self.shape,
                dtype=np.float32,
                photometric="minisblack",
                rowsperstrip=_TIFF_STRIP,
                metadata=None,
                returnoffset=True,
            )
        self._file = path.open("r+b")
        self._file.seek(self._start)


class ZarrSink(FileSink):
    """Writes a Zarr array in chunks of 256 x 1024, one row of chunks at a time; needs the extra "large"."""

    def _create(self, path: Path) -> None:
        zarr = require("zarr", extra="large")
        chunks = tuple(min(chunk, length) for chunk, length in zip(_ZARR_CHUNK, self.shape, strict=True))
        self._array = zarr.open_array(str(path), mode="w", shape=self.shape, chunks=chunks, dtype="float32")
        self._chunk_rows = chunks[0]
        self._kept = np.empty((0, 0), np.float32)  # the rows of a row of chunks that is not full yet

    def _put(self, y0: int, x0: int, rows: NDArray[np.float32]) -> None:
        width = rows.shape[1]
        if y0 == 0:
            self._kept = np.empty((self._chunk_rows, width), np.float32)
        end = y0 + len(rows)
        while y0 < end:
            filled = y0 % self._chunk_rows
            taken = rows[: self._chunk_rows - filled]
            self._kept[filled : filled + len(taken)] = taken
            first, y0, rows = y0 - filled, y0 + len(taken), rows[len(taken) :]
            if y0 % self._chunk_rows == 0 or y0 == self.shape[0]:
                self._array[first:y0, x0 : x0 + width] = self._kept[: y0 - first]

    def _close(self) -> None:
        pass

    def _check_replaceable(self) -> None:
        names = ("zarr.json", ".zarray", ".zgroup")
        if self.path.exists() and not any((self.path / name).exists() for name in names):
            raise FileExistsError(f"a Zarr map replaces Zarr arrays only; {self.path} is something else: move it away")

    def _replace(self) -> None:
        if self.path.exists():
            old = self._partial.with_suffix(".old")
            self.path.rename(old)
            self._partial.rename(self.path)
            _remove(old)
        else:
            self._partial.rename(self.path)


_SINKS: dict[str, type[FileSink]] = {".npy": NpySink, ".tif": TiffSink, ".tiff": TiffSink, ".zarr": ZarrSink}


class _Order:
    """Holds that the rows of a map of `shape` come from the top down, stripe after stripe, each once."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self._shape = shape
        self._next = 0
        self._columns = 0, 0  # of the stripe that is being written

    def take(self, y0: int, x0: int, shape: tuple[int, ...]) -> None:
        height, width = self._shape
        if self._next == height and self._columns[1] < width:
            self._next, self._columns = 0, (self._columns[1], width)
        if self._next == 0 and len(shape) == 2:  # the first rows say how wide their stripe is
            self._columns = self._columns[0], min(self._columns[0] + shape[1], width)
        left, right = self._columns
        if len(shape) != 2 or (x0, shape[1]) != (left, right - left) or y0 != self._next or y0 + shape[0] > height:
            raise ValueError(
                f"the rows of a {height} x {width} map must come from the top down, stripe after stripe; "
                f"expected row {self._next} from column {left}, got shape {shape} at row {y0}, column {x0}"
            )
        self._next += shape[0]

    def check_end(self) -> None:
        if (self._next, self._columns[1]) != self._shape:
            raise ValueError(
                f"all {self._shape[0]} rows must be written before finish; got {self._next}, of columns up to "
                f"{self._columns[1]} of {self._shape[1]}"
            )


def _room(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return an array (H, W) whose pixels nobody has set.

    Up to `_LARGE` it lies in memory that was in use before. A larger one gets its pages at once, which costs two thirds
    of getting them one by one.
    """
    size = 4 * shape[0] * shape[1]
    if size <= _LARGE:
        return np.empty(shape, np.float32)
    return small_pages(size, at_once=True).view(np.float32).reshape(shape)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
