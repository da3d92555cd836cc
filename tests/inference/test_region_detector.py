"""A region of interest counts in fit, score, threshold and map."""

from __future__ import annotations

import pickle
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import detectors
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.core.regions import RegionError
from pyimgano_industrial.inference import InferenceError, RegionDetector, Rois, infer
from pyimgano_industrial.tiling import TiledDetector
from pyimgano_industrial.tiling.scores import ScoreError

BOX = (2, 1, 6, 5)


def image(*spots: tuple[int, int, int]) -> np.ndarray:
    """A dark image (8, 10) with spots (row, column, value)."""
    pixels = np.full((8, 10, 3), 20, np.uint8)
    for row, column, value in spots:
        pixels[row, column] = value
    return pixels


INSIDE, OUTSIDE = image((2, 3, 120)), image((7, 9, 220))


class Light(detectors.Brightest):
    """Its map is the image's brightness."""

    level = 0

    def fit(self, images: list[Any], y: Any = None) -> Light:  # noqa: ARG002 - a detector's signature
        return self


def test_only_pixels_inside_make_the_score_and_the_map() -> None:
    inner, outer = infer(Light(), [INSIDE, OUTSIDE], roi=BOX, threshold=50, include_maps=True)
    assert (inner.score, inner.label) == (120, 1)
    assert (outer.score, outer.label) == (20, 0)
    assert inner.anomaly_map is not None
    assert outer.anomaly_map is not None
    assert inner.anomaly_map[2, 3] == 120
    assert outer.anomaly_map[7, 9] == 0
    assert (inner.anomaly_map > 0).sum() == 16


@pytest.mark.parametrize(("reduce", "score"), [("max", 120), ("mean", (120 + 15 * 20) / 16), ("quantile", 105)])
def test_the_score_is_reduced_as_asked(reduce: Any, score: float) -> None:
    (found,) = infer(Light(), [INSIDE], roi=BOX, threshold=50, roi_reduce=reduce)
    assert found.score == pytest.approx(score)
    assert found.anomaly_map is None


def test_an_unknown_reduction_is_an_error() -> None:
    with pytest.raises(ScoreError, match="score_reduce must be one of max, mean, topk_mean, quantile; got 'sum'"):
        infer(Light(), [INSIDE], roi=BOX, roi_reduce="sum")  # type: ignore[arg-type]  # a wrong value on purpose


def test_the_threshold_of_whole_images_gives_no_labels() -> None:
    with pytest.warns(IndustrialWarning, match="no labels: threshold_ belongs to whole images, and roi= changes"):
        results = infer(Light(), [INSIDE], roi=BOX)
    assert results[0].label is None


def test_each_image_has_its_own_region(tmp_path: Path) -> None:
    for name, pixels in (("a", INSIDE), ("b", OUTSIDE)):
        assert cv2.imwrite(str(tmp_path / f"{name}.png"), pixels)
    corner = np.zeros((8, 10), bool)
    corner[6:, 8:] = True
    results = infer(Light(), [tmp_path / "a.png", tmp_path / "b.png"], roi={"a": corner, "b": corner}, threshold=50)
    assert [one.score for one in results] == [20, 220]


def test_each_category_has_its_own_region(tmp_path: Path) -> None:
    files = []
    for category in ("bolt", "nut"):
        for name, pixels in (("a", INSIDE), ("b", OUTSIDE)):
            files.append(tmp_path / category / "test" / f"{name}.png")
            files[-1].parent.mkdir(parents=True, exist_ok=True)
            assert cv2.imwrite(str(files[-1]), pixels)
    regions = {"bolt": BOX, "nut": [(8, 6), (9, 6), (9, 7), (8, 7)]}
    results = infer(Light(), files, roi=regions, threshold=50, include_maps=True)
    assert [one.score for one in results] == [120, 20, 20, 220]
    assert [one.label for one in results] == [1, 0, 0, 1]
    assert [int((one.anomaly_map > 0).sum()) for one in results] == [16, 16, 4, 4]
    detector = RegionDetector(Light(), roi=regions, contamination=0.25).fit(files)
    assert detector.decision_scores_.tolist() == [120, 20, 20, 220]
    assert detector.predict(files).tolist() == [0, 0, 0, 1]


def test_arrays_are_named_by_their_place() -> None:
    with pytest.raises(RegionError, match="image 1 has none under 'image 1' and none under"):
        infer(Light(), [INSIDE, OUTSIDE], roi={"image 0": BOX}, threshold=1)


