"""Seam: --drift-profile: pyimgano-infer measures its images, and every record says whether the camera has drifted."""

from __future__ import annotations

import sys
from collections import OrderedDict
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pyimgano_industrial.core.calls import Images
from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.host import inference_flags
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.presets.drift import DriftMonitor
from pyimgano_industrial.presets.measurement import Measurement
from pyimgano_industrial.presets.profile import CameraProfile

_HELD = 256  # measurements of images whose record is still to come


def apply(host: ModuleType) -> None:
    """Add the verdict to every record."""
    original = expect(host, "materialize_infer_result_artifacts", "request")

    @wraps(original)
    def materialize_infer_result_artifacts(request: Any) -> Any:
        artifact = original(request)
        if inference_flags.drift is not None:
            artifact.record["drift"] = inference_flags.drift.verdict(f"{request.input_path}")
        return artifact

    host.materialize_infer_result_artifacts = materialize_infer_result_artifacts  # type: ignore[attr-defined]  # the host's


class Watcher:
    """Measures the images of a command as they pass, and judges them in the order of their records."""

    def __init__(self, path: Path) -> None:
        self.monitor = DriftMonitor(CameraProfile.load(path))
        self._measured: OrderedDict[str, Measurement | IndustrialError] = OrderedDict()
        self._told: set[str] = set()

    def measure(self, images: Images) -> None:
        """Measure images (H, W, 3) uint8 RGB, or files that the detector reads by itself."""
        for image, name in zip(images, images.names, strict=True):
            try:
                pixels = image if isinstance(image, np.ndarray) else read_rgb(image)
                self._measured[name] = self.monitor.profile.measure(pixels, name=name)
            except IndustrialError as error:
                self._measured[name] = error
            while len(self._measured) > _HELD:
                self._measured.popitem(last=False)

    def verdict(self, name: str) -> dict[str, Any]:
        """Return the verdict on the image of the next record, as plain data."""
        measured = self._measured.pop(name, None)
        if measured is None:
            return {"action": "none", "reason": "not measured", "moved": []}
        if isinstance(measured, IndustrialError):
            return {"action": "reject", "reason": f"{measured}", "moved": []}
        verdict = self.monitor.observe(measured)
        for one in verdict.moved:
            if one.property not in self._told:
                self._told.add(one.property)
                print(f"drift: {verdict.reason} ({one.action})", file=sys.stderr)
        return verdict.to_dict()
