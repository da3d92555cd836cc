"""Which images the demo infers and shows, and a folder of links to them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np


class Labelled(Protocol):
    """Something with a label: 0 normal, 1 anomalous, None where nobody says."""

    @property
    def label(self) -> int | None: ...


T = TypeVar("T")
L = TypeVar("L", bound=Labelled)


def spread(items: Sequence[T], limit: int) -> list[T]:
    """Return at most `limit` of the items, the first and the last among them, evenly spread.

    >>> spread("abcdefg", 3)
    ['a', 'd', 'g']
    """
    if len(items) <= limit:
        return list(items)
    return [items[index] for index in np.linspace(0, len(items) - 1, limit).round().astype(int)]


def choose(samples: Sequence[L], limit: int) -> list[L]:
    """Return at most `limit` labelled test images; where some must go, a quarter of what stays is normal."""
    if len(samples) <= limit:
        return list(samples)
    good, bad = ([sample for sample in samples if sample.label == label] for label in (0, 1))
    kept = spread(good, max(1, limit // 4))
    return [*kept, *spread(bad, limit - len(kept))]


def link_all(files: Sequence[Path], folder: Path) -> None:
    """Fill a new folder with hard links to the files, numbered in their order; copies where links do not work."""
    folder.mkdir(parents=True)
    for number, file in enumerate(files):
        target = folder / f"{number:06}{file.suffix}"
        try:
            os.link(file, target)
        except OSError:  # another disk, or a file system without links
            shutil.copyfile(file, target)