def test_one_image_s_region_at_fault_is_reported_for_it_alone() -> None:
    results = infer(Light(), [INSIDE, OUTSIDE[:4, :5]], roi=BOX, threshold=50, on_error="report")
    assert [one.error is None for one in results] == [True, False]
    assert "the image is image 1" in str(results[1].error)


def test_fit_takes_the_threshold_from_inside() -> None:
    normal = [image((2, 3, 20 + index), (7, 9, 200)) for index in range(11)]
    detector = RegionDetector(Light(), roi=BOX, contamination=0.1).fit(normal)
    assert detector.decision_scores_.tolist() == [20 + index for index in range(11)]
    assert detector.threshold_ == pytest.approx(29)
    assert detector.predict([INSIDE, OUTSIDE]).tolist() == [1, 0]
    assert [one.label for one in infer(detector, [INSIDE, OUTSIDE])] == [1, 0]


def test_it_is_a_detector_like_any_other() -> None:
    detector = RegionDetector(Light(), roi=BOX)
    scores, maps = detector.score_and_map([INSIDE, OUTSIDE])
    assert scores.tolist() == detector.decision_function([INSIDE, OUTSIDE]).tolist() == [120, 20]
    stacked = detector.predict_anomaly_map([INSIDE, OUTSIDE])
    assert isinstance(stacked, np.ndarray)
    np.testing.assert_array_equal(stacked, np.stack(maps))
    assert isinstance(detector.predict_anomaly_map([INSIDE, INSIDE[:6]]), list)
    np.testing.assert_array_equal(detector.get_anomaly_map(INSIDE), maps[0])
    assert detector.level == 0  # the wrapped detector's own


def test_it_pickles() -> None:
    detector = RegionDetector(detectors.Brightest(), roi=BOX).fit([image()])
    again = pickle.loads(pickle.dumps(detector))
    assert again.decision_function([INSIDE]).tolist() == [100]
    assert again.threshold_ == detector.threshold_


def test_two_regions_are_an_error() -> None:
    with pytest.raises(InferenceError, match="a RegionDetector has its region; got a second one in roi="):
        infer(RegionDetector(Light(), roi=BOX), [INSIDE], roi=BOX)


def test_a_detector_without_maps_cannot_look_at_a_region() -> None:
    message = "a region of interest needs a detector with anomaly maps; a ScoresOnly has none: tile it"
    with pytest.raises(RegionError, match=message):
        RegionDetector(detectors.ScoresOnly(), roi=BOX)
    with pytest.raises(RegionError, match=message):
        infer(detectors.ScoresOnly(), [INSIDE], roi=BOX)


def test_maps_that_fail_leave_no_score_of_a_region() -> None:
    with (
        pytest.warns(IndustrialWarning, match="the hook is gone"),
        pytest.raises(RegionError, match="a region of interest needs a map; BrokenMaps gave none for image 0"),
    ):
        infer(detectors.BrokenMaps(), [INSIDE], roi=BOX)


def test_an_empty_region_is_an_error() -> None:
    with pytest.raises(RegionError, match="must hold a pixel; that of image 0 holds none"):
        infer(Light(), [INSIDE], roi=np.zeros((8, 10), bool), threshold=1)


def test_a_tiled_detector_looks_at_a_region_too() -> None:
    tiled = TiledDetector(detector=Light(), tile_size=4, stride=4)
    inner, outer = infer(tiled, [INSIDE, OUTSIDE], roi=BOX, threshold=50, include_maps=True)
    assert (inner.score, outer.score) == (120, 20)


def test_rois_pickle_unless_they_are_a_function() -> None:
    region = pickle.loads(pickle.dumps(Rois(BOX))).region("a", (8, 10))
    assert region.rows(0, 8).sum() == 16


def test_several_threads_may_share_one_detector_whose_images_have_regions_of_their_own() -> None:
    images = [image((row, 3, 100 + row)) for row in range(8)]
    regions = {f"image {row}": (0, row, 10, row + 1) for row in range(8)}
    detector = RegionDetector(Light(), roi=regions)
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            for results in pool.map(lambda _: infer(detector, images, batch_size=1, threshold=50), range(40)):
                assert [one.score for one in results] == [100 + row for row in range(8)]
    finally:
        sys.setswitchinterval(before)
