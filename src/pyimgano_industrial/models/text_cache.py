"""Text features kept in memory and on disk, so that a line's prompts are encoded once on each machine.

Files are .npz without pickles, in the platform's cache folder or where PYIMGANO_INDUSTRIAL_CACHE points; deleting them
costs the next start a few seconds and nothing else.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialWarning

Features = NDArray[np.float32]

_memory: dict[str, Features] = {}


def cache_folder() -> Path:
    """Return the folder of this package's caches; it need not be there yet."""
    if stated := os.environ.get("PYIMGANO_INDUSTRIAL_CACHE"):
        return Path(stated)
    home = Path.home()
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or home / ".cache"
    return Path(base) / "pyimgano-industrial"


def remembered(key: str, encode: Callable[[], Features]) -> Features:
    """Return what is kept under a key, (sentences, D) float32, else what `encode` gives, which is then kept."""
    if key not in _memory:
        path = cache_folder() / "text-features" / f"{key}.npz"
        found = _read(path)
        if found is None:
            found = encode()
            _write(path, found)
        _memory[key] = found
    return _memory[key]


def forget() -> None:
    """Empty the memory; files stay."""
    _memory.clear()


def _read(path: Path) -> Features | None:
    try:
        with np.load(path, allow_pickle=False) as archive:
            features: Features = archive["features"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # cut short: encoded and written anew
        return None
    return features if features.dtype == np.float32 and features.ndim == 2 and np.isfinite(features).all() else None


def _write(path: Path, features: Features) -> None:
    """Write beside the file and move it there, so that no other process reads half of it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, partial = tempfile.mkstemp(suffix=".npz", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            np.savez(file, features=features)
        Path(partial).replace(path)
    except OSError as error:
        warnings.warn(
            f"text features are not kept: {path.parent} cannot be written ({error}); prompts are encoded at every "
            f"start. PYIMGANO_INDUSTRIAL_CACHE names another folder",
            IndustrialWarning,
            stacklevel=3,
        )
