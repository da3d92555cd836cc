"""Seam: the models that the benchmarks and pyimgano-infer run are tiled as the flags say, and reports say so."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.host import inference_flags, regions, settings, tiling_flags
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.tiling.detector import TiledDetector

_REPORTS = {
    "pyimgano.pipelines.run_benchmark": "stamp_report_payload",
    "pyimgano.services.benchmark_service": "_run_pixel_benchmark_request",
    "pyimgano.services.robustness_service": "stamp_report_payload",
}


def apply(host: ModuleType) -> None:
    """Wrap what the module creates, and add the tiling to what it reports."""
    if host.__name__ == "pyimgano.services.infer_wrapper_service":
        _tile_inference(host)
        return
    create = expect(host, "create_model")
    report = expect(host, _REPORTS[host.__name__])

    @wraps(create)
    def create_model(*args: Any, **kwargs: Any) -> Any:
        tiling_flags.check()
        detector = create(*args, **kwargs)
        if not settings.tiling:
            return detector
        return TiledDetector(detector=detector, **settings.tiling, **regions.for_tiles())

    @wraps(report)
    def with_tiling(*args: Any, **kwargs: Any) -> Any:
        payload = report(*args, **kwargs)
        used = {"tiling": dict(settings.tiling), "roi": inference_flags.roi_text}
        return {**payload, **{name: value for name, value in used.items() if value}}

    host.create_model = create_model  # type: ignore[attr-defined]  # the host's module attribute
    setattr(host, _REPORTS[host.__name__], with_tiling)


def _tile_inference(host: ModuleType) -> None:
    """Give our own flags to the tiled detector that pyimgano-infer makes from the host's flags."""
    wrap = expect(host, "_wrap_with_tiling", "detector", "tiling", "threshold", "u16_max")

    @wraps(wrap)
    def _wrap_with_tiling(detector: Any, *, tiling: Any, threshold: float | None, u16_max: int | None) -> Any:
        if settings.tiling and tiling.tile_size is None:
            tiling_flags.check()
        inside = regions.for_tiles()
        if not (settings.tiling or inside) or tiling.tile_size is None:
            return wrap(detector, tiling=tiling, threshold=threshold, u16_max=u16_max)
        tiled = TiledDetector(
            detector=detector,
            tile_size=tiling.tile_size,
            stride=tiling.tile_stride,
            score_reduce=tiling.tile_score_reduce,
            score_topk=tiling.tile_score_topk,
            map_reduce=tiling.tile_map_reduce,
            u16_max=u16_max,
            **settings.tiling,
            **inside,
        )
        if threshold is not None:
            tiled.threshold_ = threshold
        return tiled

    host._wrap_with_tiling = _wrap_with_tiling  # type: ignore[attr-defined]  # the host's module attribute
