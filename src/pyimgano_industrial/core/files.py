"""Files that are whole or as they were before."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path


@contextmanager
def written(path: Path) -> Iterator[Path]:
    """Yield a spare path beside `path` that takes its place once the block ends without an error."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    os.close(handle)
    spare = Path(name)
    try:
        yield spare
        spare.chmod(0o666 & ~_umask())  # a temporary file is its owner's alone
        spare.replace(path)
    finally:
        spare.unlink(missing_ok=True)


@cache
def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
