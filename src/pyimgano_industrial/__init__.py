"""Industrial inspection for pyimgano: data sets, metrics, tiling, camera presets and models."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pyimgano_industrial.core.entry import Entry
    from pyimgano_industrial.plugins.spec import hookimpl

__version__ = "0.1.0"
__all__ = ["Entry", "__version__", "hookimpl", "load"]

_LAZY = {
    "Entry": "pyimgano_industrial.core.entry",
    "hookimpl": "pyimgano_industrial.plugins.spec",
}


def load() -> None:
    """Connect this package and every installed plugin to pyimgano, now; calling it again changes nothing.

    Needed only where the automatic loading is off: the host's `--plugins` flag calls it through the entry-point
    group `pyimgano.plugins`.
    """
    from pyimgano_industrial.host.finder import install

    install()


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
