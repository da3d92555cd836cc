"""Seam: the host's layout detection recognises every data set row, the most specific layout first."""

from __future__ import annotations

from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.entry import Row
from pyimgano_industrial.core.errors import DatasetNotFoundError
from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.plugins.manager import OWN, plugins

# Our layouts from the most to the least telling; another plugin's stand before the general ones.
_CONFIDENCE = {
    "mvtec_loco": 0.98,
    "mvtec_ad2": 0.97,
    "btad": 0.96,
    "ksdd2": 0.95,
    "visa": 0.94,
    "mpdd": 0.93,
    "mvtec_ad": 0.92,
    "industrial_folder": 0.5,
}
_OTHERS = 0.9
# These share their layout with anybody's folder: without one of the names that they are known for, they come last.
_TOLD_BY_NAME = {"mvtec_ad", "mpdd", "visa"}
_UNTOLD = 0.4
_ALIASES = {"mvtec"}  # the same layout as mvtec_ad


def apply(host: ModuleType) -> None:
    """Put our candidates beside the host's, in place of those for names that we replace."""
    original = expect(host, "detect_dataset_layout", "path")

    @wraps(original)
    def detect_dataset_layout(path: str | Path) -> dict[str, Any]:
        report: dict[str, Any] = original(path)
        root = Path(path)
        if not root.is_dir():
            return report
        replaced = {row.name for row in plugins().rows("datasets") if row.entry.replaces}
        candidates = [found for found in report["candidates"] if found["name"] not in replaced] + _candidates(root)
        candidates.sort(key=lambda found: (-found["confidence"], found["name"]))
        return {**report, "detected": candidates[0]["name"] if candidates else None, "candidates": candidates}

    host.detect_dataset_layout = detect_dataset_layout  # type: ignore[attr-defined]  # the host's attribute
    rebind("detect_dataset_layout", original, detect_dataset_layout)


def _candidates(root: Path) -> list[dict[str, Any]]:
    found = []
    for row in plugins().rows("datasets"):
        if row.name in _ALIASES:
            continue
        try:
            categories = resolve(row).categories(root)
        except DatasetNotFoundError:
            categories = []
        if categories:
            found.append(
                {
                    "name": row.name,
                    "confidence": _confidence(row, categories),
                    "reasons": [f"matched the layout of {row.entry.summary or row.name} under root"],
                    "category_candidates": sorted(categories),
                    "requires_category": True,
                    "manifest_path": None,
                }
            )
    return found


def _confidence(row: Row, categories: list[str]) -> float:
    if row.distribution != OWN:
        return _OTHERS
    if row.name in _TOLD_BY_NAME and not set(categories) & set(resolve(row).known_categories):
        return _UNTOLD
    return _CONFIDENCE.get(row.name, _OTHERS)
