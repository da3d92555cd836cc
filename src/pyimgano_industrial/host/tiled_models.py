"""Seam: the models that the benchmarks and pyimgano-infer run are tiled as the flags say, and reports say so."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.core.progress import TerminalProgress
from pyimgano_industrial.host import calibration, settings, tiling_flags
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.tiling.detector import TiledDetector

_REPORTS = {
    "pyimgano.pipelines.run_benchmark": "stamp_report_payload",
    "pyimgano.services.benchmark_service": "_run_pixel_benchmark_request",
    "pyimgano.services.robustness_service": "stamp_report_payload",
}


@dataclass(frozen=True)
class Maker:
    """Makes a model again, as the host made it: one for each position or fold. It pickles."""

    args: tuple[Any, ...]
    kwargs: dict[str, Any]

    def __call__(self) -> Any:
        from pyimgano.models.registry import create_model

        return create_model(*self.args, **self.kwargs)


_made: tuple[Any, Maker] | None = None  # what pyimgano-infer made last


def apply(host: ModuleType) -> None:
    """Wrap what the module creates, and add the tiling to what it reports."""
    if host.__name__ == "pyimgano.services.infer_wrapper_service":
        _tile_inference(host)
    elif host.__name__ == "pyimgano.infer_cli":
        _remember(host)
    else:
        _tile_benchmark(host)


def _tile_benchmark(host: ModuleType) -> None:
    create = expect(host, "create_model")
    report = expect(host, _REPORTS[host.__name__])
    pixels = host.__name__ != "pyimgano.pipelines.run_benchmark"

    @wraps(create)
    def create_model(*args: Any, **kwargs: Any) -> Any:
        tiling_flags.check()
        detector = create(*args, **kwargs)
        if not settings.tiling:
            return detector
        # Those that take the threshold from elsewhere need none of the detector's own, which costs folds of fitting.
        needs_none = (pixels or calibration.has_validation()) and not _standardises()
        return _tiled(detector, Maker(args, kwargs), {"calibration": "none"} if needs_none else {})

    @wraps(report)
    def with_tiling(*args: Any, **kwargs: Any) -> Any:
        payload = report(*args, **kwargs)
        return {**payload, "tiling": dict(settings.tiling)} if settings.tiling else payload

    host.create_model = create_model  # type: ignore[attr-defined]  # the host's module attribute
    setattr(host, _REPORTS[host.__name__], with_tiling)


def _standardises() -> bool:
    """Return whether scores are measured by normal ones of their position or scale, which calibration finds."""
    return settings.tiling.get("fit_mode") == "position" or len(settings.tiling.get("scales", (1.0,))) > 1


def _remember(host: ModuleType) -> None:
    """Keep how pyimgano-infer made its model, for the tiled detector that the host wraps round it later."""
    create = expect(host, "create_model")

    @wraps(create)
    def create_model(*args: Any, **kwargs: Any) -> Any:
        global _made
        detector = create(*args, **kwargs)
        _made = detector, Maker(args, kwargs)
        return detector

    host.create_model = create_model  # type: ignore[attr-defined]  # the host's module attribute


def _tile_inference(host: ModuleType) -> None:
    """Give our own flags to the tiled detector that pyimgano-infer makes from the host's flags."""
    wrap = expect(host, "_wrap_with_tiling", "detector", "tiling", "threshold", "u16_max")

    @wraps(wrap)
    def _wrap_with_tiling(detector: Any, *, tiling: Any, threshold: float | None, u16_max: int | None) -> Any:
        if tiling.tile_size is None:
            tiling_flags.check()
        wrapped = wrap(detector, tiling=tiling, threshold=threshold, u16_max=u16_max)
        if not isinstance(wrapped, TiledDetector):
            return wrapped  # no tiling asked for, or a class of the caller's in the place of ours
        hosts = {
            "tile_size": tiling.tile_size,
            "stride": tiling.tile_stride,
            "score_reduce": tiling.tile_score_reduce,
            "score_topk": tiling.tile_score_topk,
            "map_reduce": tiling.tile_map_reduce,
            "u16_max": u16_max,
        }
        maker = _made[1] if _made is not None and _made[0] is detector else None
        tiled = _tiled(detector, maker, hosts)
        if threshold is not None:
            tiled.threshold_ = threshold
        return tiled

    host._wrap_with_tiling = _wrap_with_tiling  # type: ignore[attr-defined]  # the host's module attribute


def _tiled(detector: Any, maker: Maker | None, options: dict[str, Any]) -> TiledDetector:
    chosen = {**options, **settings.tiling}
    if maker is not None and chosen.get("fit_mode", "tiles") == "tiles":
        _check_fit(maker)
    return TiledDetector(detector=detector, factory=maker, progress=TerminalProgress("tiles"), **chosen)


def _check_fit(maker: Maker) -> None:
    """Warn that a model which compares an image with a template, place by place, has none on tiles from all places."""
    from pyimgano.models.registry import MODEL_REGISTRY

    name = maker.args[0] if maker.args else maker.kwargs.get("name")
    if name in MODEL_REGISTRY.available() and "template" in MODEL_REGISTRY.info(name).tags:
        warnings.warn(
            f"{name} compares each place of an image with the same place of the good ones, which tiles from all places "
            f"mix up; for parts that lie in one place give --tile-fit position, for others choose another model",
            IndustrialWarning,
            stacklevel=2,
        )
