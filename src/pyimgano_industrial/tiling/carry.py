"""What a stripe of an image has merged of the columns that it shares with the next one; kept in a file meanwhile."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray


class Carry:
    """Rows of `width` float32 values that are written from the top down, then read from the top down.

    They go through a file without a name, in `folder`, so that memory does not depend on how many there are.
    """

    def __init__(self, width: int, folder: Path | None) -> None:
        self.width = width
        self._file = tempfile.TemporaryFile(dir=folder)  # noqa: SIM115 - it outlives this call

    def write(self, rows: NDArray[np.float32]) -> None:
        """Append rows (n, width)."""
        self._file.write(np.ascontiguousarray(rows).data)

    def rewind(self) -> None:
        """Begin to read."""
        self._file.seek(0)

    def read(self, count: int) -> NDArray[np.float32]:
        """Return the next rows (count, width)."""
        data = self._file.read(4 * count * self.width)
        return np.frombuffer(data, np.float32).reshape(count, self.width)

    def close(self) -> None:
        """Remove the file."""
        self._file.close()
