"""One detector in several threads: nobody gets what another thread's images gave, whatever the detector keeps."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import detectors
from pyimgano_industrial.inference import RegionDetector, Result, infer, infer_iter
from pyimgano_industrial.tiling import TiledDetector

THREADS, SIZE = 6, (96, 128)
IMAGES = [[np.full((*SIZE, 3), 40 * thread + index, np.uint8) for index in range(10)] for thread in range(THREADS)]
Run = Callable[[Any, list[np.ndarray]], list[Result]]


@pytest.fixture(autouse=True)
def _switching_often() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


class OneAtATime(detectors.ScoresOnly):
    """Works on what it keeps in itself, as many detectors do, and notices whoever comes meanwhile."""

    inside = 0

    def __enter__(self) -> None:
        type(self).inside += 1
        assert self.inside == 1, "two threads in one detector"
        time.sleep(1e-4)  # lets another thread run

    def __exit__(self, *_: object) -> None:
        type(self).inside -= 1

    def decision_function(self, images: list[np.ndarray]) -> list[float]:
        with self:
            self.images = images
            time.sleep(1e-4)
            return super().decision_function(self.images)


class RemembersItsBatch(OneAtATime):
    """Its maps are those of the images that it scored last, as with a hook on a network's layer."""

    @property
    def predict_anomaly_map(self) -> Callable[[list[np.ndarray]], list[np.ndarray]]:
        time.sleep(1e-3)  # between scores and maps
        return self._maps

    def _maps(self, images: list[np.ndarray]) -> list[np.ndarray]:  # noqa: ARG002 - a detector's signature
        with self:
            return [one[..., 0].astype(np.float32) for one in self.images]


class OneBuffer(OneAtATime):
    """Writes every batch of maps into the same memory."""

    maps = np.empty((10, *SIZE), np.float32)

    def predict_anomaly_map(self, images: list[np.ndarray]) -> np.ndarray:
        with self:
            height, width = images[0].shape[:2]
            maps = self.maps[: len(images), :height, :width]
            maps[...] = [one[..., 0] for one in images]
            return maps


class Confident(OneAtATime):
    threshold_ = 100.0

    def predict_confidence(self, images: list[np.ndarray]) -> list[float]:
        with self:
            return [one[0, 0, 0] / 255 for one in images]


class WithoutReferences:
    """Cannot be referred to weakly, so that nothing can be kept beside it."""

    __slots__ = ()
    inside = OneAtATime()

    def decision_function(self, images: list[np.ndarray]) -> list[float]:
        return self.inside.decision_function(images)


def scored(detector: Any, run: Run) -> list[list[Result]]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(lambda images: run(detector, images), IMAGES))


def alike(one: np.ndarray, found: np.ndarray | None) -> bool:
    return found is not None and np.array_equal(found, one[..., 0])


@pytest.mark.parametrize("batch_size", [1, 3, None])
@pytest.mark.parametrize("detector", [RemembersItsBatch(), OneBuffer()])
@pytest.mark.parametrize("call", [infer, infer_iter])
def test_scores_and_maps_are_those_of_the_thread_s_own_images(call: Any, detector: Any, batch_size: int | None) -> None:
    def run(detector: Any, images: list[np.ndarray]) -> list[Result]:
        return list(call(detector, images, include_maps=True, batch_size=batch_size))

    for images, results in zip(IMAGES, scored(detector, run), strict=True):
        assert [one.score for one in results] == [one[0, 0, 0] for one in images]
        assert all(alike(one, result.anomaly_map) for one, result in zip(images, results, strict=True))


@pytest.mark.parametrize("detector", [OneAtATime(), WithoutReferences()])
def test_scores_alone_are_too(detector: Any) -> None:
    found = scored(detector, lambda detector, images: infer(detector, images, batch_size=1))
    assert [[one.score for one in results] for results in found] == [[one[0, 0, 0] for one in row] for row in IMAGES]


def test_confidence_is_asked_for_in_turn() -> None:
    found = scored(Confident(), lambda detector, images: infer(detector, images, include_confidence=True, batch_size=2))
    for images, results in zip(IMAGES, found, strict=True):
        assert [one.label_confidence for one in results] == [one[0, 0, 0] / 255 for one in images]


@pytest.mark.parametrize("detector", [RemembersItsBatch(), OneBuffer()])
def test_a_region_s_maps_and_scores_are_of_one_thread(detector: Any) -> None:
    region = RegionDetector(detector, roi=(0, 0, 128, 96))

    def run(region: Any, images: list[np.ndarray]) -> list[Result]:
        scores, maps = region.score_and_map(images)
        return [Result(score.item(), anomaly_map=one) for score, one in zip(scores, maps, strict=True)]

    for images, results in zip(IMAGES, scored(region, run), strict=True):
        assert [one.score for one in results] == [one[0, 0, 0] for one in images]
        assert all(alike(one, result.anomaly_map) for one, result in zip(images, results, strict=True))


def test_a_tiled_detector_s_tiles_are_of_one_thread() -> None:
    tiled = TiledDetector(detector=OneBuffer(), tile_size=32, stride=32, calibration="none")
    found = scored(tiled, lambda tiled, images: infer(tiled, images, include_maps=True, batch_size=1))
    for images, results in zip(IMAGES, found, strict=True):
        assert [one.score for one in results] == [one[0, 0, 0] for one in images]
        assert all(alike(one, result.anomaly_map) for one, result in zip(images, results, strict=True))
