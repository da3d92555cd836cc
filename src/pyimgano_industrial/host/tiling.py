"""Seam: the host's TiledDetector is ours, in every command and in saved runs that name it."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from pyimgano_industrial.host.contract import expect, rebind

_ARGUMENTS = (
    "detector", "tile_size", "stride", "pad_mode", "pad_value", "u16_max", "score_reduce", "score_topk", "map_reduce",
)  # fmt: skip


def apply(host: ModuleType) -> None:
    """Replace the class, and let the host unwrap ours as it unwraps its own when it saves a detector."""
    original = expect(host, "TiledDetector", *_ARGUMENTS)
    wrappers = expect(import_module("pyimgano.inference.runtime_wrappers"), "_RUNTIME_WRAPPER_TYPES")

    from pyimgano_industrial.tiling.detector import TiledDetector

    host.TiledDetector = TiledDetector  # type: ignore[attr-defined]  # the host's module attribute
    rebind("TiledDetector", original, TiledDetector)
    wrappers.add(f"{TiledDetector.__module__}.{TiledDetector.__qualname__}")
