"""Arrays of keys kept in memory up to a budget, then in a temporary file that goes with its owner."""

from __future__ import annotations

import tempfile
import weakref
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.keys import Keys

Place = NDArray[Any] | tuple[int, int, str]  # the array itself, or where its bytes lie: offset, length, dtype


class Spool:
    """Keeps arrays: `budget` bytes in memory, all others in a file in `folder` (the system's temporary one)."""

    def __init__(self, *, budget: int, folder: Path | None) -> None:
        self._budget, self._folder = budget, folder
        self._places: list[Place] = []
        self._held = self._written = 0
        self._file: IO[bytes] | None = None

    @property
    def written(self) -> int:
        """The bytes on disk."""
        return self._written

    def put(self, keys: Keys) -> int:
        """Keep an array and return its number; the array must not be changed afterwards."""
        if self._held + keys.nbytes <= self._budget:
            self._held += keys.nbytes
            self._places.append(keys)
        else:
            self._places.append((self._written, keys.size, keys.dtype.str))
            self._open().seek(self._written)
            self._written += self._open().write(np.ascontiguousarray(keys).view(np.uint8).data)
        return len(self._places) - 1

    def get(self, number: int) -> Keys:
        place = self._places[number]
        if isinstance(place, np.ndarray):
            return place
        offset, size, dtype = place
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

    def _open(self) -> IO[bytes]:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="pyimgano-metrics-", dir=self._folder)  # noqa: SIM115 - closed below
            weakref.finalize(self, self._file.close)
        return self._file
