"""Detectors that know the answer, or make one up, and plans of small evaluations with them."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.evaluation.protocols import protocol_of
from pyimgano_industrial.evaluation.results import ModelSpec, Settings
from pyimgano_industrial.evaluation.run import Plan
from pyimgano_industrial.metrics.spro import LIMITS
from pyimgano_industrial.plugins.manager import plugins

Image = NDArray[np.uint8]


def noise(image: Image) -> NDArray[np.float32]:
    """Return a map that depends on the image alone."""
    seed = zlib.crc32(image.tobytes())
    return np.random.default_rng(seed).random(image.shape[:2], np.float32)


class Scripted:
    """A detector whose map of an image is that of a function; the score is its mean, so that the two differ."""

    def __init__(self, map_of: Callable[[Image], NDArray[Any]] = noise) -> None:
        self.map_of, self.fitted, self.calls = map_of, [], 0

    def fit(self, images: list[str]) -> None:
        self.fitted += [Path(one).name for one in images]

    def score_and_map(self, images: list[Image]) -> tuple[list[float], list[NDArray[Any]]]:
        self.calls += len(images)
        maps = [self.map_of(one) for one in images]
        return [float(np.mean(one)) for one in maps], maps

    def decision_function(self, images: list[Image]) -> list[float]:
        return self.score_and_map(images)[0]


class ScoresOnly:
    """A detector without maps."""

    def fit(self, images: list[str]) -> None:
        self.fitted = len(images)

    def decision_function(self, images: list[Image]) -> list[float]:
        return [float(noise(one).mean()) for one in images]


def knowing(dataset: FolderDataset) -> Scripted:
    """Return a perfect detector of a data set: it knows each image's mask by the pixels."""
    masks = {
        dataset.image(sample).tobytes(): dataset.mask(sample)
        for sample in dataset.samples(dataset.test_split)
        if sample.label == 1
    }

    def map_of(image: Image) -> NDArray[np.float32]:
        mask = masks.get(image.tobytes(), np.zeros(image.shape[:2], bool))
        return mask + noise(image) / 10

    return Scripted(map_of)


def data(name: str) -> type[FolderDataset]:
    found: type[FolderDataset] = resolve(plugins().row("datasets", name))
    return found


def settings(dataset: str, root: Path, **changes: Any) -> Settings:
    protocol = protocol_of(data(dataset))
    values: dict[str, Any] = {
        "dataset": dataset, "root": str(root), "protocol": protocol.name, "limits": (0.3, 0.05),
        "spro_limits": LIMITS if protocol.channels else (), "sizes": (5,), "method": "conformal", "target_fpr": 0.5,
        "confidence": 0.9, "k": 3.0, "share": 0.4, "bootstrap": 20, "interval": 0.95, "seed": 0,
        "image_score": protocol.image_score,
    }  # fmt: skip
    return Settings(**{**values, **changes})


@dataclass(frozen=True)
class Open:
    dataset: str
    root: Path
    missing_masks: Any = "error"

    def __call__(self, category: str) -> FolderDataset:
        return data(self.dataset)(self.root, category, missing_masks=self.missing_masks)


def plan(
    dataset: str,
    root: Path,
    output: Path,
    *,
    make: Callable[[ModelSpec], Any] | None = None,
    categories: tuple[str, ...] | None = None,
    models: tuple[ModelSpec, ...] = (ModelSpec("model", "model"),),
    missing_masks: str = "error",
    export: Path | None = None,
    again: bool = False,
    jobs: int = 1,
    **changes: Any,
) -> Plan:
    """Return an evaluation of a noise detector, or of what `make` gives."""
    return Plan(
        settings(dataset, root, missing_masks=missing_masks, **changes),
        models,
        categories or tuple(data(dataset).categories(root)),
        Open(dataset, root, missing_masks),
        make or partial(_made, Scripted),
        output,
        export,
        jobs=jobs,
        again=again,
    )


def _made(kind: type[Any], spec: ModelSpec) -> Any:  # noqa: ARG001 - all models are of one kind
    return kind()
