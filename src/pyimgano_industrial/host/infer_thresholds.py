"""Seams: pyimgano-infer keeps images of --train-dir back from fitting and takes its thresholds from them.

The host takes them from the images that it has just fitted the detector on. Where a model has set a threshold while it
was fitted, that one goes: it rests on the same images.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.core.files import written
from pyimgano_industrial.core.progress import running
from pyimgano_industrial.host import inference_flags, settings, threshold_flags
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.host.thresholds import names
from pyimgano_industrial.inference.calibration import Calibration, in_force
from pyimgano_industrial.inference.holdout import Scored, fit_and_score
from pyimgano_industrial.tiling.detector import TiledDetector
from pyimgano_industrial.tiling.fitting import Calibration as TiledCalibration

_SHOWN = 5  # names of images on the screen
_TILED: dict[str, TiledCalibration] = {"held-out": "holdout", "out-of-fold": "folds", "train": "fitted"}


def apply(host: ModuleType) -> None:
    """Apply the part that belongs to the module."""
    _PARTS[host.__name__](host)


class Fitting:
    """Takes the place of a detector's `fit`, once, and knows afterwards which images it did not see."""

    def __init__(self, detector: Any) -> None:
        self.detector = detector
        self.images: Sequence[Any] = ()
        self.scored: Scored | None = None
        self.calibration: Calibration | None = None
        self.before = in_force(detector)
        detector.fit = self

    def __call__(self, images: Sequence[Any], *args: Any, **kwargs: Any) -> Any:
        del self.detector.fit
        threshold_flags.calibrator(0.9)  # flags that are wrong are better refused before the fit than after it
        self.before = self.before or _reported()
        self.images = list(images)
        how = settings.thresholds.get("how", "held-out")
        if isinstance(self.detector, TiledDetector):  # which shows its own progress
            self.scored = _fit_tiled(self.detector, self.images, *args, **kwargs)
        else:
            with running(f"fitting on {len(self.images)} images"):
                self.scored = fit_and_score(self.detector, self.images, how=how, score=_collect)
        self.detector.threshold_ = None  # so that the command calibrates
        return self.detector

    @property
    def kept(self) -> list[Any]:
        """The images that the detector has not seen; none where every image had its turn, or none was kept back."""
        if self.scored is None or self.scored.source != "held-out":
            return []
        return [self.images[index] for index in self.scored.kept]

    def calibrate(self, quantile: float) -> Calibration:
        """Set the detector's threshold from the scores of the fit, and say what it promises."""
        assert self.scored is not None
        images = names([self.images[index] for index in self.scored.kept])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", IndustrialWarning)  # the report says the same
            self.calibration = threshold_flags.calibrator(quantile).fit(
                self.scored.scores, images=images, source=self.scored.source
            )
        self.calibration = self.calibration.after(self.before)
        self.calibration.apply(self.detector)
        _tell(self.calibration, of=len(self.images))
        if self.calibration.promise == "refused" and self.kept:
            print(f"--calibrate-on out-of-fold scores all {len(self.images)}, and fits six times", file=sys.stderr)
        return self.calibration


_fitting: Fitting | None = None  # that of the command which is running


def keeps_back() -> bool:
    """Return whether the running command has images that its detector has not seen."""
    return _fitting is not None and bool(_fitting.kept)


def _wrap_detector(host: ModuleType) -> None:
    original = expect(host, "apply_infer_detector_wrappers", "request")
    expect(host.InferDetectorWrapperRequest, "threshold")

    @wraps(original)
    def apply_infer_detector_wrappers(request: Any) -> Any:
        global _fitting
        result = original(request)
        wanted = request.threshold is None or threshold_flags.given() or inference_flags.roi is not None
        _fitting = Fitting(result.detector) if wanted and hasattr(result.detector, "fit") else None
        return result

    host.apply_infer_detector_wrappers = apply_infer_detector_wrappers  # type: ignore[attr-defined]  # the host's


def _calibrate(host: ModuleType) -> None:
    original = expect(host, "calibrate_threshold", "detector", "calibration_inputs", "quantile")

    @wraps(original)
    def calibrate_threshold(detector: Any, calibration_inputs: Any, *, quantile: float, **options: Any) -> float:
        if _fitting is None or _fitting.detector is not detector or _fitting.scored is None:
            return original(detector, calibration_inputs, quantile=quantile, **options)  # type: ignore[no-any-return]
        return _fitting.calibrate(quantile).threshold

    host.calibrate_threshold = calibrate_threshold  # type: ignore[attr-defined]  # the host's module attribute


