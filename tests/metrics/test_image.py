"""Image metrics: exact, against references and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from metrics import reference
from pyimgano_industrial.metrics import ImageMetrics, MetricError, image_ap, image_auroc


@given(
    st.lists(st.tuples(st.floats(-1e300, 1e300) | st.sampled_from([0.0, 1.0]), st.booleans()), min_size=1, max_size=30)
)
def test_as_the_references_say(rows: list[tuple[float, bool]]) -> None:
    rows = [*rows, (0.0, False), (0.5, True)]
    scores, labels = np.array([score for score, _ in rows]), np.array([label for _, label in rows])
    assert image_auroc(scores, labels) == pytest.approx(reference.auroc(scores, labels))
    assert image_auroc(scores, labels) == pytest.approx(roc_auc_score(labels, scores))
    assert image_ap(scores, labels) == pytest.approx(average_precision_score(labels, scores))
    metrics = ImageMetrics()
    for score, label in rows:
        metrics.update(score, label)
    best = metrics.compute().best_f1
    assert best.value == pytest.approx(reference.best_f1(scores, labels))


def test_f1_strictly_above_a_threshold_beside_the_best() -> None:
    metrics = ImageMetrics(threshold=0.5)
    metrics.update([0.1, 0.5, 0.6, 0.9], [0, 1, 0, 1])
    report = metrics.compute()
    assert report.f1 is not None
    assert report.f1.value == pytest.approx(0.5)
    assert report.best_f1.value == pytest.approx(0.8)
    assert report.best_f1.threshold == 0.1


def test_intervals() -> None:
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    metrics = ImageMetrics()
    metrics.update(rng.normal(labels, 1), labels)
    found = metrics.bootstrap(samples=300)
    assert found["auroc"].low < metrics.compute().auroc.value < found["auroc"].high
    assert "f1" not in found


def test_the_interval_of_f1_is_that_of_the_images_drawn() -> None:
    scores, labels = np.array([0.1, 0.6, 0.7, 0.2]), np.array([0, 0, 1, 1])
    metrics = ImageMetrics(threshold=0.5)
    metrics.update(scores, labels)
    found = metrics.bootstrap(samples=200, seed=5)["f1"]
    rng, values = np.random.default_rng(5), []
    for _ in range(200):
        drawn = rng.integers(0, 4, 4)
        above, bad = scores[drawn] > 0.5, labels[drawn] == 1
        if bad.any():
            values.append(2 * np.sum(above & bad) / (np.sum(above) + np.sum(bad)))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
    assert found.samples == len(values)


@pytest.mark.parametrize(
    ("scores", "labels", "message"),
    [
        ([0.1, np.nan], [0, 1], "a.png has nan"),
        ([0.1, 0.2], [0, 2], "a.png has np.int64|a.png has 2"),
        ([0.1, 0.2], [0], "one for one"),
    ],
)
def test_wrong_input_names_the_image(scores: Any, labels: Any, message: str) -> None:
    with pytest.raises(MetricError, match=message):
        ImageMetrics().update(scores, labels, name="a.png")


def test_both_kinds_of_images_are_needed() -> None:
    with pytest.raises(MetricError, match="need normal and anomalous images; got 2 and 0"):
        image_auroc([0.1, 0.2], [0, 0])
