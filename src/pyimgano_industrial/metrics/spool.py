"""Arrays kept in memory up to a budget, then in a temporary file that goes with its owner."""

from __future__ import annotations

import mmap
import tempfile
import weakref
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.memory import small_pages

_BLOCK = 2**20  # bytes of memory that small arrays share
_PIECE = 2**16  # bytes that are written at once: large ones come in large pages, which virtual machines make slowly

Place = NDArray[Any] | tuple[int, int, str]  # the array itself, or where its bytes lie: offset, length, dtype


class Spool:
    """Keeps arrays: `budget` bytes in memory, all others in a file in `folder` (the system's temporary one)."""

    def __init__(self, *, budget: int, folder: Path | None) -> None:
        self._budget, self._folder = budget, folder
        self._places: list[Place] = []
        self._held = self._written = 0
        self._file: IO[bytes] | None = None
        self._block, self._used = np.empty(0, np.uint8), 0

    @property
    def written(self) -> int:
        """The bytes on disk."""
        return self._written

    def put(self, array: NDArray[Any], *, lent: bool = False) -> int:
        """Keep an array and return its number; one that is lent is not copied, and must not change."""
        if lent:
            self._places.append(array)
        elif self._held + array.nbytes <= self._budget:
            self._held += array.nbytes
            self._places.append(self._copied(array))
        else:
            self._places.append((self._written, array.size, array.dtype.str))
            self._write(np.ascontiguousarray(array).view(np.uint8))
        return len(self._places) - 1

    def get(self, number: int) -> NDArray[Any]:
        place = self._places[number]
        if isinstance(place, np.ndarray):
            return place
        offset, size, dtype = place
        if size * np.dtype(dtype).itemsize >= _BLOCK:
            return self._mapped(offset, size, dtype)
        found = np.empty(size, dtype)
        if size:
            self._open().seek(offset)
            self._open().readinto(found.view(np.uint8).data)  # type: ignore[attr-defined] # a file opened as bytes has it
        return found

    def size(self, number: int) -> int:
        place = self._places[number]
        return place.size if isinstance(place, np.ndarray) else place[1]

    def close(self) -> None:
        """Let go of everything; the file is removed."""
        if self._file is not None:
            self._file.close()
        self._places, self._file, self._held, self._written = [], None, 0, 0
        self._block, self._used = np.empty(0, np.uint8), 0

    def _write(self, data: NDArray[np.uint8]) -> None:
        file = self._open()
        file.seek(self._written)
        for start in range(0, data.size, _PIECE):
            self._written += file.write(data[start : start + _PIECE].data)

    def _mapped(self, offset: int, size: int, dtype: str) -> NDArray[Any]:
        """Return an array as it lies in the file, without a copy."""
        self._open().flush()
        start = offset % mmap.ALLOCATIONGRANULARITY
        length = start + size * np.dtype(dtype).itemsize
        view = mmap.mmap(self._open().fileno(), length, access=mmap.ACCESS_READ, offset=offset - start)
        return np.frombuffer(view, dtype, size, start)

    def _copied(self, array: NDArray[Any]) -> NDArray[Any]:
        if array.nbytes >= _BLOCK:
            copy = small_pages(array.nbytes, at_once=True).view(array.dtype)
        else:
            start = -(-self._used // 64) * 64
            if start + array.nbytes > self._block.size:
                self._block, start = small_pages(_BLOCK, at_once=True), 0
            self._used = start + array.nbytes
            copy = self._block[start : self._used].view(array.dtype)
        copy[:] = array.reshape(-1)
        return copy

    def _open(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="pyimgano-metrics-", dir=self._folder)  # noqa: SIM115 - closed below
            weakref.finalize(self, self._file.close)
        return self._file