def _plan(host: ModuleType) -> None:
    """Let the pixel threshold rest on the images that the detector has not seen."""
    original = expect(host, "prepare_infer_runtime_plan", "request", "run_inference_impl")

    @wraps(original)
    def prepare_infer_runtime_plan(request: Any, **options: Any) -> Any:
        if threshold_flags.given() and not request.train_paths:
            raise threshold_flags.ThresholdFlagError(
                "--threshold-method, --target-fpr, --calibrate-on and --threshold-report need --train-dir, the good "
                "images that the threshold is made from; got none"
            )
        global _fitting
        if _fitting is not None and _fitting.detector is not request.detector:
            _fitting = None  # that of an earlier command in this process
        kept = _fitting.kept if _fitting is not None else []
        inference_flags.map_names[:] = [f"{path}" for path in kept or request.train_paths or ()]
        return original(replace(request, train_paths=kept) if kept else request, **options)

    host.prepare_infer_runtime_plan = prepare_infer_runtime_plan  # type: ignore[attr-defined]  # the host's


def _records(host: ModuleType) -> None:
    """Add to every record what its threshold promises."""
    original = expect(host, "materialize_infer_result_artifacts", "request")

    @wraps(original)
    def materialize_infer_result_artifacts(request: Any) -> Any:
        artifact = original(request)
        if _fitting is not None and _fitting.calibration is not None:
            artifact.record["threshold_provenance"] = _short(_fitting.calibration)
        return artifact

    host.materialize_infer_result_artifacts = materialize_infer_result_artifacts  # type: ignore[attr-defined]  # as above


_PARTS = {
    "pyimgano.services.infer_wrapper_service": _wrap_detector,
    "pyimgano.infer_cli": _calibrate,
    "pyimgano.services.infer_runtime_service": _plan,
    "pyimgano.services.infer_artifact_service": _records,
}


def _fit_tiled(tiled: TiledDetector, images: Sequence[Any], *args: Any, **kwargs: Any) -> Scored:
    """Fit a tiled detector, which keeps images back, or has folds, by itself."""
    how = settings.thresholds.get("how")
    if how is not None or "calibration" not in settings.tiling:
        tiled.calibration = _TILED[how or "held-out"]
    if tiled.calibration == "none":
        raise threshold_flags.ThresholdFlagError(
            "--tile-calibration none leaves no scores for the threshold of pyimgano-infer; leave the flag out"
        )
    tiled.fit(images, *args, **kwargs)
    return Scored(tiled.decision_scores_, tiled.scored_, tiled.source_)


def _collect(detector: Any, images: list[Any]) -> Any:
    from pyimgano.inference.api import collect_calibration_scores

    return collect_calibration_scores(detector, images)


def _tell(calibration: Calibration, *, of: int) -> None:
    print(calibration, file=sys.stderr)
    shown = ", ".join(calibration.names[:_SHOWN])
    more = f" and {len(calibration.names) - _SHOWN} more" if len(calibration.names) > _SHOWN else ""
    print(f"Calibrated on {calibration.images} of the {of} images of --train-dir: {shown}{more}", file=sys.stderr)
    if len(calibration.changes) > 1 or calibration.changes[-1].old is not None:
        print(f"Changed: {calibration.changes[-1]}", file=sys.stderr)
    report = settings.thresholds.get("report")
    if report is not None:
        with written(report) as spare:
            spare.write_text(json.dumps(calibration.to_dict(), indent=2) + "\n", encoding="utf-8")


def _reported() -> Calibration | None:
    """Return what the report of an earlier run says, so that its log goes on."""
    report = settings.thresholds.get("report")
    if report is None or not report.exists():
        return None
    try:
        return Calibration.from_dict(json.loads(report.read_text(encoding="utf-8")))
    except (ValueError, TypeError, AttributeError) as error:
        raise threshold_flags.ThresholdFlagError(
            f"--threshold-report goes on with the log of its file; {report} is no report ({error}): name another file"
        ) from error


def _short(calibration: Calibration) -> dict[str, Any]:
    """Return the provenance for one record among many: without names, sentences and log, but with the last change."""
    left_out = ("names", "caveats", "level", "per", "area", "changes")
    last = calibration.changes[-1]
    short = {name: value for name, value in calibration.to_dict().items() if name not in left_out}
    return {**short, "date": last.date, "old": last.old}
