"""Start-up shim of pyimgano-industrial: waits for the first `import pyimgano`, then loads the real finder.

An interpreter runs this at every start, so it does next to nothing and never raises. What changes lives in
`pyimgano_industrial.host.finder`. PYIMGANO_DISABLE_PLUGIN_AUTOLOAD=1 turns it off.
"""

import os
import sys


class _Waiter:
    """A meta-path finder that never finds anything; it only notices the first import of pyimgano."""

    @staticmethod
    def find_spec(name, path=None, target=None):  # type: ignore[no-untyped-def]  # annotations cost start-up time
        if name == "pyimgano":
            uninstall()
            try:
                from pyimgano_industrial.host.finder import install as install_finder

                install_finder()
            except Exception as error:
                print(f"pyimgano-industrial could not load itself: {error!r}", file=sys.stderr)


def install() -> None:
    """Put the waiter first on sys.meta_path; does nothing when it is there or switched off."""
    try:
        if os.environ.get("PYIMGANO_DISABLE_PLUGIN_AUTOLOAD", "") in ("", "0") and _Waiter not in sys.meta_path:
            sys.meta_path.insert(0, _Waiter)
    except Exception:
        pass


def uninstall() -> None:
    """Take the waiter off sys.meta_path."""
    if _Waiter in sys.meta_path:
        sys.meta_path.remove(_Waiter)
