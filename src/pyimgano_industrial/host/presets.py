"""Seam: model, defect and preprocessing presets in the host's catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any, Literal, get_args

from pyimgano_industrial.core.entry import Row
from pyimgano_industrial.core.errors import PluginError
from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.plugins.manager import plugins

PresetKind = Literal["model", "options", "defects", "preprocessing"]


def apply(host: ModuleType) -> None:
    """Put lazy presets into the three catalogues; preprocessing also has a second one, see `schemes`."""
    catalogues = [
        (expect(host, "_PRESETS"), "model"),
        (expect(host, "_DEFECTS_PRESETS"), "defects"),
        (expect(host, "_PREPROCESSING_PRESETS"), "preprocessing"),
    ]
    for catalogue, kind in catalogues:
        catalogue.update({row.name: LazyPreset(row) for row in preset_rows(kind)})


def preset_rows(kind: str) -> list[Row]:
    """Return the preset rows of one kind; a row without a known `metadata["preset"]` is an error that names it."""
    rows = plugins().rows("presets")
    for row in rows:
        if row.entry.metadata.get("preset") not in get_args(PresetKind):
            raise PluginError(
                f"preset row {row.name!r} of {row.origin} must say metadata={{'preset': ...}}, one of "
                f"{', '.join(get_args(PresetKind))}; got {row.entry.metadata.get('preset')!r}"
            )
    return [row for row in rows if row.entry.metadata["preset"] == kind]


class LazyPreset:
    """A row with the attributes of the host's preset classes; its target is imported when one of them is read."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.name = row.name
        self.description = row.entry.summary
        self.tags = row.entry.tags
        self.optional = row.entry.extra is not None
        self.requires_extras = (row.entry.extra,) if row.entry.extra else ()
        self.deployable = True
        self.entrypoint = None
        self.config_key = row.entry.metadata.get("config_key")

    @property
    def model(self) -> str:
        name: str = resolve(self._row)["model"]
        return name

    @property
    def kwargs(self) -> Mapping[str, Any]:
        return dict(resolve(self._row)["kwargs"])

    @property
    def payload(self) -> Mapping[str, Any]:
        return dict(resolve(self._row))
