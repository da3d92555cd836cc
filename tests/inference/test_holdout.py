"""Which images are kept from fitting, and who scores them."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.inference import CalibrationError, Calibrator, fit_and_calibrate, fit_and_score
from pyimgano_industrial.inference.holdout import fold_indices, held_out


class Memory:
    """Scores an image by its distance to the nearest that it was fitted on: those score 0."""

    def fit(self, images: Any) -> Memory:
        self.seen = [float(np.asarray(image).mean()) for image in images]
        return self

    def decision_function(self, images: Any) -> np.ndarray:
        return np.array([min(abs(np.asarray(image).mean() - one) for one in self.seen) for image in images])


class Uncopyable(Memory):
    def __init__(self) -> None:
        self.lock = threading.Lock()


IMAGES = list(np.random.default_rng(0).random((100, 2, 2)))


@given(st.integers(2, 300), st.floats(0.01, 0.99), st.integers(0, 5))
def test_a_share_is_kept_and_something_is_left(count: int, share: float, seed: int) -> None:
    kept = held_out(count, share=share, seed=seed)
    assert kept == sorted(set(kept))
    assert 1 <= len(kept) <= count - 1
    assert abs(len(kept) - share * count) <= 1


@given(st.integers(1, 300), st.integers(2, 10))
def test_every_image_is_in_one_fold_and_folds_are_even(count: int, folds: int) -> None:
    parts = fold_indices(count, folds=folds)
    assert sorted(index for part in parts for index in part) == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_held_out_images_are_scored_by_a_detector_that_has_not_seen_them() -> None:
    detector = Memory()
    found = fit_and_score(detector, IMAGES)
    assert (len(found.kept), found.source) == (20, "held-out")
    assert len(detector.seen) == 80
    assert found.scores.min() > 0
    assert found.scores.tolist() == pytest.approx(detector.decision_function([IMAGES[i] for i in found.kept]).tolist())


def test_out_of_fold_scores_cover_all_and_the_detector_is_fitted_on_all() -> None:
    detector = Memory()
    found = fit_and_score(detector, IMAGES, how="out-of-fold")
    assert (found.kept, found.source) == (tuple(range(100)), "out-of-fold")
    assert len(detector.seen) == 100
    assert found.scores.min() > 0
    part = fold_indices(100)[0]
    one = Memory().fit([image for index, image in enumerate(IMAGES) if index not in part])
    assert found.scores[part] == pytest.approx(one.decision_function([IMAGES[index] for index in part]))


def test_train_scores_are_called_so() -> None:
    found = fit_and_score(Memory(), IMAGES, how="train")
    assert found.source == "train"
    assert not found.scores.any()


def test_one_image_cannot_be_kept_back() -> None:
    assert fit_and_score(Memory(), IMAGES[:1]).source == "train"
    assert fit_and_score(Memory(), IMAGES[:1], how="out-of-fold").source == "train"


def test_a_factory_stands_in_for_a_copy() -> None:
    with pytest.raises(CalibrationError, match=r"a Uncopyable cannot be copied .* pass factory="):
        fit_and_score(Uncopyable(), IMAGES, how="out-of-fold")
    found = fit_and_score(Uncopyable(), IMAGES, how="out-of-fold", factory=Uncopyable)
    assert found.scores.tolist() == fit_and_score(Memory(), IMAGES, how="out-of-fold").scores.tolist()


def test_fit_and_calibrate_sets_the_threshold_and_reports_it() -> None:
    detector: Any = Memory()
    found = fit_and_calibrate(detector, IMAGES, Calibrator(target_fpr=0.2))
    assert (found.promise, found.images, found.names) == ("proven", 20, ())
    assert detector.threshold_ == found.threshold
    assert detector.calibration_ is found


def test_paths_become_the_names() -> None:
    class Names(Memory):
        def fit(self, images: Any) -> Names:
            self.seen = [len(image) for image in images]
            return self

        def decision_function(self, images: Any) -> np.ndarray:
            return np.array([float(image[0]) for image in images])

    paths = [f"{index}.png" for index in range(10)]
    found = fit_and_calibrate(Names(), paths, Calibrator(target_fpr=0.9))
    assert found.names == ("6.png", "7.png")


def test_a_memory_calibrated_on_its_own_images_is_told_off() -> None:
    with pytest.warns(IndustrialWarning) as said:
        found = fit_and_calibrate(Memory(), IMAGES, how="train")
    assert "it knows them by heart, 100 of them score 0" in str(said[0].message)
    assert found.promise == "refused"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"how": "test"}, "how must be one of held-out, out-of-fold, train; got 'test'"),
        ({"share": 1.0}, r"share must be in \(0, 1\), of the images to keep back; got 1.0"),
        ({"how": "out-of-fold", "folds": 1}, "folds must be at least 2; got 1"),
    ],
)
def test_options_out_of_range_are_refused(options: Any, message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        fit_and_score(Memory(), IMAGES, **options)
    with pytest.raises(CalibrationError, match="a threshold needs at least one normal image; got none"):
        fit_and_score(Memory(), [])
