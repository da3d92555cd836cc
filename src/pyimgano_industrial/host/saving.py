"""Seam: --save-detector keeps a tiled detector where it would keep the detector inside, and our own models."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.host.contract import expect, rebind


def apply(host: ModuleType) -> None:
    """Let the host's safety check look through its own kind of wrapper, and believe a class that says `pickle_safe`."""
    original = expect(host, "is_pickle_safe_detector", "detector")

    @wraps(original)
    def is_pickle_safe_detector(detector: Any) -> bool:
        from pyimgano.inference.runtime_wrappers import unwrap_runtime_detector

        inner = unwrap_runtime_detector(detector)
        return getattr(type(inner), "pickle_safe", False) is True or bool(original(inner))

    host.is_pickle_safe_detector = is_pickle_safe_detector  # type: ignore[attr-defined]  # the host's module attribute
    rebind("is_pickle_safe_detector", original, is_pickle_safe_detector)
