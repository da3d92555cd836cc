"""Folders on disk, listed one way everywhere: sorted, hidden files left out, names compared without case."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from pyimgano_industrial.core.errors import DatasetNotFoundError
from pyimgano_industrial.core.images import IMAGE_SUFFIXES


def image_files(folder: Path) -> list[Path]:
    """Return the image files in and below a folder, by suffix in any case, sorted by path."""
    return [path for path in visible_files(folder) if path.suffix.lower() in IMAGE_SUFFIXES]


def visible_files(folder: Path, _above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    """Yield the files in and below a folder, sorted by path; symlinks are followed, but never in a circle."""
    real = folder.resolve()
    if real in _above:
        return
    for entry in _entries(folder):
        if entry.is_dir():
            yield from visible_files(folder / entry.name, _above | {real})
        else:  # a file, or a broken symlink, which reading it will report
            yield folder / entry.name


def subfolders(folder: Path) -> list[Path]:
    """Return the folders directly in a folder, sorted by name."""
    return [folder / entry.name for entry in _entries(folder) if entry.is_dir()]


def subfolder(folder: Path, *names: str) -> Path | None:
    """Return the first folder directly in `folder` that has one of the names, in any case; None when there is none."""
    if not folder.is_dir():
        return None
    found = {path.name: path for path in subfolders(folder)}
    loosely = {loose(name): path for name, path in found.items()}
    for name in names:
        if path := found.get(name) or loosely.get(loose(name)):
            return path
    return None


def loose(name: str) -> str:
    """Return a name as it is compared: without case, accents composed (macOS stores them decomposed)."""
    return unicodedata.normalize("NFC", name).casefold()


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            visible = [entry for entry in entries if not entry.name.startswith(".")]
    except OSError as error:
        raise DatasetNotFoundError(f"cannot read the folder {folder}: {error.strerror}; look at the path") from error
    return sorted(visible, key=lambda entry: entry.name)
