"""Padding, and what lies outside the region of interest, counts in no score and no map, whatever the score is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.tiling import TiledDetector
from pyimgano_industrial.tiling.counted import mean_of_highest, share_of

TILE = 24
PADDINGS: tuple[dict[str, Any], ...] = (
    {"pad_mode": "reflect"},
    {"pad_mode": "edge"},
    {"pad_mode": "constant", "pad_value": 0},
    {"pad_mode": "constant", "pad_value": 255},
)


def top(share: float) -> Callable[[np.ndarray], float]:
    return lambda values: float(np.sort(values.ravel())[-min(values.size, max(1, round(share * values.size))) :].mean())


class Scored:
    """The map is the red channel, the score whatever `reduce` makes of it."""

    def __init__(self, reduce: Callable[[np.ndarray], float]) -> None:
        self.reduce = reduce
        self.shapes: list[tuple[int, ...]] = []

    def decision_function(self, images: list[np.ndarray]) -> np.ndarray:
        self.shapes += [image.shape for image in images]
        return np.array([self.reduce(image[..., 0].astype(np.float64)) for image in images])


class Mapped(Scored):
    def predict_anomaly_map(self, images: list[np.ndarray]) -> np.ndarray:
        return np.stack([image[..., 0].astype(np.float32) for image in images])


class TakesInside(Mapped):
    """Leaves out by itself what does not count; its score is not one of its map."""

    def score_and_map(
        self, images: list[np.ndarray], inside: list[np.ndarray | None] | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        masks = [None] * len(images) if inside is None else inside
        reds = [
            image[..., 0].astype(np.float64)[... if mask is None else mask]
            for image, mask in zip(images, masks, strict=True)
        ]
        return np.array([self.reduce(red) for red in reds]), self.predict_anomaly_map(images)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """All values differ."""
    values = np.random.default_rng(seed).permutation(height * width)[:, None].repeat(3, axis=1)
    return np.asarray(values.reshape(height, width, 3), np.uint16)


def tiled(detector: Any, **options: Any) -> TiledDetector:
    return TiledDetector(detector=detector, tile_size=TILE, **options)


@given(st.integers(1, TILE), st.integers(1, TILE), st.sampled_from([0, 0.01, 0.1, 0.5, 1]), st.integers(0, 9))
def test_a_score_of_the_map_is_that_of_the_real_pixels(height: int, width: int, share: float, seed: int) -> None:
    """To one pixel more or less, since a share of a tile and of its real pixels are whole numbers of them."""
    image = picture(height, width, seed)
    (score,), (anomaly_map,) = tiled(Mapped(top(share)), pad_mode="constant").score_and_map([image])
    np.testing.assert_array_equal(anomaly_map, image[..., 0])
    real = image[..., 0].astype(float)
    fewer, more = (top(share + step / real.size)(real) for step in (-1, 1))
    assert more - 1e-3 <= score <= fewer + 1e-3


@pytest.mark.parametrize("size", [(10, 12), (10, 60), (60, 10)])
@pytest.mark.parametrize(
    "detector",
    [
        Mapped(np.max),
        Mapped(np.mean),
        Mapped(lambda red: 2 * red.max() + 3),  # none of its map: the real pixels are scored alone
        Scored(np.std),
        TakesInside(lambda red: 2 * red.max() + 3),
    ],
    ids=["max", "mean", "unlike its map", "no map", "takes inside"],
)
@pytest.mark.filterwarnings("ignore:an image smaller than a tile")
def test_no_padding_changes_a_score(detector: Scored, size: tuple[int, int]) -> None:
    image = picture(*size)
    scores = [tiled(detector, score_reduce="mean", **padding).decision_function([image])[0] for padding in PADDINGS]
    np.testing.assert_allclose(scores, scores[0], rtol=1e-6)
    if max(size) <= TILE:
        np.testing.assert_allclose(scores[0], detector.reduce(image[..., 0].astype(float)), rtol=1e-6)


def test_a_score_unlike_its_map_is_taken_again_without_padding_and_says_so() -> None:
    detector = Mapped(lambda red: 2 * red.max() + 3)
    with pytest.warns(IndustrialWarning, match="scored once more without its padding: the score of a Mapped"):
        tiled(detector).decision_function([picture(10, 12)])
    assert detector.shapes == [(TILE, TILE, 3), (10, 12, 3)]


def test_a_detector_without_maps_gets_no_padding_when_it_is_fitted_either() -> None:
    class Fitted(Scored):
        def fit(self, images: list[np.ndarray]) -> None:
            self.fitted_on = [image.shape for image in images]

    detector = Fitted(np.mean)
    tiled(detector, calibration="none").fit([picture(10, 12), picture(10, 30)])
    assert detector.fitted_on == [(10, 12, 3), (10, TILE, 3), (10, TILE, 3)]


@pytest.mark.parametrize(
    ("detector", "differs"),
    [
        (Mapped(np.max), 1e-6),
        (Mapped(np.mean), 1e-6),
        (Mapped(top(0.2)), 2e-2),  # its share is known to one value of the whole tile's, which differ outside
        (Scored(np.std), 1e-6),
        (TakesInside(np.std), 1e-6),
    ],
    ids=["max", "mean", "top", "no map", "takes inside"],
)
def test_nothing_outside_the_region_changes_a_score(detector: Scored, differs: float) -> None:
    box = (5, 5, 40, 30)
    image, other = picture(50, 60), picture(50, 60)
    other[:5], other[30:], other[:, :5], other[:, 40:] = 0, 1, 2, 3
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scores = tiled(detector, roi=box, stride=16, score_reduce="mean").decision_function([image, other])
    np.testing.assert_allclose(scores[1], scores[0], rtol=differs)


@pytest.mark.parametrize("batch_size", [1, 5])
def test_position_by_position_a_region_counts_for_tiles_on_its_border(batch_size: int) -> None:
    class Fitted(Mapped):
        def fit(self, images: list[np.ndarray]) -> None:
            self.level = images[0][..., 0].mean()

    options: dict[str, Any] = {"fit_mode": "position", "calibration": "none", "stride": 16, "batch_size": batch_size}
    image, other = picture(50, 60), picture(50, 60)
    other[:5], other[30:], other[:, :5], other[:, 40:] = 0, 1, 2, 3
    detector = tiled(Fitted(np.max), roi=(5, 5, 40, 30), **options)
    scores = detector.fit([image]).decision_function([image, other])
    assert scores[0] == scores[1]
    assert detector.score_and_map([image])[0][0] == scores[0]


def test_a_score_unlike_its_map_warns_that_the_border_of_a_region_counts_whole() -> None:
    detector = Mapped(lambda red: 2 * red.max() + 3)
    with pytest.warns(IndustrialWarning, match="on the border of the region of interest were scored whole"):
        tiled(detector, roi=(5, 5, 40, 30)).decision_function([picture(50, 60)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiled(detector, roi=(5, 5, 40, 30), score_from="map").decision_function([picture(50, 60)])


@given(st.integers(1, 400), st.integers(1, 400), st.integers(0, 99))
def test_the_share_of_a_mean_of_the_highest_is_found(size: int, count: int, seed: int) -> None:
    values = np.random.default_rng(seed).normal(size=(size, 1)).astype(np.float32)
    count = min(count, size)
    score = float(np.sort(values.ravel())[-count:].mean(dtype=np.float64))
    share = share_of(score, values)
    assert share is not None
    np.testing.assert_allclose(mean_of_highest(values.ravel(), share), score, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("score", [-1.0, 0.4, 4.1, 100.0])
def test_a_score_beyond_its_map_has_no_share(score: float) -> None:
    assert share_of(score, np.array([[1, 4], [3, 2]], np.float32)) is None
