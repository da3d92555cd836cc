"""Pixel thresholds: bounded memory, maps of any sizes, regions, and promises that rest on images."""

from __future__ import annotations

import warnings
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.inference import Calibration, CalibrationError, Calibrator, PixelScores

WIDTH = 2**-11  # of a bin, relative

maps_of_any_size = st.lists(
    hnp.arrays(
        np.float32,
        hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
        elements=st.floats(-1e6, 1e6, width=32, allow_subnormal=False),
    ),
    min_size=1,
    max_size=12,
)


def collected(maps: Any, **options: Any) -> PixelScores:
    pixels = PixelScores(**options)
    for one in maps:
        pixels.add(one)
    return pixels


def fit(maps: Any, *, method: Any = "tolerance", target: float = 0.05, **options: Any) -> Calibration:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndustrialWarning)
        return Calibrator(method=method, target_fpr=target).fit_maps(maps, **options)


def mean_share(maps: Any, threshold: float) -> float:
    """The mean share of an image's pixels that reach a threshold, counted pixel by pixel."""
    return float(np.mean([np.mean(np.asarray(one, np.float64) >= threshold) for one in maps]))


@given(maps_of_any_size, st.floats(0.02, 0.9))
def test_the_quantile_is_the_lowest_threshold_that_few_enough_pixels_reach(maps: Any, target: float) -> None:
    found = fit(maps, method="quantile", target=target)
    assert mean_share(maps, found.threshold) <= target + 1e-9
    assert found.expected_fpr == pytest.approx(mean_share(maps, found.threshold), abs=1e-9)
    # A bin lower, more than that reach it; the largest pixel below the threshold lies in that bin.
    below = max((v for one in maps for v in one.ravel().tolist() if v < found.threshold), default=None)
    if below is not None:
        assert mean_share(maps, below) > target - 1e-9 or found.threshold - below <= 2 * WIDTH * abs(below) + 1e-30


@given(maps_of_any_size)
def test_a_threshold_that_no_pixel_may_reach_is_just_above_the_largest(maps: Any) -> None:
    found = fit(maps, target=0.001)
    largest = max(one.max().item() for one in maps)
    assert found.promise == "refused"
    assert largest < found.threshold <= largest + 2 * WIDTH * abs(largest) + 1e-30


@given(maps_of_any_size, st.integers(0, 5))
def test_the_largest_pixels_are_those_that_a_few_may_exceed(maps: Any, area: int) -> None:
    expected = [np.sort(one.ravel())[max(one.size - 1 - area, 0)] for one in maps]
    assert collected(maps, area=area).largest.tolist() == expected


def test_every_image_weighs_the_same_whatever_its_size() -> None:
    small, large = np.zeros((2, 2), np.float32), np.ones((100, 100), np.float32)
    assert collected([small, large]).share_above(0.5) == 0.5


def test_mean_sigma_and_median_mad_of_pixels() -> None:
    rng = np.random.default_rng(0)
    maps = [rng.normal(100, 0.5 + index / 10, (80, 90)).astype(np.float32) for index in range(8)]
    values = np.concatenate([one.ravel() for one in maps]).astype(np.float64)
    found = fit(maps, method="mean_sigma", target=0.01)
    assert found.threshold == pytest.approx(values.mean() + 2.326348 * values.std(), rel=1e-6)
    middle = np.median(values)
    sigma = 1.482602 * np.median(np.abs(values - middle))
    assert fit(maps, method="median_mad", target=0.01).threshold == pytest.approx(middle + 2.326348 * sigma, rel=1e-3)


def test_the_tail_of_pixels_goes_on_beyond_them() -> None:
    rng = np.random.default_rng(0)
    maps = rng.exponential(1, (10, 100, 100)).astype(np.float32)
    found = fit(maps, method="tail", target=1e-6)
    assert found.promise == "extrapolated"
    assert found.threshold == pytest.approx(-np.log(1e-6), rel=0.15)
    inside = fit(maps, method="tail", target=0.1)
    assert inside.threshold == pytest.approx(-np.log(0.1), rel=0.02)
    assert inside.promise == "estimated"


def test_equal_pixels_have_no_tail_and_no_spread() -> None:
    maps = np.ones((5, 4, 4), np.float32)
    for method in ("tail", "mean_sigma", "median_mad"):
        assert fit(maps, method=method, target=0.001).promise == "refused"


@pytest.mark.parametrize(("count", "promise"), [(44, "refused"), (45, "proven")])
def test_a_promise_needs_as_many_images_as_image_scores_do_however_many_pixels(count: int, promise: str) -> None:
    maps = np.random.default_rng(0).random((count, 50, 50), np.float32)
    found = fit(maps)
    assert (found.promise, found.images, found.level, found.per) == (promise, count, "pixel", "pixels")


def test_conformal_pixels_need_one_image_fewer_than_one_in_the_rate() -> None:
    maps = np.random.default_rng(0).random((19, 10, 10), np.float32)
    assert fit(maps, method="conformal").promise == "on average"
    assert fit(maps[:18], method="conformal").promise == "refused"


