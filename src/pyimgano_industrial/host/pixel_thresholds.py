"""Seam: the host's pixel threshold takes maps of any sizes, any method, and says what it promises.

The host stacks the maps, which fails where sizes differ, and takes one quantile of all their pixels.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable, Sequence
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.host import infer_thresholds, inference_flags, settings
from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.inference.calibration import Calibration, Source
from pyimgano_industrial.inference.calibrator import Calibrator
from pyimgano_industrial.inference.changes import stated
from pyimgano_industrial.inference.rois import Rois

Maps = Iterable[NDArray[np.float32]]


def apply(host: ModuleType) -> None:
    """Replace the quantile of all pixels where the host cannot take it or --threshold-method asks for another."""
    original = expect(
        host, "resolve_pixel_threshold", "pixel_threshold", "pixel_threshold_strategy", "calibration_maps",
        "pixel_normal_quantile", "roi_xyxy_norm",
    )  # fmt: skip

    @wraps(original)
    def resolve_pixel_threshold(
        *,
        calibration_maps: Maps | None = None,
        pixel_normal_quantile: float = 0.999,
        roi_xyxy_norm: Sequence[float] | None = None,
        **options: Any,
    ) -> tuple[float, dict[str, Any]]:
        maps = None if calibration_maps is None else [np.asarray(one, np.float32) for one in calibration_maps]
        ours = bool(maps) and _is_ours(maps or [])
        # The host's own arithmetic on one map serves for its checks, its priorities and its fields.
        threshold, provenance = original(
            calibration_maps=(maps or [])[:1] if ours else maps,
            pixel_normal_quantile=pixel_normal_quantile,
            roi_xyxy_norm=roi_xyxy_norm,
            **options,
        )
        before = options.get("infer_config_pixel_threshold")
        if provenance.get("source") == "explicit" and threshold != before:
            return threshold, provenance | {"changes": [stated(threshold, old=before, level="pixel").to_dict()]}
        if provenance.get("method") != "normal_pixel_quantile" or not maps or not 0 < pixel_normal_quantile < 1:
            return threshold, provenance
        calibration = _calibrate(maps, pixel_normal_quantile, roi_xyxy_norm)
        calibration = calibration if ours else calibration.at(threshold)
        report = {name: value for name, value in calibration.to_dict().items() if name != "names"}
        if ours:
            provenance |= {
                "calibration_map_count": len(maps),
                "calibration_pixel_count": sum(one.size for one in maps),
            }
        return calibration.threshold, provenance | {"calibration": report}

    host.resolve_pixel_threshold = resolve_pixel_threshold  # type: ignore[attr-defined]  # the host's module attribute
    rebind("resolve_pixel_threshold", original, resolve_pixel_threshold)


def _is_ours(maps: Sequence[NDArray[np.float32]]) -> bool:
    return "method" in settings.thresholds or inference_flags.roi is not None or len({one.shape for one in maps}) > 1


def _calibrate(
    maps: Sequence[NDArray[np.float32]], quantile: float, roi_xyxy_norm: Sequence[float] | None
) -> Calibration:
    masks = _inside(maps, roi_xyxy_norm)
    calibrator = Calibrator(method=settings.thresholds.get("method", "quantile"), target_fpr=round(1 - quantile, 12))
    source: Source = "held-out" if infer_thresholds.keeps_back() else "train"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndustrialWarning)  # the report says the same
        calibration = calibrator.fit_maps(maps, masks=masks, source=source)
    print(calibration, file=sys.stderr)
    return calibration


def _inside(maps: Sequence[NDArray[np.float32]], box: Sequence[float] | None) -> list[NDArray[np.bool_]] | None:
    """Return the pixels (H, W) of each map that count: inside the host's box of shares, and inside --roi."""
    from pyimgano.defects.roi import roi_mask_from_xyxy_norm

    masks = None
    if box is not None:
        masks = [roi_mask_from_xyxy_norm(one.shape, box) > 0 for one in maps]
        masks = None if any(not mask.any() for mask in masks) else masks  # the host then takes the whole map
    if inference_flags.roi is None:
        return masks
    rois = Rois(inference_flags.roi)
    regions = [rois.mask(name, one.shape) for name, one in zip(inference_flags.map_names, maps, strict=True)]
    return regions if masks is None else [own & other for own, other in zip(masks, regions, strict=True)]
