"""What a seam expects of the host, checked before anything is changed."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.errors import IndustrialError


class SeamMismatchError(IndustrialError):
    """The host does not look as a seam expects; the seam then leaves it alone."""


def expect(owner: Any, attribute: str, *parameters: str) -> Any:
    """Return `owner.attribute`; raise SeamMismatchError if it, or one of its named parameters, is missing."""
    name = f"{getattr(owner, '__name__', type(owner).__name__)}.{attribute}"
    try:
        value = getattr(owner, attribute)
    except AttributeError as error:
        raise SeamMismatchError(f"the host has no {name}") from error
    if parameters:
        if not callable(value):
            raise SeamMismatchError(f"{name} is no longer callable")
        found = inspect.signature(value).parameters
        absent = [parameter for parameter in parameters if parameter not in found]
        if absent:
            raise SeamMismatchError(f"{name} has no parameter {', '.join(absent)}; it has {', '.join(found)}")
    return value


def on_model(host: ModuleType, seen: Callable[[Any, tuple[Any, ...], dict[str, Any]], Any]) -> None:
    """Let a module's `create_model` return what `seen` makes of a new model and of the arguments of the call."""
    create = expect(host, "create_model")

    @wraps(create)
    def create_model(*args: Any, **kwargs: Any) -> Any:
        return seen(create(*args, **kwargs), args, kwargs)

    host.create_model = create_model  # type: ignore[attr-defined]  # the host's module attribute


def rebind(name: str, old: object, new: object) -> None:
    """Let every loaded module of the host that imported `old` under `name` see `new`."""
    for module_name, module in list(sys.modules.items()):
        if module_name.partition(".")[0] == "pyimgano" and vars(module).get(name) is old:
            setattr(module, name, new)
