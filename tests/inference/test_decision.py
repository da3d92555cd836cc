"""Labels follow the threshold; what is not confident enough is rejected."""

from __future__ import annotations

import numpy as np
import pytest

import detectors
from pyimgano_industrial.inference import infer
from pyimgano_industrial.inference.decision import DecisionError

IMAGES = [np.full((4, 6, 3), value, np.uint8) for value in (10, 20, 30)]


class Sure(detectors.ScoresOnly):
    """Confident by how far a score lies from 20."""

    threshold_ = 20.0

    def predict_confidence(self, images: list[np.ndarray]) -> np.ndarray:
        return np.abs(np.array([one.mean() for one in images]) - 20) / 10


def test_a_label_needs_a_score_above_the_threshold() -> None:
    assert [one.label for one in infer(Sure(), IMAGES)] == [0, 0, 1]
    assert [one.label for one in infer(Sure(), IMAGES, threshold=5)] == [1, 1, 1]


def test_without_a_threshold_there_is_no_label() -> None:
    assert [one.label for one in infer(detectors.ScoresOnly(), IMAGES)] == [None] * 3


def test_the_confidence_comes_where_it_is_asked_for() -> None:
    results = infer(Sure(), IMAGES, include_confidence=True)
    assert [one.label_confidence for one in results] == [1.0, 0.0, 1.0]
    assert [one.rejected for one in results] == [None] * 3
    assert infer(detectors.ScoresOnly(), IMAGES, include_confidence=True)[0].label_confidence is None


def test_what_is_not_confident_is_rejected() -> None:
    results = infer(Sure(), IMAGES, reject_confidence_below=0.5)
    assert [(one.label, one.rejected) for one in results] == [(0, False), (-2, True), (1, False)]
    assert infer(Sure(), IMAGES, reject_confidence_below=0.5, reject_label=9)[1].label == 9
    summary = results[1].decision_summary
    assert summary is not None
    assert (summary["decision"], summary["requires_review"]) == ("rejected_low_confidence", True)


@pytest.mark.parametrize("share", [0, -1, 1.5])
def test_a_share_of_confidence_out_of_range_is_an_error(share: float) -> None:
    with pytest.raises(DecisionError, match=rf"reject_confidence_below must be in \(0, 1\]; got {share}"):
        infer(Sure(), IMAGES, reject_confidence_below=share)


def test_rejecting_needs_a_threshold_and_confidence() -> None:
    with pytest.raises(DecisionError, match="needs a threshold and confidence; got no threshold"):
        infer(detectors.ScoresOnly(), IMAGES, reject_confidence_below=0.5)
    with pytest.raises(DecisionError, match="got a detector without confidence"):
        infer(detectors.ScoresOnly(), IMAGES, reject_confidence_below=0.5, threshold=1)
