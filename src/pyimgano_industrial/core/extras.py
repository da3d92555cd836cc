"""Optional dependencies: imported where they are used, with an error that names the install command."""

from __future__ import annotations

import importlib
from importlib.util import find_spec
from types import ModuleType

from pyimgano_industrial.core.errors import PluginError

# Extra -> the modules that it brings.
EXTRAS: dict[str, tuple[str, ...]] = {
    "anomalib": ("anomalib",),
    "clip": ("torch", "open_clip"),
    "headless": ("cv2",),
    "large": ("tifffile", "zarr"),
    "report": ("matplotlib",),
}


def cure(extra: str) -> str:
    """Return the command that installs an extra of this package."""
    return f'pip install "pyimgano-industrial[{extra}]"'


def missing(extra: str) -> list[str]:
    """Return the modules of an extra that are not installed, without importing any."""
    return [module for module in EXTRAS[extra] if find_spec(module) is None]


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module, or raise PluginError that names the cure."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise PluginError(f"this needs {module!r}, which is not installed; {cure(extra)}", name=module) from error
