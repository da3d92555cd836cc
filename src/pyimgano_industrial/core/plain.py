"""Dataclasses as plain data, as JSON takes it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any


def plain(record: Any) -> dict[str, Any]:
    """Return a dataclass and those within it as dictionaries and lists, paths as text."""
    found: dict[str, Any] = _plain(asdict(record))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    return f"{value}" if isinstance(value, Path) else value
