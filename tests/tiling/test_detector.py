"""TiledDetector: one pass, bounded memory, no seams, fitted on what it scores."""

from __future__ import annotations

import copy
import pickle
import threading
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pyimgano_industrial.core.calls import DetectorOutputError
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.tiling import TiledDetector
from pyimgano_industrial.tiling.detector import TilingError
from pyimgano_industrial.tiling.source import open_source

RNG = np.random.default_rng(0)


def picture(height: int = 70, width: int = 90) -> np.ndarray:
    return RNG.integers(0, 200, (height, width, 3), np.uint8)


class Red:
    """The map is the red channel, the score its maximum; remembers what it was given."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.fitted_on: list[tuple[int, ...]] = []

    def fit(self, images: list[np.ndarray]) -> Red:
        self.fitted_on = [image.shape for image in images]
        self.level = float(np.mean([image.mean() for image in images]))
        return self

    def score_and_map(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        self.batches.append(len(images))
        maps = np.stack([image[..., 0].astype(np.float32) for image in images])
        return maps.max(axis=(1, 2)), maps

    def decision_function(self, images: list[np.ndarray]) -> np.ndarray:
        return self.score_and_map(images)[0]


def tiled(detector: Any = None, **options: Any) -> TiledDetector:
    return TiledDetector(detector=detector or Red(), **{"tile_size": 32, "stride": 20, "contamination": 0.9, **options})


@pytest.mark.parametrize("blend", ["max", "mean", "hann", "gaussian"])
@pytest.mark.parametrize("size", [(70, 90), (32, 32), (10, 90), (7, 9), (33, 31)])
def test_a_map_that_depends_on_no_neighbour_is_reproduced(blend: str, size: tuple[int, int]) -> None:
    image = picture(*size)
    (score,), (anomaly_map,) = tiled(map_reduce=blend).score_and_map([image])
    np.testing.assert_allclose(anomaly_map, image[..., 0], atol=1e-4)
    assert anomaly_map.dtype == np.float32
    assert score == image[..., 0].max()


def test_a_tile_passes_once_and_no_more_than_a_batch_is_alive() -> None:
    detector = Red()
    tiled(detector, batch_size=3).score_and_map([picture()])
    assert sum(detector.batches) == 3 * 4  # rows 0, 20, 38 and columns 0, 20, 40, 58
    assert max(detector.batches) == 3


class Files:
    """Reads files only, as many classical models do."""

    def __init__(self) -> None:
        self.seen: list[Path] = []

    def decision_function(self, paths: list[str]) -> list[float]:
        self.seen += [Path(path) for path in paths]
        return [one.max() for one in self.predict_anomaly_map(paths)]

    def predict_anomaly_map(self, paths: list[str]) -> list[np.ndarray]:
        return [np.asarray(Image.open(path))[..., 0] for path in paths]


def test_a_detector_that_reads_files_gets_lossless_tiles_and_none_is_left() -> None:
    image, detector = picture(), Files()
    (score,), (anomaly_map,) = tiled(detector, map_reduce="hann").score_and_map([image])
    assert score == image[..., 0].max()
    np.testing.assert_allclose(anomaly_map, image[..., 0], atol=1e-4)
    assert len(detector.seen) >= 3 * 4
    assert not any(path.exists() for path in detector.seen)


def test_the_next_image_is_decoded_while_this_one_is_in_the_detector(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoding = threading.Event()

    def read(path: Path) -> np.ndarray:
        if path.name == "1.png":
            decoding.set()
        return read_rgb(path)

    class Waits(Red):
        def score_and_map(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            assert decoding.wait(60), "the second image was not touched while the first one was in the detector"
            return super().score_and_map(images)

    for index in range(2):
        Image.fromarray(picture()).save(tmp_path / f"{index}.png")
    monkeypatch.setattr("pyimgano_industrial.tiling.source.read_rgb", read)
    assert len(tiled(Waits()).decision_function([tmp_path / "0.png", tmp_path / "1.png"])) == 2


def test_padding_counts_neither_in_the_score_nor_in_the_map() -> None:
    image = np.full((10, 12, 3), 50, np.uint8)
    (score,), (anomaly_map,) = tiled(pad_mode="constant", pad_value=255).score_and_map([image])
    assert score == 50
    assert (anomaly_map == 50).all()


@pytest.mark.parametrize(("mode", "expected"), [("max", 40.0), ("mean", 25.0), ("topk_mean", 35.0), ("quantile", 25.0)])
def test_scores_are_reduced_from_tiles(mode: str, expected: float) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    for index, value in enumerate((10, 20, 30, 40)):
        image[32 * (index // 2) :, 32 * (index % 2) :][:32, :32, 0] = value
    options = {"stride": 32, "score_reduce": mode, "score_topk": 0.5, "score_quantile": 0.5}
    assert tiled(**options).decision_function([image])[0] == expected


@pytest.mark.parametrize(
    ("mode", "reference"),
    [
        ("max", np.max),
        ("mean", np.mean),
        ("topk_mean", lambda values: np.sort(values.ravel())[-int(np.ceil(values.size * 0.1)) :].mean()),
        ("quantile", lambda values: np.quantile(values, 0.99)),
    ],
)
def test_scores_are_reduced_from_the_map(mode: str, reference: Any) -> None:
    image = picture()
    detector = tiled(score_from="map", score_reduce=mode, map_reduce="hann")
    score = detector.decision_function([image])[0]
    np.testing.assert_allclose(score, reference(image[..., 0].astype(float)), rtol=1e-5)
    assert detector.score_and_map([image])[0][0] == score


def test_a_share_of_the_pixels_does_not_depend_on_the_resolution() -> None:
    small = np.zeros((64, 64, 3), np.uint8)
    small[:16, :16, 0] = 100
    large = small.repeat(4, axis=0).repeat(4, axis=1)
    scores = [
        tiled(tile_size=32, stride=32, score_from="map", score_reduce="topk_mean").decision_function([image])[0]
        for image in (small, large)
    ]
    np.testing.assert_allclose(*scores, rtol=1e-3)  # the share is rounded up to whole pixels


def test_the_detector_is_fitted_on_tiles() -> None:
    detector = Red()
    tiled(detector, calibration="holdout", holdout=0.5).fit([picture(), picture()])
    assert detector.fitted_on == [(32, 32, 3)] * 12


def test_a_cap_keeps_a_random_choice_that_the_seed_repeats() -> None:
    images = [picture() for _ in range(4)]
    levels = []
    for seed in (0, 0, 1):
        detector = Red()
        tiled(detector, max_fit_tiles=5, seed=seed).fit(images)
        assert detector.fitted_on == [(32, 32, 3)] * 5
        levels.append(detector.level)
    assert levels[0] == levels[1] != levels[2]


class Farthest(Red):
    """The score is the distance to the nearest level that it was fitted on: 0 for each of those."""

    def fit(self, images: list[np.ndarray]) -> Farthest:
        self.levels = np.array([image.mean() for image in images])
        return self

    def score_and_map(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        scores = np.array([np.abs(image.mean() - self.levels).min() for image in images])
        return scores, np.stack([np.full(image.shape[:2], score) for image, score in zip(images, scores, strict=True)])


def levels(*values: int) -> list[np.ndarray]:
    return [np.full((32, 32, 3), value, np.uint8) for value in values]


def test_each_image_is_scored_by_a_detector_that_was_fitted_on_others() -> None:
    detector = tiled(Farthest(), folds=3).fit(levels(10, 30, 60))  # three folds of one image
    assert detector.decision_scores_.tolist() == [20, 20, 30]
    assert (detector.scored_, detector.source_) == ((0, 1, 2), "out-of-fold")
    assert detector.decision_function(levels(10, 30, 60)).tolist() == [0, 0, 0]  # what is kept was fitted on all


def test_the_threshold_comes_from_tiled_scores_of_images_held_out() -> None:
    detector = tiled(Farthest(), calibration="holdout", holdout=0.4).fit(levels(*range(10, 110, 10)))
    assert len(detector.decision_scores_) == len(detector.scored_) == 4
    assert detector.source_ == "held-out"
    assert detector.decision_scores_.min() >= 10
    assert detector.threshold_ in detector.decision_scores_
    assert detector.predict(levels(250)).tolist() == [1]


def test_scores_of_the_images_fitted_on_are_never_used_without_a_word() -> None:
    with pytest.warns(IndustrialWarning, match="that the detector was fitted on, whose scores may be too low"):
        detector = tiled(Farthest(), calibration="fitted").fit(levels(10, 30))
    assert detector.decision_scores_.tolist() == [0, 0]
    assert detector.source_ == "train"


def test_without_calibration_there_is_no_threshold() -> None:
    inner = Farthest()
    inner.threshold_ = 3.0  # type: ignore[attr-defined]  # of tiles
    detector = tiled(inner, calibration="none").fit(levels(10, 30))
    with pytest.raises(AttributeError, match="threshold_ belongs to tiles"):
        _ = detector.threshold_
    assert not hasattr(detector, "decision_scores_")


def test_the_threshold_keeps_its_promise_in_nine_of_ten_cases() -> None:
    kept = []
    for seed in range(200):
        values = np.random.default_rng(seed).random(38, np.float32)  # a share 1 - t of such values exceeds t
        images = [np.full((8, 8, 3), value) for value in values]
        detector = tiled(tile_size=8, stride=8, contamination=0.2, seed=seed).fit(images)
        kept.append(1 - detector.threshold_ <= 0.2)
    assert 0.87 <= np.mean(kept) < 0.98


def test_the_share_that_may_be_flagged_is_the_detectors_own_unless_it_is_given() -> None:
    detector = Red()
    assert tiled(detector, contamination=None).contamination == 0.1
    detector.contamination = 0.2  # type: ignore[attr-defined]
    assert tiled(detector, contamination=None).contamination == 0.2
    assert tiled(detector, contamination=0.3).contamination == 0.3


def test_too_few_images_for_the_promise_are_said() -> None:
    told = (
        r"4 scores of normal images cannot promise to flag at most 10\.0% of such images; 22 can: "
        r"the threshold is their largest score, which promises 43\.8% \(90% confidence\)"
    )
    with pytest.warns(IndustrialWarning, match=told):
        detector = tiled(contamination=None).fit([picture() for _ in range(4)])
    assert detector.threshold_ == detector.decision_scores_.max()


def test_a_factory_makes_detectors_that_cannot_be_copied() -> None:
    class Stubborn(Position):
        def __deepcopy__(self, memo: object) -> None:
            raise TypeError("cannot pickle 'module' object")

    images = [picture() for _ in range(4)]
    with (
        pytest.raises(TilingError, match=r"a Stubborn cannot be copied .* pass factory="),
        pytest.warns(IndustrialWarning, match=r"the threshold rests on a share of 0\.2 of the images, kept back"),
    ):
        tiled(Stubborn(), fit_mode="position").fit(images)
    made = tiled(Stubborn(), factory=Stubborn, fit_mode="position").fit(images)
    assert len(made.decision_scores_) == 4


def test_without_copies_a_share_is_kept_back_for_the_threshold() -> None:
    class Stubborn(Red):
        def __deepcopy__(self, memo: object) -> None:
            raise TypeError("cannot pickle 'module' object")

    with pytest.warns(IndustrialWarning, match="a Stubborn cannot be copied"):
        detector = tiled(Stubborn()).fit([picture() for _ in range(5)])
    assert len(detector.decision_scores_) == 1


def test_a_detector_fitted_elsewhere_warns_that_its_threshold_belongs_to_whole_images() -> None:
    detector = Red()
    detector.threshold_ = 3.0  # type: ignore[attr-defined]
    with pytest.warns(IndustrialWarning, match="threshold_ belongs to whole images"):
        assert tiled(detector).threshold_ == 3.0


class Position:
    """Knows the mean colour of its place."""

    def fit(self, tiles: list[np.ndarray]) -> Position:
        self.mean = np.mean(tiles, axis=0)
        return self

    def decision_function(self, tiles: list[np.ndarray]) -> np.ndarray:
        return np.array([np.abs(tile - self.mean).max() for tile in tiles])

    def predict_anomaly_map(self, tiles: list[np.ndarray]) -> np.ndarray:
        return np.stack([np.abs(tile - self.mean).max(axis=2) for tile in tiles])


def test_one_detector_a_position_knows_what_belongs_there() -> None:
    scene = picture()
    swapped = scene.copy()
    swapped[:32, :32], swapped[38:, 58:] = scene[38:, 58:], scene[:32, :32]
    detector = tiled(Position(), fit_mode="position").fit([scene, scene.copy()])
    same, different = detector.decision_function([scene, swapped])
    assert same == 0
    assert different > 100
    assert detector.score_and_map([swapped])[1][0][:20, :20].mean() > 10


class Noisy(Position):
    """As sensitive everywhere, in a place where good images differ more."""

    def decision_function(self, tiles: list[np.ndarray]) -> np.ndarray:
        return np.array([np.abs(tile - self.mean).mean() for tile in tiles])


def test_a_noisy_place_does_not_drown_a_quiet_one() -> None:
    rng = np.random.default_rng(1)

    def noise() -> np.ndarray:
        image = np.full((32, 64, 3), 100.0)
        image[:, 32:] += rng.normal(0, 20, (1, 1, 3))  # the right tile varies as a whole
        return image + rng.normal(0, 0.1, image.shape)

    detector = tiled(Noisy(), tile_size=32, stride=32, fit_mode="position").fit([noise() for _ in range(30)])
    bad = noise()
    bad[4:12, 4:12] += 10  # far less than the right tile's usual changes
    assert detector.decision_function([bad])[0] > 2 * detector.decision_scores_.max()


def test_positions_at_two_scales_see_what_either_sees() -> None:
    images = [picture(64, 64) for _ in range(6)]
    detector = tiled(Position(), fit_mode="position", scales=(1.0, 0.5)).fit(images)
    (score,), (anomaly_map,) = detector.score_and_map(images[:1])
    assert anomaly_map.shape == (64, 64)
    assert np.isfinite(score)
    flat = images[0] // 2
    assert detector.decision_function([flat])[0] > score


def test_positions_need_images_of_one_size() -> None:
    with pytest.raises(TilingError, match="needs images of one size"):
        tiled(Position(), fit_mode="position").fit([*(picture() for _ in range(4)), picture(80, 90), picture(80, 90)])
    detector = tiled(Position(), fit_mode="position").fit([picture(), picture()])
    with pytest.raises(TilingError, match=r"fitted on images of \(70, 90\); image 0 has \(80, 90\)"):
        detector.decision_function([picture(80, 90)])


def test_whole_images_are_fitted_as_the_host_did() -> None:
    detector = Red()
    tiled(detector, fit_mode="whole").fit([picture(), picture()])
    assert detector.fitted_on == [(70, 90, 3)] * 2


@pytest.mark.parametrize(
    "roi",
    [
        (30, 10, 50, 30),
        [(30, 10), (49, 10), (49, 29), (30, 29)],
        np.pad(np.ones((20, 20), bool), ((10, 40), (30, 40))),
    ],
    ids=["box", "polygon", "mask"],
)
def test_only_what_lies_inside_the_region_counts(roi: Any) -> None:
    image = picture()
    image[:5] = 255
    inside = np.pad(np.ones((20, 20), bool), ((10, 40), (30, 40)))
    detector = Red()
    (score,), (anomaly_map,) = tiled(detector, roi=roi, score_from="map", map_reduce="hann").score_and_map([image])
    np.testing.assert_allclose(anomaly_map[inside], image[..., 0][inside], atol=1e-4)
    assert not anomaly_map[~inside].any()
    np.testing.assert_allclose(score, image[..., 0][inside].max(), rtol=1e-6)
    assert sum(detector.batches) == 2 * 3


@pytest.mark.parametrize("roi", [(30, 10, 50, 30), [(30, 10), (49, 10), (49, 29), (30, 29)]])
def test_a_score_from_tiles_counts_inside_the_region_only(roi: Any) -> None:
    image = picture()
    image[12, 35, 0] = 210
    image[40, 35, 0] = 250  # in a tile that the region touches, but outside
    assert tiled(roi=roi).decision_function([image])[0] == 210
    assert tiled(roi=roi).score_and_map([image])[0][0] == 210


def test_a_region_follows_the_scale() -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[40:, 40:] = 90
    image[:8, :8] = 200
    mask = np.zeros((64, 64), bool)
    mask[40:, 40:] = True
    for roi in ((40, 40, 64, 64), [(40, 40), (63, 40), (63, 63), (40, 63)], mask):
        (score,), (anomaly_map,) = tiled(roi=roi, scales=(0.5,), stride=32).score_and_map([image])
        assert score == 90
        assert anomaly_map[:30, :30].max() == 0
        assert anomaly_map[50:, 50:].min() == 90


def test_a_mask_of_another_size_and_a_box_outside_are_errors() -> None:
    with pytest.raises(ValueError, match=r"must have its image's size \(70, 90\); got \(5, 5\)"):
        tiled(roi=np.ones((5, 5))).decision_function([picture()])
    with pytest.raises(ValueError, match="0 <= x0 < x1 <= 90"):
        tiled(roi=(10, 10, 95, 20)).decision_function([picture()])


def test_flat_background_is_not_run_and_leaves_no_hole() -> None:
    image = np.full((64, 128, 3), 40, np.uint8)
    image[:, :40] = picture(64, 40)
    detector = Red()
    (score,), (anomaly_map,) = tiled(detector, skip_flat=2.0, map_reduce="mean").score_and_map([image])
    assert sum(detector.batches) < 3 * 6
    assert score == image[..., 0].max()
    np.testing.assert_allclose(anomaly_map[:, :40], image[:, :40, 0], atol=1e-4)


def test_scales_are_fused() -> None:
    image = np.full((64, 64, 3), 80, np.uint8)
    detector = Red()
    (score,), (anomaly_map,) = tiled(detector, scales=(1.0, 0.5)).score_and_map([image])
    assert score == 80
    np.testing.assert_allclose(anomaly_map, 80)
    assert anomaly_map.shape == (64, 64)
    assert sum(detector.batches) == 9 + 1


def test_an_error_of_the_detector_arrives_as_it_is_with_image_and_tile(tmp_path: Path) -> None:
    class Broken(Red):
        def score_and_map(self, images: list[np.ndarray]) -> Any:
            raise ZeroDivisionError(f"inside {len(images)}")

    path = tmp_path / "part_17.png"
    Image.fromarray(picture()).save(path)
    with pytest.raises(ZeroDivisionError, match="inside") as caught:
        tiled(Broken(), batch_size=1).score_and_map([path])
    told = "\n".join([f"{caught.value}", *getattr(caught.value, "__notes__", [])])
    assert "part_17.png, tile at rows 0:32, columns 0:32" in told


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_raise_and_name_the_tile(value: float) -> None:
    class Bad(Red):
        def score_and_map(self, images: list[np.ndarray]) -> Any:
            scores, maps = super().score_and_map(images)
            maps[-1, 3, 3] = value if len(self.batches) == 2 else 0
            return scores, maps

    with pytest.raises(
        DetectorOutputError, match=r"image 0 has NaN or infinity in the tile at rows 0:32, columns 20:52"
    ):
        tiled(Bad(), batch_size=1).score_and_map([picture()])


def test_images_of_any_kind_and_size_in_one_list(tmp_path: Path) -> None:
    image = picture()
    path = tmp_path / "a.png"
    Image.fromarray(image).save(path)
    detector = tiled()
    scores = detector.decision_function([image, path, f"{path}", picture(20, 200)])
    assert scores[0] == scores[1] == scores[2]
    maps = detector.predict_anomaly_map([image, picture(20, 200)])
    assert [one.shape for one in maps] == [(70, 90), (20, 200)]
    assert isinstance(detector.predict_anomaly_map([image, image]), np.ndarray)


def test_sixteen_bit_files_are_read_with_their_stated_range(tmp_path: Path) -> None:
    import cv2

    path = tmp_path / "dark.png"
    cv2.imwrite(str(path), np.full((40, 40), 255, np.uint16))
    assert tiled(u16_max=4095).decision_function([path])[0] == 15
    assert tiled(u16_max=65535).decision_function([path])[0] == 0


@pytest.mark.parametrize("options", [{}, {"roi": (15, 20, 170, 70)}, {"skip_flat": 1.0}, {"score_from": "map"}])
@pytest.mark.parametrize("blend", ["max", "hann"])
def test_a_file_too_wide_for_its_rows_is_worked_on_in_stripes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blend: str, options: dict[str, Any]
) -> None:
    image = picture(100, 200)
    image[30:80, 40:130] = 7  # flat
    np.save(tmp_path / "image.npy", image)
    red = Red()
    detector = tiled(red, map_reduce=blend, **options)
    (score,), (whole,) = detector.score_and_map([image])
    once = sum(red.batches)
    red.batches.clear()
    monkeypatch.setattr("pyimgano_industrial.tiling.cut.WINDOW", 32 * 60)
    assert len(detector._cutter.grid(open_source(tmp_path / "image.npy")).stripes) > 3
    assert detector.write_anomaly_map(tmp_path / "image.npy", tmp_path / "map.npy") == pytest.approx(score)
    assert sum(red.batches) == once
    np.testing.assert_allclose(np.load(tmp_path / "map.npy"), whole, atol=1e-4)
    np.testing.assert_allclose(detector.get_anomaly_map(tmp_path / "image.npy"), whole, atol=1e-4)
    assert detector.decision_function([tmp_path / "image.npy"])[0] == pytest.approx(score)


@pytest.mark.parametrize("suffix", [".npy", ".tif", ".zarr"])
def test_a_map_larger_than_memory_goes_to_a_file(tmp_path: Path, suffix: str) -> None:
    image, target = picture(200, 100), tmp_path / f"map{suffix}"
    np.save(tmp_path / "image.npy", image)
    score = tiled(map_reduce="hann").write_anomaly_map(tmp_path / "image.npy", target)
    np.testing.assert_allclose(open_source(target, windowed_above=0).read_rows(0, 200), image[..., 0], atol=1e-4)
    assert score == image[..., 0].max()


def test_a_failed_map_leaves_no_half_file(tmp_path: Path) -> None:
    class Broken(Red):
        def score_and_map(self, images: list[np.ndarray]) -> Any:
            raise RuntimeError(f"broken {len(images)}")

    with pytest.raises(RuntimeError, match="broken"):
        tiled(Broken()).write_anomaly_map(picture(), tmp_path / "map.npy")
    assert list(tmp_path.iterdir()) == []


def test_a_fitted_wrapper_pickles_and_copies() -> None:
    images = [picture() for _ in range(5)]
    detector = tiled(Position(), fit_mode="position").fit(images)
    for twin in (pickle.loads(pickle.dumps(detector)), copy.deepcopy(detector)):
        np.testing.assert_array_equal(twin.decision_function(images), detector.decision_function(images))
        assert twin.threshold_ == detector.threshold_


class Reused(Red):
    """Fills the same array again and again."""

    def score_and_map(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        scores, maps = super().score_and_map(images)
        if not hasattr(self, "buffer"):
            self.buffer = np.empty((8, 32, 32), np.float32)
        self.buffer[: len(maps)] = maps
        return scores, self.buffer[: len(maps)]


@pytest.mark.parametrize("kind", [Red, Reused])
def test_maps_are_merged_beside_the_detector_without_being_changed(kind: type[Red]) -> None:
    image = picture(200, 300)
    for _ in range(5):
        (anomaly_map,) = tiled(kind(), batch_size=4, map_reduce="hann").score_and_map([image])[1]
        np.testing.assert_allclose(anomaly_map, image[..., 0], atol=1e-4)


def test_pixels_of_no_more_than_a_batch_are_alive() -> None:
    import gc
    import weakref

    seen: list[weakref.ref[np.ndarray]] = []
    most = []

    class Counting(Red):
        def score_and_map(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            gc.collect()
            seen.extend(weakref.ref(image) for image in images)
            most.append(sum(one() is not None for one in seen))
            return super().score_and_map(images)

    tall = picture(20, 400)  # each tile is padded, so that its pixels are its own
    tiled(Counting(), batch_size=3, stride=10).score_and_map([tall])
    assert len(most) > 5
    assert max(most) == 3


def test_maps_are_let_go_before_the_next_batch_is_run() -> None:
    import weakref

    seen: list[weakref.ref[np.ndarray]] = []
    alive = []

    class Counting(Red):
        def score_and_map(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            alive.append(sum(one() is not None for one in seen))
            scores, maps = super().score_and_map(images)
            seen.append(weakref.ref(maps))
            return scores, maps

    tiled(Counting(), batch_size=6, map_reduce="hann").score_and_map([picture()])
    assert alive == [0, 0]


def test_that_maps_are_new_is_found_out_once() -> None:
    image = picture(200, 300)
    for kind, expected in ((Red, True), (Reused, False)):
        detector = tiled(kind(), batch_size=4, map_reduce="hann")
        found = []
        for one in (picture(32, 40), image, image):
            detector.score_and_map([one])
            found.append(detector._detectors.returns_new)
        assert found == [None, expected, expected]


def test_large_finite_values_are_no_error() -> None:
    class Bright(Red):
        def score_and_map(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            scores, maps = super().score_and_map(images)
            return scores, np.full_like(maps, 3e38)

    (anomaly_map,) = tiled(Bright()).score_and_map([picture()])[1]
    assert (anomaly_map == np.float32(3e38)).all()


def test_progress_reaches_the_number_of_tiles() -> None:
    seen: list[tuple[int, int]] = []
    tiled(progress=lambda done, total: seen.append((done, total)), batch_size=5).decision_function([picture()])
    assert seen == [(5, 12), (10, 12), (12, 12)]


def test_progress_counts_the_images_of_a_call() -> None:
    seen: list[tuple[int, int]] = []
    detector = tiled(progress=lambda done, total: seen.append((done, total)), batch_size=12)
    detector.decision_function([picture(), picture(32, 32), picture(32, 32)])
    assert seen == [(12, 36), (13, 14), (14, 14)]  # those to come are taken to be like the last


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stride": 33}, r"stride must be in 1\.\.32 \(the tile size\); got 33"),
        ({"map_reduce": "average"}, "map_reduce must be one of max, mean, hann, gaussian; got 'average'"),
        ({"score_reduce": "min"}, "score_reduce must be one of max, mean, topk_mean, quantile; got 'min'"),
        ({"score_topk": 0}, r"score_topk must be in \(0, 1\]"),
        ({"fit_mode": "all"}, "fit_mode must be one of tiles, position, whole; got 'all'"),
        ({"batch_size": 0}, "batch_size must be at least 1; got 0"),
        ({"scales": ()}, "scales must be positive factors"),
        ({"holdout": 1}, r"holdout must be in \(0, 1\)"),
        ({"folds": 1}, "folds must be at least 2; got 1"),
        ({"calibration": "train"}, "calibration must be one of folds, holdout, fitted, none; got 'train'"),
        ({"max_fit_tiles": 0}, "max_fit_tiles must be at least 1"),
    ],
)
def test_wrong_arguments_say_what_is_right(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        tiled(**options)


def test_no_image_to_fit_on_is_an_error() -> None:
    with pytest.raises(TilingError, match="at least one normal image"):
        tiled().fit([])


def test_no_warning_on_the_normal_way() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tiled().fit([picture() for _ in range(5)]).predict([picture()])


def test_what_was_fitted_is_taken_over_where_the_tiles_lie_alike() -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 200, (16, 24, 3), np.uint8) for _ in range(6)]
    options = {"tile_size": 8, "fit_mode": "position", "calibration": "fitted"}
    with pytest.warns(IndustrialWarning):
        fitted = TiledDetector(detector=Position(), **options).fit(images)
    assert fitted.more_than_its_detector
    other = TiledDetector(detector=Position(), **options | {"batch_size": 2})
    other.restore(fitted)
    np.testing.assert_array_equal(other.decision_function(images), fitted.decision_function(images))
    assert other.threshold_ == fitted.threshold_
    with pytest.raises(TilingError, match=r"^stride must be 8, as it was when the detector was fitted; got 4$"):
        TiledDetector(detector=Position(), **options | {"stride": 4}).restore(fitted)
    assert not TiledDetector(detector=Position(), tile_size=8).more_than_its_detector
