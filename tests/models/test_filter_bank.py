"""The filter bank as a detector: its promises, its modes, its threshold, its files."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.spatial import cKDTree

from pyimgano_industrial.core.errors import ImageError, IndustrialWarning
from pyimgano_industrial.models.filter_bank import FilterBank, FilterBankError
from pyimgano_industrial.models.filter_bank.descriptors import CHANNELS, describe, grid_shape
from pyimgano_industrial.models.filter_bank.memory import Whitening, coreset, nearest_distance
from pyimgano_industrial.models.filter_bank.place import Places, explained
from pyimgano_industrial.models.filter_bank.scores import Normal, tails
from pyimgano_industrial.models.filter_bank.usual import Usual
from pyimgano_industrial.testing import ModelContract
from pyimgano_industrial.tiling import TiledDetector

RNG = np.random.default_rng(0)
SCENE = cv2.resize(RNG.uniform(40, 210, (12, 16, 3)), (160, 120), interpolation=cv2.INTER_CUBIC)
SURFACE = cv2.GaussianBlur(RNG.normal(128, 150, (400, 400)), (0, 0), 1.5)


def aligned(count: int, *, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [np.clip(SCENE + rng.normal(0, 4, SCENE.shape), 0, 255).astype(np.uint8) for _ in range(count)]


def surface(count: int, *, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, 240, (count, 2)).tolist()
    crops = [SURFACE[y : y + 120, x : x + 160] + rng.normal(0, 4, (120, 160)) for y, x in corners]
    return [np.repeat(np.clip(crop, 0, 255).astype(np.uint8)[..., None], 3, axis=2) for crop in crops]


def dented(image: np.ndarray, *, y: int = 30, x: int = 110) -> np.ndarray:
    marred = image.copy()
    cv2.circle(marred, (x, y), 7, (250, 250, 250), -1)
    return marred


@pytest.fixture(scope="module")
def fitted() -> FilterBank:
    return FilterBank().fit(aligned(24, seed=1))


@pytest.mark.filterwarnings("ignore:6 scores of normal images:pyimgano_industrial.core.errors.IndustrialWarning")
class TestFast(ModelContract):
    def make_detector(self) -> FilterBank:
        return FilterBank()


# The rule that chooses the mode.


def test_parts_that_lie_alike_are_compared_place_by_place(fitted: FilterBank) -> None:
    assert fitted.mode_ == "aligned"
    assert fitted.explained_ > 0.75


def test_a_surface_without_places_is_compared_as_texture() -> None:
    detector = FilterBank().fit(surface(24, seed=1))
    assert detector.mode_ == "texture"
    assert detector.explained_ < 0.2


def test_the_explained_share_is_that_of_an_analysis_of_variance() -> None:
    rng = np.random.default_rng(3)
    place = rng.normal(0, 2, (1200, 1))
    assert explained([place + rng.normal(0, 1, place.shape) for _ in range(50)]) == pytest.approx(4 / 5, abs=0.03)
    assert explained([rng.normal(0, 1, place.shape) for _ in range(5)]) == pytest.approx(0, abs=0.05)


def test_only_the_aligned_mode_sees_a_normal_patch_in_the_wrong_place() -> None:
    swapped = aligned(1, seed=9)[0]
    swapped[20:60, 20:60], swapped[70:110, 100:140] = swapped[70:110, 100:140].copy(), swapped[20:60, 20:60].copy()
    excess = {}
    for mode in ("aligned", "texture"):
        detector = FilterBank(mode=mode).fit(aligned(24, seed=1))
        excess[mode] = detector.get_anomaly_map(swapped)[30:50, 30:50].mean()
    assert excess["aligned"] > 1.5 * excess["texture"]


# Scores, maps and the threshold.


def test_a_dent_is_found_where_it_is(fitted: FilterBank) -> None:
    good, bad = aligned(8, seed=2), [dented(image) for image in aligned(8, seed=3)]
    assert not fitted.predict(good).all()
    assert fitted.predict(bad).all()
    y, x = np.unravel_index(fitted.get_anomaly_map(bad[0]).argmax(), (120, 160))
    assert abs(y - 30) <= 8
    assert abs(x - 110) <= 8


@pytest.mark.parametrize("normal", [aligned, surface])
def test_normal_scores_are_out_of_fold_and_so_like_those_of_new_images(normal: Callable[..., list[np.ndarray]]) -> None:
    images, new = normal(40, seed=1), normal(40, seed=4)
    detector = FilterBank().fit(images)
    spread = float(detector.decision_scores_.std())
    scores = detector.decision_function(new)
    assert scores.mean() == pytest.approx(detector.decision_scores_.mean(), abs=0.7 * spread)
    assert detector.decision_function(images).mean() < scores.mean() - 0.4 * spread  # these it knows by heart
    assert (scores > detector.threshold_).mean() <= 0.1


def test_too_few_images_for_the_promise_are_a_warning() -> None:
    with pytest.warns(IndustrialWarning, match=r"5 scores of normal images cannot promise to flag at most 10\.0%"):
        FilterBank().fit(aligned(5, seed=1))


def test_images_of_other_sizes_and_kinds_are_scored(fitted: FilterBank, tmp_path: Path) -> None:
    image = aligned(1, seed=5)[0]
    half, deep = cv2.resize(image, (80, 60), interpolation=cv2.INTER_AREA), image.astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / "a.png"), image[..., ::-1])
    scores, maps = fitted.score_and_map([image, half, deep, tmp_path / "a.png"])
    assert [one.shape for one in maps] == [(120, 160), (60, 80), (120, 160), (120, 160)]
    np.testing.assert_allclose(scores[[2, 3]], scores[0], rtol=1e-5)
    assert isinstance(fitted.predict_anomaly_map([image, half]), list)
    assert fitted.predict_anomaly_map([image, image]).shape == (2, 120, 160)


@pytest.mark.filterwarnings("ignore:12 scores of normal images:pyimgano_industrial.core.errors.IndustrialWarning")
def test_images_of_several_sizes_are_fitted() -> None:
    images = aligned(12, seed=1)
    mixed = [cv2.resize(one, (240, 180)) if number % 2 else one for number, one in enumerate(images)]
    detector = FilterBank().fit(mixed)
    assert detector.mode_ == "aligned"
    good, bad = detector.decision_function([(image := aligned(1, seed=2)[0]), dented(image)])
    assert good < detector.threshold_ < bad


def test_a_grey_image_scores_as_its_copy_in_colour(fitted: FilterBank) -> None:
    grey = cv2.cvtColor(aligned(1, seed=5)[0], cv2.COLOR_RGB2GRAY)
    colour = np.repeat(grey[..., None], 3, axis=2)
    scores = fitted.decision_function([grey, grey[..., None], colour, colour / np.float32(255)])
    np.testing.assert_allclose(scores, scores[0], rtol=1e-5)


def test_samples_that_are_no_image_are_refused(fitted: FilterBank) -> None:
    blind = np.full((120, 160, 3), 0.5)
    blind[3, 3] = np.nan
    with pytest.raises(ImageError, match=r"float samples must be finite and in 0\.\.1"):
        fitted.decision_function([blind])
    with pytest.raises(ImageError, match="samples must be uint8, uint16 or float; image has int64"):
        fitted.decision_function([np.zeros((120, 160, 3), np.int64)])


def test_a_quiet_place_has_a_smaller_unit_than_one_where_good_parts_differ() -> None:
    rng = np.random.default_rng(12)
    images = aligned(40, seed=1)
    for image in images[::4]:  # a quarter of them has something else in the left third
        image[:, :50] = np.clip(image[:, :50] + rng.normal(0, 60, (12, 5, 3)).repeat(10, 0).repeat(10, 1), 0, 255)
    (level,) = FilterBank(mode="aligned").fit(images)._levels
    assert level.usual.shape == level.normal.mean.shape[:2]
    assert level.usual[:, :16].mean() > 1.2 * level.usual[:, 32:].mean()


def test_units_make_a_usual_patch_one_and_count_the_cells_inside() -> None:
    near, far = (np.full((9, 9), value, np.float32) for value in (1, 3))
    inside = np.ones((9, 9), bool)
    usual = Usual.of(near, inside, shape=(9, 9)) + Usual.of(far, inside, shape=(9, 9))
    assert usual.units(of_places=False).tolist() == [[2]]
    assert usual.without(Usual.of(far, inside, shape=(9, 9))).units(of_places=False).tolist() == [[1]]
    np.testing.assert_allclose(usual.units(of_places=True), 2, rtol=1e-5)
    inside[:, 4:] = False
    strange = [np.where(inside, one, np.float32(100) * one) for one in (near, far)]
    usual = Usual.of(strange[0], inside, shape=(9, 9)) + Usual.of(strange[1], inside, shape=(9, 9))
    np.testing.assert_allclose(usual.units(of_places=True)[:, :3], 2, rtol=1e-5)


def test_units_of_places_go_with_the_spread_there() -> None:
    rng = np.random.default_rng(13)
    spread = np.where(np.arange(40) < 20, 0.1, 0.4)[None].repeat(30, 0)
    inside = np.ones((30, 40), bool)
    seen = [(2 + rng.normal(0, 1, spread.shape) * spread).astype(np.float32) for _ in range(200)]
    each = [Usual.of(one, inside, shape=(30, 40)) for one in seen]
    units = sum(each[1:], each[0]).units(of_places=True)
    assert np.mean([one / units for one in seen]) == pytest.approx(1, abs=0.01)
    assert units[:, 22:].mean() / units[:, :18].mean() == pytest.approx(0.4 / 0.1, rel=0.35)  # part is that of all


def test_what_lies_outside_the_region_does_not_count() -> None:
    images = aligned(24, seed=1)
    detector = FilterBank(roi=(0, 0, 80, 120)).fit(images)
    good = aligned(1, seed=6)[0]
    outside, within = dented(good, x=130), dented(good, x=40)
    plain, same, higher = detector.decision_function([good, outside, within])
    assert same == pytest.approx(plain)
    assert higher > detector.threshold_ > plain
    assert not detector.get_anomaly_map(outside)[:, 80:].any()


def test_only_the_pixels_that_are_given_count(fitted: FilterBank) -> None:
    good = aligned(1, seed=6)[0]
    inside = np.zeros(good.shape[:2], bool)
    inside[:, :90] = True
    images = [good, dented(good, x=140), dented(good, x=40)]
    (plain, same, higher), maps = fitted.score_and_map(images, inside=[inside] * 3)
    assert same == pytest.approx(plain)
    assert higher > plain
    assert not any(one[:, 90:].any() for one in maps)
    (whole,), _ = fitted.score_and_map(images[1:2], inside=[None])
    assert whole == fitted.decision_function(images[1:2])[0]
    with pytest.raises(ValueError, match="shorter"):
        fitted.score_and_map(images, inside=[inside])


def test_a_seed_gives_one_detector_and_another_seed_another() -> None:
    images, probe = surface(24, seed=1), surface(3, seed=2)
    first, again, other = (FilterBank(seed=seed).fit(images).decision_function(probe) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.filterwarnings("ignore:4 scores of normal images:pyimgano_industrial.core.errors.IndustrialWarning")
def test_the_accurate_configuration_averages_three_levels() -> None:
    detector = FilterBank(configuration="accurate", mode="texture").fit(aligned(4, seed=1))
    assert [level.side for level in detector._levels] == [128, 256, 512]
    good, bad = detector.decision_function([(image := aligned(1, seed=2)[0]), dented(image)])
    assert bad > detector.threshold_
    assert bad > good
    assert detector.get_anomaly_map(dented(image))[20:40, 100:120].max() > 1.5


@pytest.mark.filterwarnings("ignore:4 scores of normal images:pyimgano_industrial.core.errors.IndustrialWarning")
def test_aligned_images_are_worked_at_their_own_size_within_limits() -> None:
    sizes = [(8, 8), (300, 400), (600, 800)]
    fits = [FilterBank(mode="aligned").fit([cv2.resize(one, size) for one in aligned(4, seed=1)]) for size in sizes]
    assert [fit._levels[0].side for fit in fits] == [256, 346, 512]


def test_a_place_keeps_no_more_examples_than_configured() -> None:
    detector = FilterBank(mode="aligned").fit([image[::4, ::4] for image in aligned(104, seed=1)])
    assert detector._levels[0].normal.examples.shape[3] == 100
    assert len(detector.decision_scores_) == 104


# In tiles.


@pytest.mark.filterwarnings("ignore:.* scores of normal images:pyimgano_industrial.core.errors.IndustrialWarning")
@pytest.mark.parametrize("fit_mode", ["tiles", "position"])
def test_a_tiled_filter_bank_finds_a_dent_and_knows_its_region(fit_mode: str) -> None:
    options = {"tile_size": 64, "stride": 48, "map_reduce": "hann", "fit_mode": fit_mode, "calibration": "holdout"}
    tiled = TiledDetector(detector=FilterBank(), roi=(0, 0, 96, 120), contamination=0.2, **options)
    tiled.fit(aligned(30, seed=1))
    good = aligned(1, seed=6)[0]
    outside, within = dented(good, x=140), dented(good, x=40)
    plain, same, higher = tiled.decision_function([good, outside, within])
    assert same == pytest.approx(plain)
    assert higher > tiled.threshold_ > plain
    found = tiled.get_anomaly_map(within)
    assert not found[:, 96:].any()
    y, x = np.unravel_index(found.argmax(), found.shape)
    assert abs(y - 30) <= 8
    assert abs(x - 40) <= 8


@pytest.mark.filterwarnings("error")
@pytest.mark.filterwarnings("ignore:.* scores of normal images:pyimgano_industrial.core.errors.IndustrialWarning")
def test_padding_has_no_cells_that_count() -> None:
    images = [image[:, :100] for image in aligned(31, seed=1)]
    padding = {"pad_mode": "constant", "pad_value": 255, "calibration": "none"}
    tiled = TiledDetector(detector=FilterBank(mode="texture"), tile_size=128, **padding)
    scores = tiled.fit(images[:30]).decision_function([images[30], dented(images[30], x=40)])
    assert scores[1] > 2 * abs(scores[0])  # 255 beside the image would drown the dent


# Its parts, against slow references.


def test_the_nearest_distance_is_that_of_a_tree() -> None:
    rng = np.random.default_rng(7)
    queries, bank = (rng.normal(0, 1, (count, 24)).astype(np.float32) for count in (1500, 300))
    np.testing.assert_allclose(nearest_distance(queries, bank), cKDTree(bank).query(queries)[0], rtol=1e-3)


def test_a_coreset_is_the_greedy_choice_of_the_farthest() -> None:
    patches = np.random.default_rng(8).normal(0, 1, (200, 3)).astype(np.float32)
    chosen = coreset(patches, 12, seed=0).tolist()
    for number in range(1, 12):
        apart = cKDTree(patches[chosen[:number]]).query(patches)[0]
        assert apart[chosen[number]] == pytest.approx(apart.max(), rel=1e-3)
    assert len(set(chosen)) == 12


def test_a_coreset_is_continued_from_what_was_begun() -> None:
    patches = np.random.default_rng(8).normal(0, 1, (200, 3)).astype(np.float32)
    whole = coreset(patches, 12, seed=0)
    assert coreset(patches, 12, seed=5, begun=whole[:7]).tolist() == whole.tolist()
    assert coreset(patches[:10], 12, seed=0, begun=np.array([3])).tolist() == list(range(10))


def test_whitened_patches_have_unit_variance_in_every_direction() -> None:
    rng = np.random.default_rng(9)
    mixed = (rng.normal(0, 1, (5000, 6)) @ rng.normal(0, 1, (6, 6)) * [1, 10, 100, 1, 1, 1]).astype(np.float32)
    whitened = Whitening.of(mixed, dimensions=3)(mixed)
    np.testing.assert_allclose(np.cov(whitened.T), np.eye(3), atol=0.1)


def test_a_place_is_measured_by_its_own_spread() -> None:
    rng = np.random.default_rng(10)
    spread = np.where(np.arange(40) < 20, 1.0, 10.0)[None, :, None]
    places = Places.of([(rng.normal(0, 1, (30, 40, 4)) * spread).astype(np.float32) for _ in range(60)])
    deviation = places.deviation(np.full((30, 40, 4), 40, np.float32))
    assert deviation[:, :18].mean() > 2 * deviation[:, 22:].mean()


def test_the_deviation_is_that_from_the_nearest_good_patch_of_the_place() -> None:
    rng = np.random.default_rng(11)
    grids = [rng.normal(0, 1, (9, 10, 5)).astype(np.float32) for _ in range(7)]
    places, probe = Places.of(grids), rng.normal(0, 1, (9, 10, 5)).astype(np.float32)
    apart = np.stack([((probe - grid) / places.spread) ** 2 for grid in grids]).mean(axis=3)
    np.testing.assert_allclose(places.deviation(probe), np.sqrt(apart.min(axis=0)), rtol=2e-3, atol=2e-3)
    some = replace(places, used=np.arange(7) < 3)
    np.testing.assert_allclose(some.deviation(probe), np.sqrt(apart[:3].min(axis=0)), rtol=2e-3, atol=2e-3)


def test_a_kind_of_good_part_that_was_seen_is_good() -> None:
    oiled = [dented(image) if number % 4 == 0 else image for number, image in enumerate(aligned(32, seed=1))]
    detector = FilterBank(mode="aligned").fit(oiled)
    plain, seen, elsewhere = detector.decision_function(
        [(image := aligned(1, seed=2)[0]), dented(image), dented(image, y=90, x=40)]
    )
    assert seen < detector.threshold_ < elsewhere
    assert plain < detector.threshold_


def test_tails_are_means_of_the_largest_cells() -> None:
    assert tails(np.arange(1000, dtype=np.float32)).tolist() == [999, 994.5, 949.5, 499.5]
    normal, scores = Normal.of(np.array([[1.0, 1, 1, 1], [3, 3, 3, 3]]))
    np.testing.assert_allclose(scores, [-(0.5**0.5), 0.5**0.5], rtol=1e-6)
    assert normal.score(np.full(4, 2.0)) == 0


def test_descriptors_keep_the_aspect_ratio() -> None:
    assert grid_shape(500, 2000, side=256) == (32, 128)
    assert describe(np.zeros((50, 200, 3), np.uint8), side=64).shape == (8, 32, CHANNELS)


def test_an_edge_is_in_the_channel_of_its_orientation() -> None:
    upright = np.zeros((128, 128, 3), np.uint8)
    upright[:, 64:] = 255
    edges = describe(upright, side=128)[16, 16, 6:14]
    assert edges.argmax() == 0
    assert describe(np.ascontiguousarray(upright.transpose(1, 0, 2)), side=128)[16, 16, 6:14].argmax() == 4


# Files and errors.


def test_a_saved_detector_scores_as_before_without_pickle(fitted: FilterBank, tmp_path: Path) -> None:
    fitted.save(tmp_path / "line")
    assert {path.name for path in tmp_path.iterdir()} == {"line.npz", "line.json"}
    loaded, probe = FilterBank.load(tmp_path / "line.npz"), [dented(aligned(1, seed=2)[0])]
    np.testing.assert_array_equal(loaded.decision_function(probe), fitted.decision_function(probe))
    np.testing.assert_array_equal(loaded.predict_anomaly_map(probe), fitted.predict_anomaly_map(probe))
    assert (loaded.threshold_, loaded.mode_) == (fitted.threshold_, fitted.mode_)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.decision_function(probe), fitted.decision_function(probe))


def test_a_region_is_saved_too(tmp_path: Path) -> None:
    detector = FilterBank(roi=(0, 0, 80, 120)).fit(aligned(24, seed=1))
    detector.save(tmp_path / "line")
    assert not FilterBank.load(tmp_path / "line").get_anomaly_map(aligned(1, seed=2)[0])[:, 80:].any()


def test_files_that_save_did_not_write_are_refused(fitted: FilterBank, tmp_path: Path) -> None:
    with pytest.raises(FilterBankError, match=r"two files of one name, none\.npz and none\.json.*FileNotFoundError"):
        FilterBank.load(tmp_path / "none")
    fitted.save(tmp_path / "line")
    told = json.loads((tmp_path / "line.json").read_text(encoding="utf-8"))
    (tmp_path / "line.json").write_text(json.dumps({**told, "format": "another"}), encoding="utf-8")
    with pytest.raises(FilterBankError, match=r"the format of .* must be 'pyimgano-industrial filter bank 2'"):
        FilterBank.load(tmp_path / "line")
    (tmp_path / "line.json").write_text(json.dumps(told), encoding="utf-8")
    with (tmp_path / "line.npz").open("wb") as file:
        np.savez(file, scores=np.array([{}], object))
    with pytest.raises(FilterBankError, match="cannot read them in"):
        FilterBank.load(tmp_path / "line")


def test_wrong_use_is_an_error_that_says_what_is_right(tmp_path: Path) -> None:
    with pytest.raises(FilterBankError, match="configuration must be one of fast, accurate; got 'best'"):
        FilterBank(configuration="best")
    with pytest.raises(FilterBankError, match="mode must be one of auto, aligned, texture; got 'place'"):
        FilterBank(mode="place")
    with pytest.raises(FilterBankError, match=r"contamination must be in \[0, 1\)"):
        FilterBank(contamination=1.0)
    with pytest.raises(FilterBankError, match="folds must be at least 2; got 1"):
        FilterBank(folds=1)
    with pytest.raises(FilterBankError, match="at least 2 normal images"):
        FilterBank().fit(aligned(1, seed=0))
    with pytest.raises(FilterBankError, match="at least 2 normal images, to score each without itself; got 0"):
        FilterBank().fit([])
    with pytest.raises(FilterBankError, match="must be fitted before it scores"):
        FilterBank().decision_function(aligned(1, seed=0))
    with pytest.raises(FilterBankError, match="must be fitted before it is saved"):
        FilterBank().save(tmp_path / "x")
    with pytest.raises(FilterBankError, match=r"at least 8 pixels a side; got \(4, 9, 3\)"):
        FilterBank().fit([np.zeros((4, 9, 3), np.uint8)] * 2)
    with pytest.raises(FilterBankError, match="must hold a pixel"):
        FilterBank(roi=np.zeros((120, 160), bool)).fit(aligned(2, seed=0))
