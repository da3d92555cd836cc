"""Seam: model, defect and preprocessing presets in the host's catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType
from typing import Any, Literal, get_args

from pyimgano_industrial.core.entry import Row
from pyimgano_industrial.core.errors import PluginError
from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.plugins.manager import plugins

PresetKind = Literal["model", "options", "defects", "preprocessing", "chain"]
_CHAIN_KEY = "preprocessing.illumination_contrast"  # under which the host's configurations keep preprocessing


def apply(host: ModuleType) -> None:
    """Put lazy presets into the three catalogues; preprocessing also has a second one, see `schemes`."""
    for attribute, preset_class, kind in (
        ("_PRESETS", "CLIPreset", "model"),
        ("_DEFECTS_PRESETS", "DefectsPreset", "defects"),
    ):
        add(expect(host, attribute), expect(host, preset_class), kind)
    schemes = import_module("pyimgano.preprocessing.catalog")
    for catalogue in (expect(host, "_PREPROCESSING_PRESETS"), expect(schemes, "_SCHEMES")):
        add(catalogue, expect(schemes, "PreprocessingScheme"), "preprocessing")


def add(catalogue: dict[str, Any], preset_class: type, kind: str) -> None:
    """Add the rows of one kind to a catalogue of the host, as instances of the class that the host keeps there."""
    lazy = type(f"Lazy{preset_class.__name__}", (LazyPreset, preset_class), {})
    rows = preset_rows(kind)
    if kind == "preprocessing":
        rows = [*rows, *(row for row in preset_rows("chain") if row.entry.metadata.get("scheme", True))]
    catalogue.update({row.name: lazy(row) for row in rows})


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
    """A row as one of the host's preset dataclasses; its target is imported when what it holds is read."""

    def __init__(self, row: Row) -> None:
        vars(self).update(  # the host's classes are frozen
            _row=row,
            name=row.name,
            description=row.entry.summary,
            tags=row.entry.tags,
            optional=row.entry.extra is not None,
            requires_extras=(row.entry.extra,) if row.entry.extra else (),
            deployable=True,
            entrypoint=None,
            config_key=row.entry.metadata.get("config_key", _CHAIN_KEY if _is_chain(row) else None),
        )

    @property
    def model(self) -> str:
        name: str = self._target["model"]
        return name

    @property
    def kwargs(self) -> Mapping[str, Any]:
        return dict(self._target["kwargs"])

    @property
    def payload(self) -> Mapping[str, Any]:
        chain = _is_chain(vars(self)["_row"])
        return {"enabled": True, "chain": dict(self._target)} if chain else dict(self._target)

    @property
    def _target(self) -> Mapping[str, Any]:
        target: Mapping[str, Any] = resolve(vars(self)["_row"])
        return target


def _is_chain(row: Row) -> bool:
    return bool(row.entry.metadata.get("preset") == "chain")
