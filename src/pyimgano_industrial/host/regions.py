"""Seam: --roi: the models that the commands run look at a region of interest only, and reports say so."""

from __future__ import annotations

from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from pyimgano_industrial.host import inference_flags
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.inference.region_detector import RegionDetector
from pyimgano_industrial.inference.rois import load_mask
from pyimgano_industrial.tiling.detector import TiledDetector


def apply(host: ModuleType) -> None:
    """Wrap what the module makes; a tiled detector has got the region already, see `for_tiles`."""
    if host.__name__ == "pyimgano.services.infer_wrapper_service":
        _inference(host)
        return
    create = expect(host, "create_model")

    @wraps(create)
    def create_model(*args: Any, **kwargs: Any) -> Any:
        return looking(create(*args, **kwargs))

    host.create_model = create_model  # type: ignore[attr-defined]  # the host's module attribute


def looking(detector: Any) -> Any:
    """Return the detector, looking at the region of --roi."""
    if inference_flags.roi is None or (isinstance(detector, TiledDetector) and detector.roi is not None):
        return detector
    return RegionDetector(detector, roi=inference_flags.roi)


def for_tiles() -> dict[str, Any]:
    """Return the keyword argument of TiledDetector for a region that is the same for all images."""
    roi = inference_flags.roi
    if roi is None or (isinstance(roi, Path) and roi.is_dir()):
        return {}
    return {"roi": load_mask(roi) if isinstance(roi, Path) else roi}


def _inference(host: ModuleType) -> None:
    wrap = expect(host, "apply_infer_detector_wrappers", "request")

    @wraps(wrap)
    def apply_infer_detector_wrappers(request: Any) -> Any:
        wrapped = wrap(request)
        return replace(wrapped, detector=looking(wrapped.detector))

    host.apply_infer_detector_wrappers = apply_infer_detector_wrappers  # type: ignore[attr-defined]  # the host's
