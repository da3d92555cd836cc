"""Seam: pyimgano-benchmark takes its threshold from normal images that its detector was not fitted on.

The host takes it from the images that the detector was fitted on, whose scores a memory bank knows by heart. Here it
comes from the validation split; where the data set has none, from a fifth of the training images, or from all of them
in turn where there are few. Those are scored by further detectors that are fitted on the others, so that the one that
is measured is fitted on all, as published numbers are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial, wraps
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.progress import running
from pyimgano_industrial.host import settings, threshold_flags
from pyimgano_industrial.host.contract import expect, on_model, rebind
from pyimgano_industrial.host.thresholds import names
from pyimgano_industrial.inference.calibration import Source
from pyimgano_industrial.inference.holdout import fit_and_score, held_out, score_out_of_fold
from pyimgano_industrial.plugins.manager import plugins
from pyimgano_industrial.tiling.detector import TiledDetector


@dataclass
class _Run:
    """The category that is being benchmarked, and how its detector was made."""

    config: Any
    created: tuple[tuple[Any, ...], dict[str, Any]] | None = None


@dataclass(frozen=True)
class _Basis:
    """Scores (N,) of normal images, what they are called, and where they came from."""

    scores: NDArray[Any]
    names: list[str] | None
    source: Source
    provenance: dict[str, Any]


_running: ContextVar[_Run | None] = ContextVar("the benchmark that is running", default=None)


def apply(host: ModuleType) -> None:
    """Apply the part that belongs to the module."""
    if host.__name__ == "pyimgano.services.benchmark_service":
        _refuse_flags(host)
        return
    run = expect(host, "run_benchmark_category", "config")
    resolve_calibration_quantile = expect(host, "resolve_calibration_quantile", "detector", "calibration_quantile")
    calibrate = expect(host, "_calibrate_score_threshold", "detector", "train_inputs", "strategy")

    @wraps(run)
    def run_benchmark_category(*, config: Any, **kwargs: Any) -> Any:
        token = _running.set(_Run(config))
        try:
            with running(f"{config.dataset} {config.category}"):
                return run(config=config, **kwargs)
        finally:
            _running.reset(token)

    def made(detector: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        current = _running.get()
        if current is not None:
            current.created = (args, kwargs)
        return detector

    @wraps(calibrate)
    def _calibrate_score_threshold(
        detector: Any, train_inputs: Sequence[Any], *, strategy: str, calibration_quantile: float | None
    ) -> tuple[float | None, dict[str, Any]]:
        _check_flags(strategy)
        quantile = resolve_calibration_quantile(detector, calibration_quantile=calibration_quantile)[0]
        basis = None if strategy == "test_optimal_f1" else _basis(host, detector, list(train_inputs), quantile)
        known = detector if basis is None else _Known(detector, basis.scores)
        inputs = train_inputs if basis is None else range(len(basis.scores))
        threshold, provenance = calibrate(known, inputs, strategy=strategy, calibration_quantile=calibration_quantile)
        if basis is not None:
            provenance |= {"train_count": len(train_inputs), **basis.provenance}
        if basis is not None and strategy == "train_quantile":
            threshold, report = _report(basis, threshold, provenance["quantile"])
            provenance |= report
        return threshold, provenance

    on_model(host, made)
    host._calibrate_score_threshold = _calibrate_score_threshold  # type: ignore[attr-defined]  # the host's attribute
    host.run_benchmark_category = run_benchmark_category  # type: ignore[attr-defined]  # as above
    rebind("run_benchmark_category", run, run_benchmark_category)


class _Known:
    """A detector whose scores are known already, for the host's own arithmetic."""

    def __init__(self, detector: Any, scores: NDArray[Any]) -> None:
        self._detector, self._scores = detector, scores

    def decision_function(self, inputs: Sequence[int]) -> NDArray[Any]:
        return self._scores[list(inputs)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._detector, name)  # the host reads `contamination`


