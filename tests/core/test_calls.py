"""What a detector accepts is found out once; what it returns is understood in every common form."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pyimgano_industrial.core.calls import Calls, DetectorOutputError, Found, as_maps, as_scores, calls_of

IMAGES = [np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)]


class Recorder:
    """Scores an image by its mean; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def score(self, image: np.ndarray) -> float:
        return image.mean().item()


class ListOnly(Recorder):
    def decision_function(self, images: list[np.ndarray]) -> list[float]:
        self.calls += 1
        assert isinstance(images, list)
        return [self.score(image) for image in images]


class StackOnly(Recorder):
    def decision_function(self, images: np.ndarray) -> np.ndarray:
        self.calls += 1
        if not isinstance(images, np.ndarray) or images.ndim != 4:
            raise TypeError("expected a batch (N, H, W, C)")
        return images.mean(axis=(1, 2, 3))[:, None]


class SingleOnly(Recorder):
    def decision_function(self, image: np.ndarray) -> float:
        self.calls += 1
        if not isinstance(image, np.ndarray) or image.ndim != 3:
            raise TypeError("expected one image")
        return self.score(image)


class PathsOnly(Recorder):
    def decision_function(self, paths: list[str]) -> np.ndarray:
        self.calls += 1
        images = [cv2.imread(path, cv2.IMREAD_UNCHANGED) for path in paths]
        return np.array([self.score(image) for image in images])


@pytest.mark.parametrize(("kind", "probes"), [(ListOnly, 1), (StackOnly, 2), (SingleOnly, 5), (PathsOnly, 4)])
def test_every_form_is_found_out_once_and_kept(kind: type[Any], probes: int) -> None:
    detector = kind()
    calls = Calls(detector)
    for _ in range(3):
        scores, maps = calls.scores_and_maps(IMAGES, want_scores=True, want_maps=False)
        assert scores is not None
        assert scores.tolist() == [10, 20, 30]
        assert maps is None
    each = 3 if kind is SingleOnly else 1
    assert detector.calls == probes + 2 * each


def test_files_for_a_detector_that_reads_paths_are_lossless_and_rgb() -> None:
    image = np.random.default_rng(0).integers(0, 2**16, (5, 7, 3), np.uint16)

    class Reader:
        def decision_function(self, paths: list[str]) -> list[float]:
            self.seen = cv2.cvtColor(cv2.imread(paths[0], cv2.IMREAD_UNCHANGED), cv2.COLOR_BGR2RGB)
            return [1.0]

    detector = Reader()
    Calls(detector).scores_and_maps([image], want_scores=True, want_maps=False)
    np.testing.assert_array_equal(detector.seen, image)


def test_the_first_error_reaches_the_user_when_no_form_works() -> None:
    class Broken:
        def decision_function(self, images: object) -> None:
            raise RuntimeError(f"out of paper for {type(images).__name__}")

    with pytest.raises(RuntimeError, match="out of paper for list"):
        Calls(Broken()).scores_and_maps(IMAGES, want_scores=True, want_maps=False)


def test_score_and_map_runs_the_detector_once() -> None:
    class Both:
        calls = 0

        def score_and_map(self, images: list[np.ndarray]) -> tuple[list[float], list[np.ndarray]]:
            self.calls += 1
            return [1.0] * len(images), [image[..., 0] for image in images]

    detector = Both()
    scores, maps = Calls(detector).scores_and_maps(IMAGES, want_scores=True, want_maps=True)
    assert scores is not None
    assert maps is not None
    assert detector.calls == 1
    assert [one.dtype for one in maps] == [np.float32] * 3


def test_two_scores_in_a_list_are_two_scores() -> None:
    class Two:
        def decision_function(self, images: list[np.ndarray]) -> list[float]:
            return [0.5, 1.5][: len(images)]

    scores, _ = Calls(Two()).scores_and_maps(IMAGES[:2], want_scores=True, want_maps=False)
    assert scores is not None
    assert scores.tolist() == [0.5, 1.5]


