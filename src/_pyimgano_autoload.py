"""Start-up shim of pyimgano-industrial: the first `import pyimgano` loads the real finder, and nothing happens before.

The .pth file puts a waiter on sys.meta_path by itself, because importing even this file at every start of Python would
cost more than everything else. What changes lives in `pyimgano_industrial.host.finder`, never here: an editable install
copies this file. PYIMGANO_DISABLE_PLUGIN_AUTOLOAD=1 turns the loading off.
"""

import os
import sys

NAME = "PyimganoAutoload"  # of the waiter, here and in the .pth file


def install() -> None:
    """Put the waiter first on sys.meta_path unless it is there; Python 3.15 calls this from the .start file."""
    try:
        if not any(getattr(finder, "__name__", None) == NAME for finder in sys.meta_path):
            waiter = type(NAME, (), {"find_spec": staticmethod(find_spec)})
            sys.meta_path.insert(0, waiter)  # type: ignore[arg-type]  # a class with find_spec is a finder
    except Exception:
        pass


def find_spec(name, path=None, target=None):  # type: ignore[no-untyped-def]  # annotations cost time
    """Find nothing, ever; only notice the first import of pyimgano."""
    if name == "pyimgano":
        load()


def load() -> None:
    """Take the waiter away and install the real finder; an error of ours must not break the host's import."""
    try:
        sys.meta_path[:] = [finder for finder in sys.meta_path if getattr(finder, "__name__", None) != NAME]
        if not switched_off():
            from pyimgano_industrial.host.finder import install as install_finder

            install_finder()
    except Exception as error:
        print(f"pyimgano-industrial could not load itself: {error!r}", file=sys.stderr)


def switched_off() -> bool:
    """Return whether the environment turns the automatic loading off."""
    return os.environ.get("PYIMGANO_DISABLE_PLUGIN_AUTOLOAD", "") not in ("", "0")
