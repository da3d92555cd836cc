"""What a check of a data set folder found, as data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pyimgano_industrial.core.plain import plain
from pyimgano_industrial.datasets.faults import Fault


@dataclass(frozen=True)
class Count:
    """How many images a category has of one split, label ("normal", "anomalous", "unlabelled") and anomaly type."""

    category: str
    split: str
    label: str
    anomaly_type: str | None
    images: int


@dataclass(frozen=True)
class Duplicate:
    """An image outside the training split that is, or is nearly, one of the training images.

    distance, limit: grey levels, as `duplicates` defines them; both 0 where the pixels are the same
    """

    kind: Literal["exact", "near"]
    category: str
    split: str
    image: Path
    training_image: Path
    distance: float
    limit: float


@dataclass(frozen=True)
class Report:
    """What `check` found."""

    dataset: str
    root: Path
    categories: tuple[str, ...]
    counts: tuple[Count, ...]
    faults: tuple[Fault, ...]
    duplicates: tuple[Duplicate, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error; warnings, notes and duplicates are for the user to judge."""
        return not any(fault.severity == "error" for fault in self.faults)

    def to_dict(self) -> dict[str, Any]:
        """Return the report as plain data for JSON, paths as text."""
        return plain(self) | {"ok": self.ok}
