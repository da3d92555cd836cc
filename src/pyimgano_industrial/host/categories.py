"""Seam: the categories that the host lists for a data set are those found on disk."""

from __future__ import annotations

from functools import wraps
from types import ModuleType

from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.plugins.manager import plugins


def apply(host: ModuleType) -> None:
    """Ask the data set's row first; the host's own list stays for what it alone knows and for empty folders."""
    original = expect(host, "list_dataset_categories", "dataset", "root", "manifest_path")

    @wraps(original)
    def list_dataset_categories(*, dataset: str, root: str, manifest_path: str | None = None) -> list[str]:
        rows = {row.name: row for row in plugins().rows("datasets")}
        row = rows.get(dataset.lower())
        found: list[str] = resolve(row).categories(root) if row is not None else []
        if found or (row is not None and not row.entry.replaces):
            return found
        listed: list[str] = original(dataset=dataset, root=root, manifest_path=manifest_path)
        return listed

    host.list_dataset_categories = list_dataset_categories  # type: ignore[attr-defined]  # the host's attribute
    rebind("list_dataset_categories", original, list_dataset_categories)
