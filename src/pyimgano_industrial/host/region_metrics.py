"""Seam: with --roi, the pixel metrics and the pixel threshold of pyimgano-benchmark count the pixels inside only.

Outside, maps are 0: counted, such pixels would be right for nothing, and a quantile of all pixels too low.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.core.images import image_size
from pyimgano_industrial.host import inference_flags
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.inference.rois import Rois
from pyimgano_industrial.metrics import PixelMetrics
from pyimgano_industrial.metrics.checks import MetricError

Pixels = NDArray[np.bool_]


def apply(host: ModuleType) -> None:
    """Remember which files the maps belong to, and leave out what lies outside their regions."""
    evaluate_all = expect(host, "evaluate_split", "detector", "split")
    evaluate = expect(host, "evaluate_detector", "pixel_labels", "pixel_scores", "pixel_threshold")
    extract = expect(host, "_extract_raw_maps_from_detector", "detector", "paths")
    calibrate = expect(host, "calibrate_normal_pixel_quantile_threshold", "pixel_scores", "q")
    tested: list[str] = []
    regions: list[Pixels] = []  # of the maps that were made last

    @wraps(evaluate_all)
    def evaluate_split(detector: Any, split: Any, **options: Any) -> Any:
        tested[:] = split.test_paths
        return evaluate_all(detector, split, **options)

    @wraps(extract)
    def _extract_raw_maps_from_detector(detector: Any, paths: list[str]) -> list[NDArray[Any]]:
        maps: list[NDArray[Any]] = extract(detector, paths)
        regions[:] = _regions(paths, [one.shape for one in maps])
        return maps

    @wraps(calibrate)
    def calibrate_normal_pixel_quantile_threshold(pixel_scores: NDArray[Any], *, q: float) -> float:
        inside = np.concatenate([region.ravel() for region in regions]) if regions else slice(None)
        found: float = calibrate(pixel_scores[inside], q=q)
        return found

    @wraps(evaluate)
    def evaluate_detector(
        *args: Any, pixel_labels: Any = None, pixel_scores: Any = None, pixel_threshold: Any = None, **options: Any
    ) -> Any:
        if inference_flags.roi is None or pixel_labels is None or pixel_scores is None:
            given = {"pixel_labels": pixel_labels, "pixel_scores": pixel_scores, "pixel_threshold": pixel_threshold}
            return evaluate(*args, **given, **options)
        results = evaluate(*args, **options)
        limit = options.get("pro_integration_limit", 0.3)
        inside = _regions(tested, [one.shape for one in pixel_scores])
        try:
            measured = _measured(tested, pixel_labels, pixel_scores, inside, limit=limit, threshold=pixel_threshold)
        except MetricError as error:  # no defect inside, for example; the scores of images stand
            warnings.warn(f"no pixel metrics inside --roi: {error}", IndustrialWarning, stacklevel=2)
            return results
        return {**results, "pixel_metrics": measured}

    for ours in (
        evaluate_split,
        evaluate_detector,
        _extract_raw_maps_from_detector,
        calibrate_normal_pixel_quantile_threshold,
    ):
        setattr(host, ours.__name__, ours)


def _regions(paths: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> list[Pixels]:
    """Return the pixels inside of maps of these shapes, whose files may be larger; none without --roi."""
    if inference_flags.roi is None:
        return []
    rois, found = Rois(inference_flags.roi), []
    for path, shape in zip(paths, shapes, strict=True):
        region = rois.region(f"{path}", image_size(path))
        scaled = None if region is None else region.at(shape[0], shape[1])
        found.append(np.ones(shape, np.bool_) if scaled is None else scaled.rows(0, shape[0]))
    return found


def _measured(
    paths: Sequence[str],
    labels: NDArray[Any],
    scores: NDArray[Any],
    regions: Sequence[Pixels],
    *,
    limit: float,
    threshold: float | None,
) -> dict[str, float]:
    metrics = PixelMetrics(limits=limit, threshold=threshold)
    alarms = normal = 0
    for path, label, one, inside in zip(paths, labels, scores, regions, strict=True):
        metrics.update(one, label > 0, name=f"{path}", inside=inside)
        good = inside & (label == 0)
        normal += int(good.sum())
        alarms += 0 if threshold is None else int((one[good] > threshold).sum())
    report = metrics.compute()
    found = {
        "pixel_auroc": report.auroc.value,
        "pixel_average_precision": report.ap.value,
        "aupro": report.aupro[limit].value,
    }
    if threshold is None or report.f1 is None:
        return found
    return {
        **found,
        "pixel_threshold": threshold,
        "pixel_segf1": report.f1.value,
        "bg_fpr": alarms / normal,
    }
