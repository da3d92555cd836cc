"""The line that every benchmark prints: what it ran with."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

_ALWAYS = ("numpy", "opencv-python", "pyimgano", "pyimgano-industrial")


def stamp(*others: str) -> str:
    """Return the versions of Python, of what each number rests on, and of other distributions where they are there."""
    found = [f"Python {platform.python_version()}"]
    for name in (*_ALWAYS, *others):
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    return f"{', '.join(found)}; {os.cpu_count()} cores, {platform.system()}."
