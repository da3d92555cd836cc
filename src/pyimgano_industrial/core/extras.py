"""Optional dependencies: imported where they are used, with an error that names the install command."""

from __future__ import annotations

import importlib
from importlib.metadata import PackageNotFoundError, version
from types import ModuleType

from pyimgano_industrial.core.errors import PluginError

# Extra -> the distributions that it brings.
EXTRAS: dict[str, tuple[str, ...]] = {
    "anomalib": ("anomalib",),
    "clip": ("torch", "open_clip_torch"),
    "completion": ("shtab",),
    "exports": ("onnx", "onnxruntime", "openvino"),
    "headless": ("opencv-python-headless",),
    "large": ("imagecodecs", "tifffile", "zarr"),
    "report": ("matplotlib",),
}


def cure(extra: str) -> str:
    """Return the command that installs an extra of this package."""
    return f'pip install "pyimgano-industrial[{extra}]"'


def missing(extra: str) -> list[str]:
    """Return the distributions of an extra that are not installed."""
    return [name for name in EXTRAS[extra] if not _installed(name)]


def require(module: str, *, extra: str) -> ModuleType:
    """Import an optional module, or raise PluginError that names the cure."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise PluginError(f"this needs {module!r}, which is not installed; {cure(extra)}", name=module) from error


def _installed(distribution: str) -> bool:
    try:
        version(distribution)
    except PackageNotFoundError:
        return False
    return True
