"""Large arrays in memory of small pages.

numpy asks for huge pages. A virtual machine that gives its free memory, whole huge pages of it, back to the host makes
new ones slowly: up to a second for 256 MiB was measured.
"""

from __future__ import annotations

import mmap

import numpy as np
from numpy.typing import NDArray


def small_pages(size: int, *, at_once: bool = False) -> NDArray[np.uint8]:
    """Return `size` bytes, 1 or more, which nobody has set; at_once: all pages are taken now, where the system can."""
    if not hasattr(mmap, "MAP_ANONYMOUS"):
        return np.empty(size, np.uint8)  # Windows has small pages anyway
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
    if at_once:
        flags |= getattr(mmap, "MAP_POPULATE", 0)  # Linux has it
    return np.frombuffer(mmap.mmap(-1, size, flags=flags), np.uint8)