def draw(rng: np.random.Generator, count: int) -> np.ndarray:
    """Maps whose images differ far more than their pixels: one in ten is brighter as a whole."""
    level = rng.normal(2.0 * (rng.random((count, 1, 1)) < 0.1), 0.5, (count, 1, 1))
    return (level + rng.normal(0, 0.5, (count, 8, 8))).astype(np.float32)


def test_pixels_that_go_together_do_not_break_the_promise() -> None:
    rng = np.random.default_rng(4)
    truth = np.sort(draw(rng, 5_000).ravel())
    cuts = [fit(draw(rng, 60), target=0.1).threshold for _ in range(150)]
    rates = 1 - np.searchsorted(truth, cuts) / truth.size
    assert np.mean(rates <= 0.1) >= 0.9 - 3 * sqrt(0.09 / 150)


def test_images_with_flagged_pixels_are_counted_where_that_is_asked() -> None:
    rng = np.random.default_rng(5)
    maps = [rng.random((20 + index % 3, 30)).astype(np.float32) for index in range(60)]
    found = fit(maps, per="images")
    assert (found.promise, found.per, found.area) == ("proven", "images", 0)
    assert max(one.max() for one in maps) < found.threshold  # equal ones would be flagged, too
    assert "It promises at most 5 % of good images with any such pixel flagged" in str(found)
    some = fit(maps, per="images", area=3)
    assert max(np.sort(one.ravel())[-4] for one in maps) < some.threshold < found.threshold
    assert "good images with more than 3 such pixels" in str(some)
    assert fit(maps, per="images", method="tail", target=0.001).promise == "extrapolated"


def test_pixels_outside_the_region_do_not_count() -> None:
    maps = np.random.default_rng(6).random((50, 10, 12), np.float32)
    masks = np.zeros(maps.shape, bool)
    masks[:, 2:5, 3:9] = True
    spoilt = np.where(masks, maps, np.nan)
    assert fit(spoilt, masks=masks) == fit(maps[:, 2:5, 3:9])
    assert fit(maps, masks=[None] * 50) == fit(maps)


def test_memory_does_not_grow_with_the_pixels() -> None:
    pixels = PixelScores()
    before = pixels._weights.nbytes
    for seed in range(3):
        pixels.add(np.random.default_rng(seed).random((500, 500), np.float32))
    assert pixels._weights.nbytes == before == 8 * 2**20
    assert pixels.count == 3


def test_maps_come_one_at_a_time() -> None:
    alive: list[int] = []

    def stream() -> Any:
        for seed in range(50):
            alive.append(seed)
            yield np.random.default_rng(seed).random((8, 8), np.float32)

    assert fit(stream()).images == len(alive) == 50


def test_signs_and_zero_keep_their_order() -> None:
    maps = [np.array([[-2.0, -1.0, -0.0, 0.0, 1e-30, 1.0, 2.0]], np.float32)]
    shares = [collected(maps).share_above(value) for value in (-3, -2, -1, 0.0, 1e-30, 1, 2, 3)]
    assert shares == pytest.approx([1, 1, 6 / 7, 5 / 7, 3 / 7, 2 / 7, 1 / 7, 0])


@pytest.mark.parametrize(
    ("maps", "masks", "message"),
    [
        ([], None, "a pixel threshold needs at least one map of a normal image; got none"),
        ([np.zeros(4)], None, r"a map must be \(H, W\); map 0 has shape \(4,\)"),
        ([np.zeros((2, 2)), np.full((2, 2), np.nan)], None, "maps must be finite; map 1 holds NaN or infinity"),
        (
            [np.zeros((2, 2))],
            [np.zeros((3, 2), bool)],
            r"a mask must have its map's size \(2, 2\); mask 0 has \(3, 2\)",
        ),
        (
            [np.zeros((2, 2))],
            [np.zeros((2, 2), bool)],
            "at least one pixel inside its region of interest; map 0 has none",
        ),
    ],
)
def test_maps_that_cannot_be_counted_are_refused(maps: Any, masks: Any, message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        Calibrator().fit_maps(maps, masks=masks)


def test_other_misuse_is_refused() -> None:
    with pytest.raises(CalibrationError, match="area must be 0 or more pixels; got -1"):
        PixelScores(area=-1)
    with pytest.raises(CalibrationError, match="per must be 'images' or 'pixels'; got 'tiles'"):
        Calibrator().fit_maps([np.zeros((2, 2))], per="tiles")  # type: ignore[arg-type]
    with pytest.raises(CalibrationError, match="'mean_sigma' needs at least 2 images; got 1"):
        Calibrator(method="mean_sigma").fit_maps([np.zeros((2, 2))], per="images")
    with pytest.raises(CalibrationError, match="images must name every score; got 1 names for 2 scores"):
        Calibrator().fit_maps(np.zeros((2, 2, 2)), images=["a"])
    with pytest.raises(ValueError, match="zip"):
        Calibrator().fit_maps(np.zeros((2, 2, 2)), masks=[None])


def test_maps_of_the_fitted_images_promise_nothing() -> None:
    with pytest.warns(IndustrialWarning, match="rests on the 50 images that the detector was fitted on"):
        found = Calibrator().fit_maps(np.random.default_rng(0).random((50, 4, 4), np.float32), source="train")
    assert found.promise == "refused"
