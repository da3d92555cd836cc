"""Seam: models of pyimgano's that work each image out for its score and again for its map do so once.

Their `decision_function` and `predict_anomaly_map` take the same costly steps image by image. `score_and_map` calls
both, and what a step gave for an image is used again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType
from typing import Any

from pyimgano_industrial.host.contract import expect

_MAPS, _PATCHES = ("get_anomaly_map",), ("_embed", "_patch_scores")
# Module -> the class that its models share, and the steps that are worth taking once.
MODELS: dict[str, tuple[str, tuple[str, ...]]] = {
    "patch_embedding_core_map": ("VisionPatchEmbeddingCoreMap", _PATCHES),
    "patchcore_lite_map": ("VisionPatchCoreLiteMap", _PATCHES),
    "phase_corr_map": ("VisionPhaseCorrelationMapDetector", _MAPS),
    "pixel_stats_map": ("_BasePixelStatsMapDetector", _MAPS),
    "ssim_map": ("_BaseSSIMMapDetector", _MAPS),
    "template_ncc_map": ("VisionTemplateNCCMapDetector", _MAPS),
}


def apply(host: ModuleType) -> None:
    """Give the models of one module `score_and_map`."""
    name, steps = MODELS[host.__name__.rpartition(".")[2]]
    model = expect(host, name)
    for method in ("decision_function", "predict_anomaly_map", *(steps if steps is _PATCHES else ())):
        expect(model, method)
    maps_of = model.predict_anomaly_map

    def score_and_map(self: Any, x: Iterable[Any]) -> tuple[Any, Sequence[Any]]:
        """Return scores (N,) and maps (N, H, W), each step taken once an image; as the two methods return them."""
        items = list(x)
        with _once(self, steps):
            scores = self.decision_function(items)
            if type(self).predict_anomaly_map is maps_of:  # it would put them into one array only
                return scores, [self.get_anomaly_map(item) for item in items]
            return scores, self.predict_anomaly_map(items)

    model.score_and_map = score_and_map


@contextmanager
def _once(model: Any, steps: Sequence[str]) -> Iterator[None]:
    """Let the steps of a model keep what they gave, for the time of the block."""
    before = {step: vars(model)[step] for step in steps if step in vars(model)}
    for step in steps:
        setattr(model, step, _keeping(getattr(model, step)))
    try:
        yield
    finally:
        for step in steps:
            delattr(model, step)
        vars(model).update(before)


def _keeping(step: Callable[[Any], Any]) -> Callable[[Any], Any]:
    kept: dict[int, tuple[Any, Any]] = {}  # by identity; what is kept keeps its identity

    def once(item: Any) -> Any:
        if id(item) not in kept:
            kept[id(item)] = item, step(item)
        return kept[id(item)][1]

    return once
