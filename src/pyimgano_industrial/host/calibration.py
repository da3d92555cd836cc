"""Seam: pyimgano-benchmark takes its threshold from the validation split where the data set has one.

The host takes it from the images that the detector was fitted on, whose scores a memory bank knows by heart.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.plugins.manager import plugins

_running: ContextVar[Any] = ContextVar("the benchmark's configuration", default=None)


def apply(host: ModuleType) -> None:
    """Give the host's calibration the validation images instead of the training images."""
    run = expect(host, "run_benchmark_category", "config")
    calibrate = expect(host, "_calibrate_score_threshold", "detector", "train_inputs", "strategy")

    @wraps(run)
    def run_benchmark_category(*, config: Any, **kwargs: Any) -> Any:
        token = _running.set(config)
        try:
            return run(config=config, **kwargs)
        finally:
            _running.reset(token)

    @wraps(calibrate)
    def _calibrate_score_threshold(
        detector: Any, train_inputs: Sequence[Any], *, strategy: str, calibration_quantile: float | None
    ) -> tuple[float | None, dict[str, Any]]:
        images = calibration_inputs(_running.get()) if strategy != "test_optimal_f1" else []
        threshold, provenance = calibrate(
            detector, images or train_inputs, strategy=strategy, calibration_quantile=calibration_quantile
        )
        if images:
            provenance |= {"split": "validation", "train_count": len(train_inputs), "validation_count": len(images)}
        return threshold, provenance

    host._calibrate_score_threshold = _calibrate_score_threshold  # type: ignore[attr-defined]  # the host's attribute
    host.run_benchmark_category = run_benchmark_category  # type: ignore[attr-defined]  # as above
    rebind("run_benchmark_category", run, run_benchmark_category)


def has_validation() -> bool:
    """Return whether the benchmark that is running takes its threshold from a validation split."""
    dataset = _dataset(_running.get())
    return dataset is not None and len(dataset.get_calibration_paths()) > 0


def calibration_inputs(config: Any) -> list[Any]:
    """Return the validation images of a benchmark's data set as its detector takes them; empty where there are none."""
    dataset = _dataset(config)
    if dataset is None:
        return []
    return list(dataset.get_calibration_data() if config.input_mode == "numpy" else dataset.get_calibration_paths())


def _dataset(config: Any) -> Any:
    if config is None or config.dataset.lower() not in {row.name for row in plugins().rows("datasets")}:
        return None
    from pyimgano.utils.datasets import load_dataset

    return load_dataset(config.dataset, config.root, category=config.category, resize=config.resize, load_masks=False)
