"""AU-sPRO by its definition, on tiny channels worked by hand and random ones against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metrics import reference
from pyimgano_industrial.metrics import AUSPRO, DefectChannel, MetricError, saturation_area

LOGICAL, STRUCTURAL = "logical_anomalies", "structural_anomalies"


def test_a_channel_is_complete_at_its_saturation_area() -> None:
    anomaly_map = np.array([[0.9, 0.8, 0.3, 0.2, 0.5]])
    mask = np.array([[1, 1, 1, 1, 0]], bool)
    for area, value in ((2, 1.0), (4, 0.75)):  # at the only false alarm 2 of 4 pixels are found, then all
        metric = AUSPRO(limits=1.0)
        metric.update(anomaly_map, [DefectChannel(mask, area)], kind=LOGICAL)
        assert metric.compute().mean[1.0].value == pytest.approx(0.5 if area == 4 else value)


def test_ties_across_the_saturation_are_joined_by_a_line() -> None:
    anomaly_map = np.array([[0.9, 0.5, 0.5, 0.5]])
    metric = AUSPRO(limits=1.0)
    metric.update(anomaly_map, [DefectChannel(np.array([[1, 1, 1, 0]], bool), 2)], kind=LOGICAL)
    assert metric.compute().mean[1.0].value == pytest.approx(0.75)


@given(seed=st.integers(0, 10**6), tied=st.booleans())
@settings(max_examples=25)
def test_as_the_definition_says(seed: int, tied: bool) -> None:
    rng = np.random.default_rng(seed)
    metric, rows = AUSPRO(), []
    for kind in (None, LOGICAL, STRUCTURAL, LOGICAL, STRUCTURAL):
        size = (int(rng.integers(4, 10)), int(rng.integers(4, 10)))
        one = rng.normal(0, 1, size).astype(np.float32)
        one = np.round(one) if tied else one
        channels: list[Any] = []
        for name in ("a", "b")[: 0 if kind is None else int(rng.integers(1, 3))]:
            mask = rng.random(size) < 0.3
            mask[1, 1] = True
            area = saturation_area(int(mask.sum()), float(rng.uniform(0.1, 1)), relative=True)
            channels.append(DefectChannel(mask, area, name))
        metric.update(one, channels, kind=kind)
        rows.append((kind, one, channels))
    report = metric.compute()
    for limit in (0.01, 0.05, 0.1, 0.3, 1.0):
        found = []
        for kind in (LOGICAL, STRUCTURAL):
            exact = expected([row for row in rows if row[0] in (None, kind)], limit)
            assert abs(report.by_kind[kind][limit].value - exact) <= report.by_kind[kind][limit].bound + 1e-9
            found.append(report.by_kind[kind][limit].value)
        assert report.mean[limit].value == pytest.approx(np.mean(found))
        for name, numbers in report.by_defect.items():
            own = [row for row in rows if not row[2] or any(one.defect_name == name for one in row[2])]
            assert abs(numbers[limit].value - expected(own, limit, name)) <= numbers[limit].bound + 1e-9


def expected(rows: list[Any], limit: float, name: str | None = None) -> float:
    channels = [[(c.mask, c.saturation_area) for c in own if name in (None, c.defect_name)] for _, _, own in rows]
    extra = [np.any([np.zeros(one.shape, bool), *[c.mask for c in own]], axis=0) for _, one, own in rows]
    return reference.spro([one for _, one, _ in rows], channels, limit, extra)


def test_intervals_hold_each_kind_and_the_mean() -> None:
    rng = np.random.default_rng(2)
    metric = AUSPRO(limits=(0.05, 0.3))
    for number in range(30):
        kind = (None, LOGICAL, STRUCTURAL)[number % 3]
        mask = np.zeros((30, 30), bool)
        mask[5:9, 5:9] = kind is not None
        strength = 2.5 if kind == LOGICAL else 1.0
        channels = [] if kind is None else [DefectChannel(mask, 8)]
        metric.update(rng.normal(mask * strength, 1), channels, kind=kind)
    found, report = metric.bootstrap(samples=200), metric.compute()
    assert found == metric.bootstrap(samples=200)
    for limit in (0.05, 0.3):
        for kind, numbers in report.by_kind.items():
            one = found[f"{kind}@{limit}"]
            assert one.low < numbers[limit].value < one.high
        assert found[f"{STRUCTURAL}@{limit}"].high < found[f"{LOGICAL}@{limit}"].low
        mean = found[f"mean@{limit}"]
        assert found[f"{STRUCTURAL}@{limit}"].low < mean.low < report.mean[limit].value < mean.high


def test_an_interval_of_one_kind_does_not_see_the_others_images() -> None:
    metric = AUSPRO(limits=0.3)
    mask = np.array([[True, True, False, False]])
    for number in range(6):
        metric.update(np.array([[0.4, 0.5 + number / 10, 0.3, 0.1]]), [DefectChannel(mask, 2)], kind=LOGICAL)
        metric.update(np.array([[0.1, 0.1, 0.9, 0.8]]), [DefectChannel(mask, 2)], kind=STRUCTURAL)
    found = metric.bootstrap(samples=100)
    assert found[f"{LOGICAL}@0.3"].low == pytest.approx(1)
    assert found[f"{STRUCTURAL}@0.3"].high == 0
    assert (found["mean@0.3"].low, found["mean@0.3"].high) == (pytest.approx(0.5), pytest.approx(0.5))


@pytest.mark.parametrize(("area", "threshold", "relative", "found"), [(7, 0.5, True, 3), (7, 0.01, True, 1),
    (7, 6300, False, 7), (9000, 6300, False, 6300)])  # fmt: skip
def test_saturation_areas(area: int, threshold: float, relative: bool, found: int) -> None:
    assert saturation_area(area, threshold, relative=relative) == found


@pytest.mark.parametrize(("threshold", "relative"), [(0, False), (0, True), (1.5, True)])
def test_a_saturation_of_nothing_is_refused(threshold: float, relative: bool) -> None:
    with pytest.raises(MetricError, match="saturation threshold must be above 0"):
        saturation_area(5, threshold, relative=relative)


def test_wrong_channels_name_the_image() -> None:
    one, full = np.zeros((2, 2)), np.ones((2, 2), bool)
    metric = AUSPRO()
    with pytest.raises(MetricError, match=r"one of 000\.png is empty"):
        metric.update(one, [DefectChannel(~full, 1)], kind=LOGICAL, name="000.png")
    with pytest.raises(MetricError, match=r"of a channel of 000\.png is 0"):
        metric.update(one, [DefectChannel(full, 0)], kind=LOGICAL, name="000.png")
    with pytest.raises(MetricError, match=r"that of 000\.png has shape \(3, 2\)"):
        metric.update(one, [DefectChannel(np.ones((3, 2), bool), 1)], kind=LOGICAL, name="000.png")
    with pytest.raises(MetricError, match="or neither"):
        metric.update(one, [DefectChannel(full, 1)])
    with pytest.raises(MetricError, match="or neither"):
        metric.update(one, kind=STRUCTURAL)
    assert metric.count == 0


def test_outside_a_region_nothing_counts() -> None:
    rng = np.random.default_rng(3)
    inside = np.zeros((6, 8), bool)
    inside[:, :5] = True
    cut, whole = AUSPRO(limits=(0.3,)), AUSPRO(limits=(0.3,))
    for number in range(4):
        one = rng.random((6, 8)).astype(np.float32)
        mask, other = np.zeros((6, 8), bool), np.zeros((6, 8), bool)
        mask[1:3, 2:7] = True
        other[4:, 6:] = True  # lies outside
        channels = [DefectChannel(mask, 4, "a"), DefectChannel(other, 2, "b")] if number % 2 else []
        cut.update(one, channels, kind=LOGICAL if channels else None, inside=inside)
        kept = [DefectChannel(mask[:, :5], 4, "a")] if channels else []
        whole.update(one[:, :5], kept, kind=LOGICAL if kept else None)
    assert cut.compute() == whole.compute()
    assert cut.curves() == whole.curves()
    with pytest.raises(MetricError, match="must hold a pixel"):
        cut.update(np.ones((2, 2)), inside=np.zeros((2, 2), bool))


def test_curves_rise_from_nothing_to_all() -> None:
    metric = AUSPRO(limits=(0.3,))
    rng = np.random.default_rng(0)
    mask = np.zeros((20, 20), bool)
    mask[3:9, 3:9] = True
    metric.update(rng.random((20, 20)) + mask, [DefectChannel(mask, 20)], kind=LOGICAL)
    metric.update(rng.random((20, 20)))
    (points,) = metric.curves(points=50).values()
    x, y = np.array(points).T
    assert points[0] == (0.0, 0.0)
    assert points[-1] == (1.0, 1.0)
    assert len(points) <= 50
    assert np.all(np.diff(x) > 0)
    assert np.all(np.diff(y) >= 0)
    grid = np.linspace(0, 0.3, 2000)
    assert np.mean(np.interp(grid, x, y)) == pytest.approx(metric.compute().mean[0.3].value, abs=0.02)
