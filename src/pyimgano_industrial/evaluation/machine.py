"""What a run ran on: versions of packages, the machine, and the memory that its process took."""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version

_PACKAGES = (
    "pyimgano-industrial", "pyimgano", "numpy", "opencv-python", "opencv-python-headless", "scipy", "scikit-learn",
    "joblib", "torch", "torchvision", "open_clip_torch", "anomalib", "onnxruntime",
)  # fmt: skip


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages that numbers depend on, as far as they are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def machine() -> dict[str, str]:
    """Return system, processor and the number of cores."""
    return {"system": platform.platform(), "processor": platform.machine(), "cores": f"{os.cpu_count()}"}


def peak_mib() -> float | None:
    """Return the largest memory of this process so far, in MiB; None where the system does not tell it (Windows)."""
    if sys.platform == "win32":
        return None
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(largest / (2**20 if sys.platform == "darwin" else 2**10), 1)
