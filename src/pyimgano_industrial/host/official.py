"""Seam: the report of `pyimgano-benchmark --pixel` carries the official numbers, at native size, beside its own.

The host takes its own at 256 x 256 and, with --pixel-postprocess, from maps stretched to their own range one by one.
Ours come from the same scores and maps, as the detector gave them.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import asdict, replace
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.evaluation.detectors import Detector
from pyimgano_industrial.evaluation.normals import Split, Thresholds, calibrate
from pyimgano_industrial.evaluation.numbers import numbers_of
from pyimgano_industrial.evaluation.protocols import default_settings, protocol_of
from pyimgano_industrial.evaluation.results import Settings
from pyimgano_industrial.evaluation.tally import Scorer
from pyimgano_industrial.host import inference_flags, own_pass, settings
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.host.evaluation import Opener
from pyimgano_industrial.host.own_pass import OwnPass
from pyimgano_industrial.inference.rois import Rois
from pyimgano_industrial.plugins.manager import plugins

_DRAWS = 1000  # of images, for the intervals, as `industrial evaluate` has them

_found: ContextVar[dict[str, Any] | None] = ContextVar("official numbers", default=None)


def apply(host: ModuleType) -> None:
    """Measure what the detector gave where the data set is ours, and add what is found to the report."""
    evaluate = expect(host, "_evaluate_pixel_split", "detector", "split", "request")
    report = expect(host, "_run_pixel_benchmark_request", "request")

    @wraps(evaluate)
    def _evaluate_pixel_split(detector: Any, split: Any, request: Any) -> Any:
        if request.dataset.lower() not in {row.name for row in plugins().rows("datasets")}:
            return evaluate(detector, split, request)
        with own_pass.watched() as seen:
            results = evaluate(detector, split, request)
        _found.set(_official(detector, request, seen))
        return results

    @wraps(report)
    def _run_pixel_benchmark_request(request: Any) -> Any:
        _found.set(None)
        payload = report(request)
        official = _found.get()
        return payload if official is None else {**payload, "official": official}

    host._evaluate_pixel_split = _evaluate_pixel_split  # type: ignore[attr-defined]  # the host's module attribute
    host._run_pixel_benchmark_request = _run_pixel_benchmark_request  # type: ignore[attr-defined]  # as above


def _official(detector: Any, request: Any, seen: OwnPass) -> dict[str, Any]:
    try:
        return _measured(detector, request, seen)
    except IndustrialError as error:  # the host's own numbers stand
        return {"error": f"{error}"}


def _measured(fitted: Any, request: Any, seen: OwnPass) -> dict[str, Any]:
    opener = Opener(request.dataset.lower(), Path(request.root), settings.missing_masks)
    dataset = opener(request.category)
    chosen: Settings = replace(
        default_settings(
            request.dataset, f"{opener.root}", protocol_of(opener.type), missing_masks=settings.missing_masks
        ),
        bootstrap=_DRAWS,
    )
    region = None if inference_flags.roi is None else Rois(inference_flags.roi)
    detector = Detector.fitted(fitted, dataset, region=region)
    normal = dataset.samples(dataset.calibration_split) if dataset.calibration_split else ()
    thresholds = Thresholds(None, None, dict.fromkeys(("threshold", "pixel_threshold"), "there is no validation split"))
    if normal:
        thresholds = calibrate(detector, Split((), normal, "validation"), dataset, chosen)
    scorer = Scorer(dataset, detector, chosen, thresholds)
    test = dataset.samples(dataset.test_split)
    # Files of a stated depth are read by it, which the host does not do; without masks it asks for no maps.
    known = seen.results(test) if dataset.bit_depth is None else None
    try:
        for sample, result in known or detector.results(test):
            scorer.add(sample, result)
        tally = scorer.finish()
        image = None if thresholds.image is None else thresholds.image.threshold
        found = numbers_of(tally, chosen, threshold=image, curves=False)
    finally:
        scorer.close()
    groups = {
        name: {key: asdict(group) for key, group in getattr(found, name).items()}
        for name in ("by_kind", "by_lighting", "by_size", "by_defect")
    }
    return {
        "protocol": chosen.protocol,
        "image_score": chosen.image_score,
        "metrics": {name: asdict(number) for name, number in found.metrics.items()},
        "gaps": {**thresholds.gaps, **found.gaps},
        **groups,
        "threshold": None if thresholds.image is None else thresholds.image.to_dict(),
        "pixel_threshold": None if thresholds.pixel is None else thresholds.pixel.to_dict(),
        "errors": {row.file: row.error for row in tally.rows if row.error is not None},
    }
