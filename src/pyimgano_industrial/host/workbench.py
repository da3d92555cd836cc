"""Seam: pyimgano-train calibrates on the validation split where the data set has one."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from types import ModuleType, SimpleNamespace
from typing import Any

from pyimgano_industrial.host.calibration import calibration_inputs
from pyimgano_industrial.host.contract import expect, rebind


def apply(host: ModuleType) -> None:
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
