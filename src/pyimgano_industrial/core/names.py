"""A package's public names, each imported from its module when it is first asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def on_demand(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return a package's `__getattr__` and `__dir__`; modules: public name -> the package's module that defines it.

    >>> find, names = on_demand("json", {"JSONDecoder": "decoder"})
    >>> find("JSONDecoder").__name__, names()
    ('JSONDecoder', ['JSONDecoder'])
    """

    def find(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(f"{package}.{modules[name]}"), name)

    return find, lambda: sorted(modules)
