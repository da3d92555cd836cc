"""Seam: the values of the host's --preset, which sets keyword arguments of a model."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.entry import Row
from pyimgano_industrial.core.errors import UnknownNameError
from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.host import settings
from pyimgano_industrial.host.chains import chosen
from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.host.presets import preset_rows


def apply(host: ModuleType) -> None:
    """Let the host resolve the plugins' presets beside its own."""
    original = expect(host, "resolve_preset_kwargs", "preset", "model_name", "default_knn_backend")

    @wraps(original)
    def resolve_preset_kwargs(
        preset: str | None, model_name: str, *, default_knn_backend: Callable[[], str] | None = None
    ) -> dict[str, Any]:
        settings.chain = chosen(preset)
        if settings.chain is not None:
            return {}
        row = _rows().get(preset or "")
        if row is not None:
            return keywords(row, model_name)
        found: dict[str, Any] = original(preset, model_name, default_knn_backend=default_knn_backend)
        return found

    host.resolve_preset_kwargs = resolve_preset_kwargs  # type: ignore[attr-defined]  # the host's module attribute
    rebind("resolve_preset_kwargs", original, resolve_preset_kwargs)


def preset_names() -> list[str]:
    """Return the plugins' values for --preset."""
    return sorted({**_rows(), **{row.name: row for row in preset_rows("chain")}})


def keywords(row: Row, model_name: str) -> dict[str, Any]:
    """Return the keyword arguments that a preset sets for one model; raises if it does not configure that model."""
    table = resolve(row)
    per_model = {table["model"]: table["kwargs"]} if row.entry.metadata["preset"] == "model" else table
    chosen = per_model.get(model_name, per_model.get("*"))
    if chosen is None:
        raise UnknownNameError(
            f"preset {row.name!r} of {row.origin} configures {', '.join(sorted(per_model))}; got model {model_name!r}"
        )
    return dict(chosen)


def _rows() -> dict[str, Row]:
    return {row.name: row for row in preset_rows("options") + preset_rows("model")}
