"""Seam: pyimgano-train calibrates on the validation split where the data set has one."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from types import ModuleType, SimpleNamespace
from typing import Any

from pyimgano_industrial.host.calibration import calibration_inputs
from pyimgano_industrial.host.contract import expect, rebind


def apply(host: ModuleType) -> None:
    """Apply the part that belongs to the module."""
    if host.__name__ == "pyimgano.workbench.adaptation_runtime":
        _tile(host)
    else:
        _split(host)


def _tile(host: ModuleType) -> None:
    """Fit a tiled detector once: the workbench keeps images back for its own calibration."""
    original = expect(host, "apply_tiling", "detector", "tiling")

    @wraps(original)
    def apply_tiling(detector: Any, tiling: Any) -> Any:
        tiled = original(detector, tiling)
        if tiled is not detector:
            tiled.calibration = "none"
        return tiled

    host.apply_tiling = apply_tiling  # type: ignore[attr-defined]  # the host's module attribute
    rebind("apply_tiling", original, apply_tiling)


def _split(host: ModuleType) -> None:
    """Put the validation images into the split that the workbench trains and calibrates on."""
    load = expect(host, "load_workbench_split", "config", "category", "load_masks")

    @wraps(load)
    def load_workbench_split(*, config: Any, category: str, load_masks: bool) -> Any:
        split = load(config=config, category=category, load_masks=load_masks)
        images = calibration_inputs(
            SimpleNamespace(
                dataset=config.dataset.name,
                root=config.dataset.root,
                category=category,
                resize=config.dataset.resize,
                input_mode=config.dataset.input_mode,
            )
        )
        return replace(split, calibration_inputs=images) if images else split

    host.load_workbench_split = load_workbench_split  # type: ignore[attr-defined]  # the host's attribute
    rebind("load_workbench_split", load, load_workbench_split)