def test_a_detector_with_maps_only_scores_by_their_maximum() -> None:
    class Maps:
        def get_anomaly_map(self, image: np.ndarray) -> np.ndarray:
            return image[..., 0].astype(float)

    scores, maps = Calls(Maps()).scores_and_maps(IMAGES, want_scores=True, want_maps=True)
    assert scores is not None
    assert scores.tolist() == [10, 20, 30]
    assert maps is not None
    assert maps[2].max() == 30


@pytest.mark.parametrize("found", [[1, 2, 3], np.ones((3, 1)), (1.0, 2.0, 3.0)])
def test_scores_come_as_a_vector(found: object) -> None:
    assert as_scores(found, 3).shape == (3,)


def test_a_wrong_number_of_scores_is_an_error() -> None:
    with pytest.raises(DetectorOutputError, match=r"one score an image; got shape \(2,\) for 3 images"):
        as_scores([1, 2], 3)


@pytest.mark.parametrize("shape", [(3, 4, 6), (3, 1, 4, 6), (3, 4, 6, 1)])
def test_maps_come_in_every_common_shape(shape: tuple[int, ...]) -> None:
    assert [one.shape for one in as_maps(np.zeros(shape), 3)] == [(4, 6)] * 3


def test_maps_may_differ_in_size() -> None:
    assert [one.shape for one in as_maps([np.zeros((2, 3)), np.zeros((4, 5))], 2)] == [(2, 3), (4, 5)]


def test_a_single_map_without_a_batch_axis_is_understood() -> None:
    assert [one.shape for one in as_maps(np.zeros((4, 6)), 1)] == [(4, 6)]


def test_a_map_of_one_row_keeps_its_shape() -> None:
    assert [one.shape for one in as_maps(np.zeros((2, 1, 1, 6)), 2)] == [(1, 6)] * 2


def test_a_map_that_is_no_image_is_an_error() -> None:
    with pytest.raises(DetectorOutputError, match="one map"):
        as_maps(np.zeros((3, 4)), 3)


def test_what_was_found_out_is_kept_with_the_detector() -> None:
    detector = SingleOnly()
    calls_of(detector).scores(IMAGES)
    before = detector.calls
    calls_of(detector).scores(IMAGES)
    assert detector.calls == before + len(IMAGES)


def test_what_was_found_out_pickles() -> None:
    found = Found()
    Calls(SingleOnly(), found).scores(IMAGES)
    assert pickle.loads(pickle.dumps(found)).forms == {"decision_function": "single"}


def test_a_form_found_on_one_image_is_checked_on_several() -> None:
    """One image in a list and one image are told apart by the second batch only."""

    class FirstOnly(Recorder):
        def decision_function(self, images: Any) -> list[float]:
            return [self.score(images[0])] if isinstance(images, list) else [self.score(images)]

    calls = Calls(FirstOnly())
    assert calls.scores(IMAGES[:1])[0].tolist() == [10]
    assert calls.scores(IMAGES)[0].tolist() == [10, 20, 30]


@pytest.mark.parametrize(("error", "count"), [(RuntimeError, 1), (ZeroDivisionError, 1), (TypeError, 5)])
def test_an_error_that_no_form_causes_ends_the_search(error: type[Exception], count: int) -> None:
    class Broken(ListOnly):
        tries = 0

        def predict_anomaly_map(self, images: object) -> None:
            self.tries += isinstance(images, (list, np.ndarray, str))
            raise error("no map")

    detector = Broken()
    calls = Calls(detector)
    calls.scores(IMAGES[:1])
    with pytest.raises(error, match="no map"):
        calls.maps(IMAGES[:1])
    assert detector.tries == count


def test_a_detector_that_reads_files_gets_the_image_s_own_file(tmp_path: Path) -> None:
    from pyimgano_industrial.core.calls import Images

    path = tmp_path / "bolt.png"
    assert cv2.imwrite(str(path), IMAGES[0])

    class Names:
        def decision_function(self, paths: list[str]) -> list[float]:
            self.seen = [Path(one) for one in paths]
            return [1.0] * len(paths)

    detector = Names()
    Calls(detector).scores(Images(IMAGES[:2], paths=[path, None], names=["bolt.png", "image 1"]))
    assert detector.seen[0] == path
    assert detector.seen[1].name == "image 1.png"
