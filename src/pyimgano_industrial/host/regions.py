"""Seam: --roi: the models that the commands run look at a region of interest only, and reports say so."""

from __future__ import annotations

import warnings
from dataclasses import replace
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.core.regions import Region, RegionError
from pyimgano_industrial.host import inference_flags, settings
from pyimgano_industrial.host.contract import expect, on_model
from pyimgano_industrial.inference.region_detector import RegionDetector
from pyimgano_industrial.inference.region_files import load_mask
from pyimgano_industrial.inference.rois import differ
from pyimgano_industrial.tiling.detector import TiledDetector


def apply(host: ModuleType) -> None:
    """Wrap what the module makes; a tiled detector has got the region already, see `for_tiles`."""
    if host.__name__ == "pyimgano.services.infer_wrapper_service":
        _inference(host)
        return
    on_model(host, lambda detector, *_: looking(detector))


def looking(detector: Any) -> Any:
    """Return the detector, looking at the region of --roi."""
    if inference_flags.roi is None or (isinstance(detector, TiledDetector) and detector.roi is not None):
        return detector
    return RegionDetector(detector, roi=_as_handed_over(inference_flags.roi))


def for_tiles() -> dict[str, Any]:
    """Return the keyword argument of TiledDetector for a region that is the same for all images."""
    roi = inference_flags.roi
    if roi is None or differ(roi):
        return {}
    return {"roi": _as_handed_over(load_mask(roi) if isinstance(roi, Path) else roi)}


def _as_handed_over(roi: Any) -> Any:
    """Return a region of the files for the arrays that the command makes of them, which may be smaller."""
    if not settings.resized:
        return roi
    if differ(roi):
        raise RegionError(
            "regions by name need files, and this command hands over arrays; give one box, polygon or mask"
        )
    sizes = sorted({size for size, _ in settings.resized})
    if len(sizes) > 1:
        raise RegionError(
            f"a region in pixels needs images of one size where they are resized; the images have "
            f"{len(sizes)}, such as {sizes[0]} and {sizes[-1]}: leave --roi out, or bring them to one size"
        )
    ((height, width), (new_height, new_width)) = next(iter(settings.resized))
    region = Region(load_mask(roi) if isinstance(roi, Path) else roi, height=height, width=width)
    return region.at(new_height, new_width).rows(0, new_height)


def _inference(host: ModuleType) -> None:
    wrap = expect(host, "apply_infer_detector_wrappers", "request")
    expect(host.InferDetectorWrapperRequest, "threshold")

    @wraps(wrap)
    def apply_infer_detector_wrappers(request: Any) -> Any:
        if inference_flags.roi is not None and request.threshold is not None:
            warnings.warn(
                f"the threshold {request.threshold:g} of the run is not used: it belongs to whole images, and --roi "
                f"changes the scores; --train-dir gives one that belongs to the region, without it there are no labels",
                IndustrialWarning,
                stacklevel=2,
            )
            request = replace(request, threshold=None)
        wrapped = wrap(request)
        return replace(wrapped, detector=looking(wrapped.detector))

    host.apply_infer_detector_wrappers = apply_infer_detector_wrappers  # type: ignore[attr-defined]  # the host's
