"""Seam: the plugins' models and wrappers enter the host's registry, and replaced host names stay replaced."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.entry import Row
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.core.lazy import LazyConstructor
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.plugins.manager import plugins


def apply(host: ModuleType) -> None:
    """Register every row; touches the registry only, since recipes and inference import it back.

    A wrapper is a model that is created around another: `create_model("acme_wrapper", detector=...)`.
    """
    registry = expect(host, "MODEL_REGISTRY")
    register = expect(registry, "register", "name", "constructor", "tags", "metadata", "overwrite")
    known = set(expect(registry, "available", "tags")())
    offered = plugins().rows("models") + plugins().rows("wrappers")
    rows = [row for row in offered if _may_register(row, known)]
    for row in rows:
        register(
            row.name,
            LazyConstructor(row),
            tags=(*row.entry.tags, "wrapper") if row.kind == "wrappers" else row.entry.tags,
            metadata={"description": row.entry.summary, "plugin": row.origin, **row.entry.metadata},
            overwrite=row.name in known,
        )
    registry.register = _guarded(register, frozenset(row.name for row in rows) & known)


def _may_register(row: Row, known: set[str]) -> bool:
    if row.name in known and not row.entry.replaces:
        warnings.warn(
            f"model {row.name!r} of {row.origin} is left out: pyimgano has a model of that name; "
            f"choose another, or declare replaces=True to take it over",
            IndustrialWarning,
            stacklevel=2,
        )
        return False
    return True


def _guarded(register: Callable[..., None], replaced: frozenset[str]) -> Callable[..., None]:
    """Return `register` as the host's model modules must see it: their own replaced names neither raise nor win."""

    @wraps(register)
    def guarded(
        name: str,
        constructor: Callable[..., Any],
        *,
        tags: Iterable[str] | None = None,
        metadata: dict[str, Any] | None = None,
        overwrite: bool = False,
    ) -> None:
        from_host = getattr(constructor, "__module__", "").partition(".")[0] == "pyimgano"
        if not (from_host and name in replaced):
            register(name, constructor, tags=tags, metadata=metadata, overwrite=overwrite)

    return guarded
