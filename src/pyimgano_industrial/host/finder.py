"""The meta-path finder that applies each seam right after its host module has executed."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

from pyimgano_industrial.core.entry import KINDS
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.host import seams


class HostFinder(MetaPathFinder):
    """Lets the other finders find a host module, and adds its seams to the end of its execution."""

    def __init__(self) -> None:
        self._watched = seams.modules()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self._watched:
            return None
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            if finder is self or find is None:
                continue
            spec: ModuleSpec | None = find(fullname, path, target)
            if spec is not None:
                _apply_after_execution(spec)
                return spec
        return None


def install() -> None:
    """Watch for host modules and apply the seams of those already imported; idempotent.

    Does nothing when the host itself serves our entry-point groups: registering twice would be wrong.
    """
    if any(isinstance(finder, HostFinder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, HostFinder())
    warnings.formatwarning = _format_warning
    for name in seams.modules():
        module = sys.modules.get(name)
        if module is not None and not getattr(module.__spec__, "_initializing", False):
            _apply(module)


_format_any_warning = warnings.formatwarning


def _format_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, line: str | None = None
) -> str:
    """Show our warnings as one sentence: the line of the host that they would name says nothing to its users."""
    if issubclass(category, IndustrialWarning):
        return f"pyimgano-industrial: {message}\n"
    return _format_any_warning(message, category, filename, lineno, line)


def _apply_after_execution(spec: ModuleSpec) -> None:
    loader = spec.loader
    if loader is None:
        return
    execute = loader.exec_module

    def execute_and_apply(module: ModuleType) -> None:
        execute(module)
        _apply(module)

    # On the instance, so that the loader keeps its type: inspect, runpy and importlib.resources look at it.
    loader.exec_module = execute_and_apply  # type: ignore[method-assign]


def _apply(module: ModuleType) -> None:
    reason = _host_serves_our_groups()
    if reason is None:
        seams.apply(module)
        return
    for seam, state in seams.states().items():
        if state == seams.WAITING:
            seams.refuse(seam, reason)


def _host_serves_our_groups() -> str | None:
    """Return why everything is refused: a later host that loads our entry-point groups itself."""
    import inspect

    from pyimgano.plugins import load_plugins

    default = inspect.signature(load_plugins).parameters["groups"].default
    served = sorted({f"pyimgano.{kind}" for kind in KINDS}.intersection(default))
    return f"this pyimgano loads the entry-point groups {', '.join(served)} itself" if served else None