def _basis(host: ModuleType, detector: Any, train: list[Any], quantile: float) -> _Basis | None:
    """Return scores of images that no detector saw; None where the host's own way is all there is."""
    current = _running.get()
    if current is None or not _is_ours(current.config):
        return None
    images = calibration_inputs(current.config)
    if images:
        scores = np.asarray(detector.decision_function(images), np.float64)
        return _Basis(scores, names(images), "validation", {"split": "validation", "validation_count": len(images)})
    if isinstance(detector, TiledDetector) and detector.source_ in ("held-out", "out-of-fold"):
        return _of_tiled(detector, train)
    if current.created is not None and len(train) > 1:
        return _of_further_detectors(
            partial(_another, host, current), train, threshold_flags.calibrator(quantile).target_fpr
        )
    return None


def _of_tiled(tiled: TiledDetector, train: list[Any]) -> _Basis:
    """Return the scores that a tiled detector has of images that it, or its folds, did not see."""
    by = "by the detector itself" if tiled.source_ == "held-out" else "by its folds"
    said = {"split": tiled.source_, "held_out_count": len(tiled.scored_), "scored": f"{by}, fitted on the others"}
    images = names([train[index] for index in tiled.scored_])
    return _Basis(np.asarray(tiled.decision_scores_, np.float64), images, tiled.source_, said)


def _of_further_detectors(make: Callable[[], Any], train: list[Any], target: float) -> _Basis:
    """Return scores of a fifth of the images, or of all in turn where a fifth is too few for the target."""
    enough = len(held_out(len(train))) >= 1 / target - 1 - 1e-9
    found = fit_and_score(make(), train) if enough else score_out_of_fold(make, train)
    by = "by a second detector, fitted on the others" if enough else "by further detectors, each fitted on the others"
    said = {"split": found.source, "held_out_count": len(found.kept), "scored": by}
    # Either way they are not the scores of the detector that is measured.
    return _Basis(
        np.asarray(found.scores, np.float64), names([train[index] for index in found.kept]), "out-of-fold", said
    )


def _another(host: ModuleType, run: _Run) -> Any:
    assert run.created is not None
    args, kwargs = run.created
    return host.create_model(*args, **kwargs)


def _report(basis: _Basis, threshold: float | None, quantile: float) -> tuple[float, dict[str, Any]]:
    """Return the threshold that the flags ask for, or the host's, and what it promises."""
    calibrator = threshold_flags.calibrator(quantile, otherwise="quantile")
    calibration = calibrator.fit(basis.scores, images=basis.names, source=basis.source)
    if calibrator.method == "quantile" and "target_fpr" not in settings.thresholds and threshold is not None:
        return threshold, {"method": calibration.method, "calibration": calibration.at(threshold).to_dict()}
    report = {"method": calibration.method, "calibration": calibration.to_dict()}
    return calibration.threshold, report | {"quantile": 1 - calibrator.target_fpr}


def _is_ours(config: Any) -> bool:
    return config.dataset.lower() in {row.name for row in plugins().rows("datasets")}


def has_validation() -> bool:
    """Return whether the benchmark that is running takes its threshold from a validation split."""
    current = _running.get()
    return current is not None and _is_ours(current.config) and len(_load(current.config).get_calibration_paths()) > 0


def calibration_inputs(config: Any) -> list[Any]:
    """Return the validation images of a benchmark's data set as its detector takes them; empty where there are none."""
    if not _is_ours(config):
        return []
    dataset = _load(config)
    return list(dataset.get_calibration_data() if config.input_mode == "numpy" else dataset.get_calibration_paths())


def _load(config: Any) -> Any:
    from pyimgano.utils.datasets import load_dataset

    return load_dataset(config.dataset, config.root, category=config.category, resize=config.resize, load_masks=False)


def _check_flags(strategy: str) -> None:
    if threshold_flags.given() and strategy != "train_quantile":
        raise threshold_flags.ThresholdFlagError(
            f"--threshold-method and --target-fpr need the strategy train_quantile; got {strategy}"
        )


def _refuse_flags(host: ModuleType) -> None:
    """Say that --pixel, which takes its thresholds from the test labels, does not listen to the flags."""
    original = expect(host, "_run_pixel_benchmark_request", "request")

    @wraps(original)
    def _run_pixel_benchmark_request(request: Any) -> Any:
        if threshold_flags.given():
            raise threshold_flags.ThresholdFlagError(
                "--threshold-method and --target-fpr do nothing with --pixel; leave out one or the other"
            )
        return original(request)

    host._run_pixel_benchmark_request = _run_pixel_benchmark_request  # type: ignore[attr-defined]  # the host's
