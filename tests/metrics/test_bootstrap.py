"""Intervals of breakdowns, and what each image adds to the curves, as numbers of any draw of images tell."""

from __future__ import annotations

import numpy as np
import pytest

from pyimgano_industrial.metrics import AUSPRO, DefectChannel, PixelMetrics
from pyimgano_industrial.metrics.pixel import measures_of


def lit(count: int = 12) -> PixelMetrics:
    """Images under two lights: weak small defects in the dark one, and strong large ones under the other."""
    rng = np.random.default_rng(7)
    metrics = PixelMetrics(limits=0.3, threshold=1.0, sizes=(20,))
    for number in range(count):
        mask, dark = np.zeros((40, 40), bool), number % 2 == 1
        if number % 4 < 2:
            mask[5 : 8 if dark else 15, 5 : 8 if dark else 15] = True
        metrics.update(rng.normal(mask * (0.8 if dark else 3.0), 1), mask, lighting="dark" if dark else "regular")
    return metrics


def test_breakdowns_have_intervals_that_hold_their_numbers() -> None:
    metrics = lit()
    found, report = metrics.bootstrap(samples=200, seed=1), metrics.compute()
    for size, name in (((1, 19), "size 1-19/aupro@0.3"), ((20, None), "size 20-/aupro@0.3")):
        assert found[name].low < report.by_size[size][0.3].value < found[name].high
    assert found["size 1-19/aupro@0.3"].high < found["size 20-/aupro@0.3"].low
    for lighting, one in report.by_lighting.items():
        for name, value in (("auroc", one.auroc), ("ap", one.ap), ("aupro@0.3", one.aupro[0.3]), ("f1", one.f1)):
            drawn = found[f"lighting {lighting}/{name}"]
            assert drawn.low - 1e-3 <= value.value <= drawn.high + 1e-3
            assert drawn.samples <= 200
    assert "size 1-280/aupro@0.3" not in found


def test_a_light_without_defects_has_no_interval() -> None:
    metrics = lit()
    metrics.update(np.zeros((40, 40)), lighting="new")
    assert not [name for name in metrics.bootstrap(samples=10) if name.startswith("lighting new")]


def test_what_images_add_to_the_curves_gives_the_numbers_of_any_of_them() -> None:
    metrics, few = lit(), PixelMetrics(limits=0.3, threshold=1.0)
    counts = metrics.image_counts()
    assert counts is metrics.image_counts()  # one pass
    rng = np.random.default_rng(7)
    for number in range(12):
        mask, dark = np.zeros((40, 40), bool), number % 2 == 1
        if number % 4 < 2:
            mask[5 : 8 if dark else 15, 5 : 8 if dark else 15] = True
        scores = rng.normal(mask * (0.8 if dark else 3.0), 1)
        for _ in range({0: 2, 1: 1, 2: 3}.get(number, 0)):
            few.update(scores, mask)
    times = np.array([[2.0, 1, 3, *[0] * 9]])
    wanted = measures_of((0.3,))
    values, report = counts.draws(wanted, times), few.compute()
    assert values["auroc"][0] == pytest.approx(report.auroc.value, abs=1e-3)
    assert values["ap"][0] == pytest.approx(report.ap.value, abs=2e-3)
    assert values["best_f1"][0] == pytest.approx(report.best_f1.value, abs=2e-3)
    assert values["aupro@0.3"][0] == pytest.approx(report.aupro[0.3].value, abs=2e-3)
    assert counts.f1_draws(times)[0] == pytest.approx(report.f1.value)
    again = counts.only(np.array([0, 1, 2])).draws(wanted, np.array([[2.0, 1, 3]]))
    assert {name: one.tolist() for name, one in again.items()} == {name: one.tolist() for name, one in values.items()}
    none = counts.draws(wanted, np.array([[0.0, 0, 1, *[0] * 9]]))  # a good image alone
    assert all(np.isnan(one).all() for one in none.values())
    metrics.update(np.zeros((40, 40)))
    assert metrics.image_counts().normal.shape[0] == 13


def test_each_defect_of_loco_has_an_interval() -> None:
    rng = np.random.default_rng(2)
    metric = AUSPRO(limits=0.3)
    for number in range(24):
        name = (None, "scratch", "dent")[number % 3]
        mask = np.zeros((30, 30), bool)
        mask[5:9, 5:9] = name is not None
        channels = [] if name is None else [DefectChannel(mask, 8, name)]
        one = rng.normal(mask * (2.5 if name == "dent" else 1.0), 1)
        metric.update(one, channels, kind=None if name is None else "logical_anomalies")
    found, report = metric.bootstrap(samples=200), metric.compute()
    for name, numbers in report.by_defect.items():
        assert found[f"defect {name}@0.3"].low < numbers[0.3].value < found[f"defect {name}@0.3"].high
    assert found["defect scratch@0.3"].high < found["defect dent@0.3"].low
