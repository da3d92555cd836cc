"""Seam: the models that the benchmarks and pyimgano-infer run are tiled as the flags say, and reports say so."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.core.progress import TerminalProgress
from pyimgano_industrial.evaluation.detectors import standardises
from pyimgano_industrial.host import calibration, inference_flags, regions, settings, tiling_flags, tiling_keys
from pyimgano_industrial.host.contract import expect, on_model
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


_made: tuple[Any, Maker] | None = None  # what a command made last
_restored: tuple[Any, TiledDetector] | None = None  # a model, and the tiled detector that its checkpoint holds


def apply(host: ModuleType) -> None:
    """Wrap what the module creates, and add the tiling to what it reports."""
    if host.__name__ == "pyimgano.services.infer_wrapper_service":
        _tile_inference(host)
    elif host.__name__ == "pyimgano.infer_cli":
        remember(host)
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
        needs_none = (pixels or calibration.has_validation()) and not standardises(settings.tiling)
        return _tiled(detector, Maker(args, kwargs), {"calibration": "none"} if needs_none else {})

    @wraps(report)
    def with_tiling(*args: Any, **kwargs: Any) -> Any:
        payload = report(*args, **kwargs)
        used = {"tiling": dict(settings.tiling), "roi": inference_flags.roi_text}
        return {**payload, **{name: value for name, value in used.items() if value}}

    host.create_model = create_model  # type: ignore[attr-defined]  # the host's module attribute
    setattr(host, _REPORTS[host.__name__], with_tiling)


def remember(host: ModuleType) -> None:
    """Keep how a command made its model, for the tiled detector that the host wraps round it later."""

    def made(detector: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        global _made
        _made = detector, Maker(args, kwargs)
        return detector

    on_model(host, made)


def keep(detector: Any, fitted: TiledDetector) -> None:
    """Keep what a model's checkpoint holds for the tiled detector that the host wraps round the model later."""
    global _restored
    _restored = detector, fitted


def tiled(detector: Any, options: Mapping[str, Any]) -> TiledDetector:
    """Return a model that a command has made, tiled; what its checkpoint held is taken over."""
    maker = _made[1] if _made is not None and _made[0] is detector else None
    made = _tiled(detector, maker, options)
    if _restored is not None and _restored[0] is detector:
        made.restore(_restored[1])
    return made


def _tile_inference(host: ModuleType) -> None:
    """Give our flags and keys of a configuration to the tiled detector that pyimgano-infer makes of the host's."""
    wrap = expect(host, "_wrap_with_tiling", "detector", "tiling", "threshold", "u16_max")
    resolve = expect(host, "_resolve_tiling_options", "request")
    configured: dict[str, Any] = {}  # our keys of the configuration, where the tiling comes from one

    @wraps(resolve)
    def _resolve_tiling_options(request: Any) -> Any:
        own = tiling_keys.given(request.tiling_payload or {})
        configured.clear()
        configured.update(tiling_keys.keywords(own) if request.tile_size is None else {})
        return resolve(request)

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
        made = tiled(detector, hosts | configured)
        if threshold is not None:
            made.threshold_ = threshold
        return made

    host._resolve_tiling_options = _resolve_tiling_options  # type: ignore[attr-defined]  # the host's module attribute
    host._wrap_with_tiling = _wrap_with_tiling  # type: ignore[attr-defined]  # the host's module attribute


def _tiled(detector: Any, maker: Maker | None, options: Mapping[str, Any]) -> TiledDetector:
    chosen = {**options, **settings.tiling, **regions.for_tiles()}
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
