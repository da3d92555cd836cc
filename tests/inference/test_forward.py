"""Every kind of detector gives one score and one map at the size of its image, in one pass."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import detectors
from pyimgano_industrial.core.calls import DetectorOutputError
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.inference import infer

IMAGES = [np.random.default_rng(seed).integers(0, 256, (6, 8, 3), np.uint8) for seed in range(3)]
MEANS = [one.mean() for one in IMAGES]


class Tensor:
    """What numpy cannot read by itself: a tensor with a gradient, on a device."""

    def __init__(self, values: Any) -> None:
        self.values = np.asarray(values)

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: int) -> Tensor:
        return Tensor(self.values[index])

    def __array__(self, *_: Any, **__: Any) -> np.ndarray:
        raise TypeError("use detach() and cpu() first")

    def detach(self) -> Tensor:
        return self

    cpu = detach

    def numpy(self) -> np.ndarray:
        return self.values


def test_a_detector_that_reuses_its_memory_may_be_given_mixed_sizes() -> None:
    class Reuses(detectors.ScoresOnly):
        maps = np.zeros((2, 4, 5), np.float32)

        def predict_anomaly_map(self, images: list[np.ndarray]) -> np.ndarray:
            self.maps[...] = images[0].max()
            return self.maps[: len(images)]

    images = [np.full((4, 5, 3), 10, np.uint8), np.full((8, 10, 3), 20, np.uint8)]
    assert [one.score for one in infer(Reuses(), images, roi=lambda _: None, threshold=5)] == [10, 20]


@pytest.mark.parametrize(
    "kind", [detectors.ListOnly, detectors.BatchOnly, detectors.SingleOnly, detectors.PathOnly, detectors.OnePass]
)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_kind_of_detector_gives_scores_and_maps(kind: Any, count: int) -> None:
    results = infer(kind(), IMAGES[:count], include_maps=True)
    assert [one.score for one in results] == pytest.approx(MEANS[:count], rel=1e-6)
    for one, image in zip(results, IMAGES, strict=False):
        assert one.anomaly_map is not None
        assert one.anomaly_map.dtype == np.float32
        if kind is not detectors.OnePass:
            np.testing.assert_array_equal(one.anomaly_map, image[..., 0])


@pytest.mark.parametrize("kind", [detectors.ListOnly, detectors.BatchOnly, detectors.SingleOnly, detectors.PathOnly])
def test_images_of_mixed_sizes_come_back_in_order(kind: Any) -> None:
    images = [np.full((4 + index % 3, 9, 3), 10 * index, np.uint8) for index in range(7)]
    results = infer(kind(), images, include_maps=True)
    assert [one.score for one in results] == [10 * index for index in range(7)]
    assert [None if one.anomaly_map is None else one.anomaly_map.shape for one in results] == [
        image.shape[:2] for image in images
    ]


@pytest.mark.parametrize(
    "scores",
    [[1.0, 2.0], (1, 2), np.array([1, 2]), np.array([[1.0], [2.0]]), [[1.0], [2.0]], [np.array([1.0]), np.array([2.0])],
     Tensor([1.0, 2.0]), Tensor([[1.0], [2.0]]), [Tensor(1.0), Tensor(2.0)]],
)  # fmt: skip
def test_scores_in_every_form_are_floats(scores: Any) -> None:
    results = infer(detectors.Gives(scores), IMAGES[:2])
    assert [one.score for one in results] == [1.0, 2.0]
    assert all(type(one.score) is float for one in results)


MAPS = np.arange(2 * 6 * 8, dtype=np.float64).reshape(2, 6, 8)


@pytest.mark.parametrize(
    "maps",
    [MAPS, MAPS[:, None], MAPS[..., None], list(MAPS), [one[..., None] for one in MAPS], Tensor(MAPS),
     Tensor(MAPS[:, None]), [Tensor(one) for one in MAPS]],
)  # fmt: skip
def test_maps_in_every_form_are_of_two_axes(maps: Any) -> None:
    for one, expected in zip(infer(detectors.Gives(maps=maps), IMAGES[:2], include_maps=True), MAPS, strict=True):
        np.testing.assert_array_equal(one.anomaly_map, expected)


def test_a_map_comes_at_the_size_of_its_image() -> None:
    small = [np.array([[0.0, 1.0]]), np.full((12, 16), 7.0)]
    first, second = infer(detectors.Gives(maps=small), IMAGES[:2], include_maps=True)
    assert first.anomaly_map is not None
    assert second.anomaly_map is not None
    assert first.anomaly_map.shape == second.anomaly_map.shape == (6, 8)
    assert (first.anomaly_map[:, 0].max(), first.anomaly_map[:, -1].min()) == (0.0, 1.0)
    assert (second.anomaly_map == 7).all()


def test_a_detector_that_returns_both_is_called_once() -> None:
    detector = detectors.Gives(([1.0, 2.0], MAPS))
    results = infer(detector, IMAGES[:2], include_maps=True)
    assert [one.score for one in results] == [1.0, 2.0]
    np.testing.assert_array_equal(results[1].anomaly_map, MAPS[1])
    assert detector.calls == 1


def test_scores_and_maps_come_from_one_pass() -> None:
    detector = detectors.OnePass()
    infer(detector, IMAGES, include_maps=True, batch_size=1)
    assert detector.calls == 3


def test_without_maps_wanted_none_are_made() -> None:
    detector = detectors.BrokenMaps()
    assert all(one.anomaly_map is None for one in infer(detector, IMAGES))
    assert detector.calls == 0


def test_a_detector_without_maps_gives_none_and_no_warning() -> None:
    assert [one.anomaly_map for one in infer(detectors.ScoresOnly(), IMAGES, include_maps=True)] == [None] * 3


@pytest.mark.parametrize("error", [RuntimeError("the hook is gone"), MemoryError("the hook is gone")])
def test_a_broken_map_call_runs_once_and_warns_once_with_its_cause(error: Exception) -> None:
    detector = detectors.BrokenMaps(error)
    with pytest.warns(IndustrialWarning) as caught:
        results = infer(detector, IMAGES, include_maps=True, batch_size=1)
    (warning,) = caught
    assert str(warning.message) == (
        f"no anomaly maps: the map call of BrokenMaps failed with {type(error).__name__}: the hook is gone; "
        "the results carry scores only"
    )
    assert detector.calls == 1
    assert [one.score for one in results] == pytest.approx(MEANS)


def test_a_broken_one_pass_leaves_the_scores() -> None:
    class Half(detectors.ScoresOnly):
        def score_and_map(self, images: list[np.ndarray]) -> Any:
            raise RuntimeError(f"no map for {len(images)}")

    with pytest.warns(IndustrialWarning, match="no map for 3"):
        results = infer(Half(), IMAGES, include_maps=True)
    assert [one.score for one in results] == pytest.approx(MEANS)


def test_a_detector_with_maps_only_scores_by_their_maximum() -> None:
    class Maps:
        def get_anomaly_map(self, image: np.ndarray) -> np.ndarray:
            return detectors.red(image)

    assert [one.score for one in infer(Maps(), IMAGES)] == [one[..., 0].max() for one in IMAGES]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_score_or_map_that_is_no_number_is_an_error_that_names_the_image(value: float) -> None:
    with pytest.raises(DetectorOutputError, match="score must be finite; got NaN or infinity for image 0"):
        infer(detectors.Gives([value]), IMAGES[:1])
    with pytest.raises(DetectorOutputError, match="map must be finite; got NaN or infinity for image 1"):
        infer(detectors.Gives(maps=[MAPS[0], np.full((6, 8), value)]), IMAGES[:2], include_maps=True)


@given(st.lists(st.sampled_from([np.nan, np.inf, -np.inf, 3e38, -3e38, 1e-45]), max_size=3), st.integers(0, 2**32 - 1))
def test_wherever_a_map_is_no_number_it_is_noticed_and_large_values_are_no_error(spots: list[float], seed: int) -> None:
    rng = np.random.default_rng(seed)
    one = rng.normal(size=(rng.integers(len(spots) + 1, 60), rng.integers(1, 60))).astype(np.float32)
    one.ravel()[rng.permutation(one.size)[: len(spots)]] = spots
    detector = detectors.Gives(maps=[one[:, ::-1]])
    image = np.zeros((*one.shape, 3), np.uint8)
    if np.isfinite(one).all():
        assert np.array_equal(infer(detector, [image], include_maps=True)[0].anomaly_map, one[:, ::-1])
    else:
        with pytest.raises(DetectorOutputError, match="map must be finite"):
            infer(detector, [image], include_maps=True)


def test_scores_that_do_not_fit_the_images_are_an_error() -> None:
    with pytest.raises(DetectorOutputError, match=r"one score an image; got shape \(2,\) for 3 images"):
        infer(detectors.Gives([1.0, 2.0]), IMAGES)


def test_an_error_of_the_detector_notes_the_images() -> None:
    class Broken:
        def decision_function(self, images: Any) -> Any:
            raise RuntimeError(f"out of paper for {type(images).__name__}")

    with pytest.raises(RuntimeError, match="out of paper for list") as caught:
        infer(Broken(), IMAGES)
    notes = getattr(caught.value, "__notes__", ["raised by the detector for 3 images from image 0 to image 2"])
    assert notes == ["raised by the detector for 3 images from image 0 to image 2"]


def test_forms_are_found_once_for_all_runs() -> None:
    class Counting(detectors.SingleOnly):
        calls = 0

        def decision_function(self, image: np.ndarray) -> float:
            self.calls += 1
            return super().decision_function(image)

    detector = Counting()
    infer(detector, IMAGES)
    before = detector.calls
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        infer(detector, IMAGES)
    assert detector.calls == before + 3
