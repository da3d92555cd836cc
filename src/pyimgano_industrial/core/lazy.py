"""Targets of rows, resolved on first use, and constructors that stand in for them until then."""

from __future__ import annotations

import importlib
import inspect
from functools import cache
from operator import attrgetter
from typing import Any

from pyimgano_industrial.core.entry import Row
from pyimgano_industrial.core.errors import PluginError


@cache
def _load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return attrgetter(attribute)(importlib.import_module(module))


def resolve(row: Row) -> Any:
    """Import and return the row's target; errors name the row, its distribution and the cure."""
    try:
        return _load(row.entry.target)
    except ImportError as error:
        needs = f"; install what it needs: {row.cure}" if row.cure else ""
        raise PluginError(
            f"{row.kind} row {row.name!r} of {row.origin} cannot be imported from {row.entry.target!r}: {error}{needs}",
            name=error.name,
        ) from error
    except AttributeError as error:
        raise PluginError(
            f"{row.kind} row {row.name!r} of {row.origin} names the target {row.entry.target!r}, "
            f"which does not exist: {error}"
        ) from error


class LazyConstructor:
    """A callable that imports its target when it is called or inspected, and truthfully shows its signature."""

    def __init__(self, row: Row) -> None:
        self._row = row
        self.__name__ = self.__qualname__ = row.entry.target.partition(":")[2]
        self.__module__ = row.entry.target.partition(":")[0]
        self.__doc__ = row.entry.summary

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return resolve(self._row)(*args, **kwargs)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(resolve(self._row))

    def __repr__(self) -> str:
        return f"<lazy {self._row.entry.target} of {self._row.origin}>"
