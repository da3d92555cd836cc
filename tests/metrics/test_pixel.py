"""Pixel metrics: as the exact references say, for any scores, in any order, from memory and from disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, roc_auc_score

from metrics import reference
from pyimgano_industrial.metrics import (
    AUPRO,
    MetricError,
    PixelAP,
    PixelAUROC,
    PixelMetrics,
    aupro,
    pixel_ap,
    pixel_auroc,
)
from pyimgano_industrial.metrics import resolve as resolving

Pair = tuple[NDArray[Any], NDArray[np.bool_]]
LIMITS = (1.0, 0.3, 0.05, 0.01)


def scores(rng: np.random.Generator, kind: str, size: tuple[int, int]) -> NDArray[np.float32]:
    drawn = rng.normal(0, 1, size)
    made = {
        "normal": drawn, "tail": np.exp(12 * drawn), "tiny gaps": 0.5 + 1e-7 * drawn, "tied": np.round(drawn),
        "constant": np.zeros(size), "negative": -np.exp(drawn), "bytes": np.round(drawn * 20) / 255,
        "named": 0.5 + 5e-4 * drawn, "denormal": drawn * 1e-42, "huge": np.clip(drawn, -2, 2) * 1e38,
    }  # fmt: skip
    return made[kind].astype(np.float32)


KINDS = ["normal", "tail", "tiny gaps", "tied", "constant", "negative", "bytes", "named", "denormal", "huge"]


def images(seed: int, kind: str, count: int = 3) -> list[Pair]:
    rng = np.random.default_rng(seed)
    found: list[Pair] = []
    for number in range(count):
        size = (int(rng.integers(4, 14)), int(rng.integers(4, 14)))
        mask = (rng.random(size) < 0.15) & (number > 0)
        mask[0, 0] = number > 0
        values = scores(rng, kind, size)
        if rng.random() < 0.7:
            values = np.where(mask, values + np.abs(values) * np.float32(0.5), values).astype(np.float32)
        found.append((np.nan_to_num(values), mask))
    return found


def filled(pairs: list[Pair], **options: Any) -> PixelMetrics:
    metric = PixelMetrics(limits=LIMITS, **options)
    for number, (anomaly_map, mask) in enumerate(pairs):
        metric.update(anomaly_map, mask, lighting=f"light {number % 2}")
    return metric


@pytest.mark.parametrize("kind", KINDS)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=8)
def test_every_number_is_within_its_bound_and_the_bound_within_the_tolerance(kind: str, seed: int) -> None:
    pairs = images(seed, kind)
    maps, masks = [one for one, _ in pairs], [mask for _, mask in pairs]
    values, labels = reference.flat(maps, masks)
    report = filled(pairs).compute()
    expected = {
        "auroc": (report.auroc, reference.auroc(values, labels)),
        "ap": (report.ap, reference.average_precision(values, labels)),
        "f1": (report.best_f1, reference.best_f1(values, labels)),
        **{f"pro {limit}": (report.aupro[limit], reference.pro(maps, masks, limit)) for limit in LIMITS},
    }
    for name, (found, exact) in expected.items():
        assert found.bound <= 1e-5, name
        assert abs(found.value - exact) <= found.bound + 1e-9, name


@pytest.mark.parametrize("kind", ["normal", "tail", "bytes", "named"])
def test_many_pixels_agree_with_scikit_learn(kind: str) -> None:
    rng = np.random.default_rng(3)
    values = [scores(rng, kind, (450, 700)) for _ in range(4)]
    masks = [rng.random((450, 700)) < 0.02 for _ in range(4)]
    maps = [np.where(mask, one + np.abs(one) * np.float32(0.001), one) for one, mask in zip(values, masks, strict=True)]
    flat, labels = reference.flat(maps, masks)
    auroc, ap = pixel_auroc(maps, masks), pixel_ap(maps, masks)
    assert max(auroc.bound, ap.bound) <= 1e-5
    assert abs(auroc.value - roc_auc_score(labels, flat)) <= auroc.bound + 1e-9
    assert abs(ap.value - average_precision_score(labels, flat)) <= ap.bound + 1e-9


def test_scores_close_together_are_told_apart() -> None:
    rng = np.random.default_rng(0)
    mask = np.zeros((400, 400), bool)
    mask[:100] = True
    one = (0.5 + 5e-4 * np.clip(rng.normal(mask * 2.0, 1), -1e3, 1e3) / 2).astype(np.float32)
    found = pixel_auroc([one], [mask])
    assert found.value == pytest.approx(roc_auc_score(mask.reshape(-1), one.reshape(-1)), abs=1e-5)
    assert found.value == pytest.approx(0.921, abs=5e-3)


def test_float64_maps_are_compared_as_float64() -> None:
    mask = np.array([[0, 0, 1]])
    assert pixel_auroc([0.5 + np.array([[0.0, 1e-12, 2e-12]])], [mask]).value == 1
    assert (
        pixel_auroc([np.zeros((1, 3), np.float32), 0.5 + np.array([[0.0, 1e-12, 2e-12]])], [mask, mask]).value == 0.625
    )


def test_numbers_worked_by_hand() -> None:
    anomaly_map = np.array([[0.9, 0.8, 0.7, 0.6, 0.5]])
    mask = np.array([[1, 0, 1, 0, 0]])  # two components; normal: 0.8, 0.6, 0.5
    report = filled([(anomaly_map, mask)]).compute()
    assert report.auroc.value == pytest.approx(5 / 6)
    assert report.ap.value == pytest.approx(1 / 2 * 1 + 1 / 2 * 2 / 3)
    assert report.aupro[0.3].value == pytest.approx(0.5)
    assert report.aupro[1.0].value == pytest.approx(1 / 3 * 0.5 + 2 / 3)
    assert report.best_f1.value == pytest.approx(0.8)
    assert report.best_f1.threshold < 0.7
    assert report.best_f1.threshold >= 0.6


def test_a_large_component_counts_as_one() -> None:
    mask = np.array([[1, 1, 1, 1, 0, 0, 1, 0, 0]])
    anomaly_map = np.where(mask, 1.0, 0.5)
    anomaly_map[0, 6] = 0.1
    assert aupro([anomaly_map], [mask]).value == pytest.approx(0.5)


@pytest.mark.parametrize("kind", ["normal", "bytes", "tail"])
def test_from_disk_as_from_memory(kind: str, tmp_path: Path) -> None:
    pairs = images(5, kind, count=6)
    with filled(pairs, memory=0, folder=tmp_path) as on_disk:
        assert on_disk.bytes_on_disk > 0
        assert on_disk.compute() == filled(pairs).compute()
    assert on_disk.bytes_on_disk == 0
    assert list(tmp_path.iterdir()) == []


def test_order_and_monotone_maps_change_nothing() -> None:
    pairs = images(7, "normal", count=5)
    report = filled(pairs).compute()
    turned = filled([(np.exp(one.astype(np.float64)), mask) for one, mask in pairs[::-1]]).compute()
    for limit in LIMITS:
        assert turned.aupro[limit].value == pytest.approx(report.aupro[limit].value, abs=2e-5)
    assert turned.ap.value == pytest.approx(report.ap.value, abs=2e-5)


def test_compute_goes_on_after_more_updates_and_reset_forgets() -> None:
    pairs = images(11, "normal", count=4)
    metric = filled(pairs[:2])
    metric.compute()
    for number, (one, mask) in enumerate(pairs[2:]):
        metric.update(one, mask, lighting=f"light {number % 2}")
    assert metric.compute() == filled(pairs).compute()
    metric.reset()
    with pytest.raises(MetricError, match=r"call update\(\) first"):
        metric.compute()


def test_many_bins_are_divided_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolving, "_MOST_BINS", 3)
    monkeypatch.setattr(resolving, "_FIRST_BITS", 0)
    pairs = images(2, "named")
    assert filled(pairs).compute().auroc.bound <= 1e-5


def test_segf1_is_of_the_whole_set_and_strictly_above() -> None:
    metric = PixelMetrics(threshold=0.5)
    metric.update(np.array([[0.5, 0.6, 0.9]]), np.array([[0, 0, 1]]))
    metric.update(np.array([[0.5, 0.4, 0.1]]), np.array([[1, 0, 0]]))
    found = metric.compute().f1
    assert found is not None
    assert (found.precision, found.recall, found.value) == (0.5, 0.5, 0.5)


def test_the_best_threshold_gives_the_best_f1() -> None:
    pairs = images(13, "normal", count=5)
    best = filled(pairs).compute().best_f1
    again = filled(pairs, threshold=best.threshold).compute().f1
    assert again is not None
    assert again.value == pytest.approx(best.value)


def test_breakdown_by_size() -> None:
    mask = np.zeros((5, 9), bool)
    mask[1:4, 1:4] = mask[2, 6] = True
    anomaly_map = np.where(mask, 0.9, 0.2)
    anomaly_map[2, 6] = 0.1
    metric = PixelMetrics(limits=0.3, sizes=(2, 100))
    metric.update(anomaly_map, mask)
    by_size = metric.compute().by_size
    assert {size: found and found[0.3].value for size, found in by_size.items()} == {
        (1, 1): 0.0, (2, 99): 1.0, (100, None): None,
    }  # fmt: skip


def test_breakdown_by_lighting_takes_its_own_images() -> None:
    pairs = images(4, "normal", count=6)
    by_lighting = filled(pairs).compute().by_lighting
    own = filled(pairs[1::2]).compute()
    odd = by_lighting["light 1"]
    assert odd is not None
    assert odd.aupro == own.aupro
    assert filled(pairs[:2]).compute().by_lighting["light 0"] is None


def test_intervals_hold_the_number_and_repeat() -> None:
    rng = np.random.default_rng(1)
    metric = PixelMetrics(limits=0.3)
    for _ in range(12):
        mask = np.zeros((30, 30), bool)
        mask[5:9, 5:9] = True
        metric.update(rng.normal(mask * 1.5, 1), mask)
    found, report = metric.bootstrap(samples=200), metric.compute()
    assert found == metric.bootstrap(samples=200)
    for name, value in {"auroc": report.auroc, "ap": report.ap, "aupro@0.3": report.aupro[0.3]}.items():
        assert found[name].low < value.value < found[name].high
        assert found[name].samples == 200


@pytest.mark.parametrize("dtype", [np.float16, np.uint8, np.int32, np.float64])
def test_maps_of_any_real_type(dtype: Any) -> None:
    assert pixel_auroc([np.array([[1, 2, 3]], dtype)], [np.array([[0, 0, 255]], np.uint8)]).value == 1


@pytest.mark.parametrize(
    ("anomaly_map", "mask", "message"),
    [
        ([[0.0, np.nan]], [[0, 1]], "that of a.png holds 1 NaN or infinite"),
        ([[0.0, np.inf]], [[0, 1]], "that of a.png holds 1 NaN or infinite"),
        ([[0.0, 1.0]], [[0], [1]], r"its map's size \(1, 2\); that of a.png"),
        ([[0.0, 1.0]], [[0.5, 1]], "must be binary"),
        ([[0.0, 1.0]], [[1, 2]], "must be binary"),
        ([0.0, 1.0], [0, 1], r"must be \(H, W\)"),
        ([["a", "b"]], [[0, 1]], "must hold real numbers"),
    ],
)
def test_wrong_input_names_the_image_and_adds_nothing(anomaly_map: Any, mask: Any, message: str) -> None:
    metric = AUPRO()
    with pytest.raises(MetricError, match=message):
        metric.update(np.array(anomaly_map), np.array(mask), name="a.png")
    assert metric.count == 0


def test_sets_without_a_number_say_why() -> None:
    for metric in (AUPRO(), PixelAP(), PixelAUROC(), PixelMetrics()):
        metric.update(np.zeros((2, 2)))
        with pytest.raises(MetricError, match="needs an anomalous image"):
            metric.compute()
    with pytest.raises(MetricError, match="free of defects"):
        aupro([np.zeros((2, 2))], [np.ones((2, 2))])


def test_wrong_options() -> None:
    for limit in (0.0, -0.1, 1.1, float("nan")):
        with pytest.raises(MetricError, match="above 0 and up to 1"):
            AUPRO(limit=limit)
    with pytest.raises(MetricError, match="0 or more bytes"):
        AUPRO(memory=-1)
    with pytest.raises(MetricError, match="finite number or None"):
        PixelMetrics(threshold=float("inf"))
    with pytest.raises(MetricError, match="confidence between 0 and 1"):
        filled(images(1, "normal")).bootstrap(confidence=95)


def test_maps_and_masks_must_pair() -> None:
    one = np.zeros((2, 2))
    with pytest.raises(MetricError, match="each map needs a mask"):
        aupro([one, one], [one])
    with pytest.raises(MetricError, match="each mask needs a map"):
        aupro([one], [one, one])


@pytest.mark.parametrize("seed", range(6))
def test_only_pixels_inside_a_region_count(seed: int) -> None:
    """A defect is what lies of it inside, in its own components; outside nothing is normal, and nothing found."""
    rng = np.random.default_rng(seed)
    maps = [rng.normal(size=(9, 11)).astype(np.float32) for _ in range(4)]
    masks = [rng.random((9, 11)) < 0.25 for _ in maps]
    inside = [rng.random((9, 11)) < 0.7 for _ in maps]
    metrics = PixelMetrics(limits=(0.3, 1.0))
    for one, mask, region in zip(maps, masks, inside, strict=True):
        metrics.update(one, mask, inside=region)
    found = metrics.compute()
    clipped = [mask & region for mask, region in zip(masks, inside, strict=True)]
    channels = [[(part, int(part.sum())) for part in reference.components(mask)] for mask in clipped]
    for limit in (0.3, 1.0):
        expected = reference.spro(maps, channels, limit, extra=[~region for region in inside])
        assert found.aupro[limit].value == pytest.approx(expected, abs=1e-5)
    scores = np.concatenate([one[region] for one, region in zip(maps, inside, strict=True)])
    labels = np.concatenate([mask[region] for mask, region in zip(masks, inside, strict=True)])
    assert found.auroc.value == pytest.approx(reference.auroc(scores, labels), abs=1e-5)
    assert found.ap.value == pytest.approx(reference.average_precision(scores, labels), abs=1e-5)


def test_a_region_must_hold_a_pixel_and_fit() -> None:
    metrics = PixelMetrics()
    with pytest.raises(MetricError, match="a region of interest must hold a pixel; that of x holds none"):
        metrics.update(np.zeros((3, 4)), None, name="x", inside=np.zeros((3, 4), bool))
    with pytest.raises(MetricError, match=r"a region of interest must have its map's size \(3, 4\); that of x has"):
        metrics.update(np.zeros((3, 4)), None, name="x", inside=np.ones((4, 3), bool))
    assert metrics.count == 0


def test_curves_start_and_end_and_enclose_the_area() -> None:
    rng = np.random.default_rng(0)
    metrics = PixelMetrics(limits=(1.0,))
    for _ in range(5):
        mask = np.zeros((40, 50), bool)
        mask[5:15, 5:20] = True
        metrics.update(rng.normal(size=(40, 50)) + 1.5 * mask, mask)
    report, curves = metrics.compute(), metrics.curves(points=300)
    for name, number in (("roc", report.auroc), ("pro", report.aupro[1.0])):
        points = np.array(curves[name])
        assert len(points) <= 300
        assert points[0].tolist() == [0, 0]
        assert points[-1].tolist() == [1, 1]
        assert (np.diff(points, axis=0) >= 0).all()
        under = np.sum(np.diff(points[:, 0]) * (points[1:, 1] + points[:-1, 1]) / 2)
        assert under == pytest.approx(number.value, abs=5e-3)


def test_the_interval_of_segf1_is_over_the_pixels_of_the_images_drawn() -> None:
    rng = np.random.default_rng(0)
    maps = [rng.random((9, 7 + number)) for number in range(5)]
    masks = [rng.random(one.shape) < 0.3 * (number % 2) for number, one in enumerate(maps)]
    metrics = PixelMetrics(threshold=0.6)
    for one, mask in zip(maps, masks, strict=True):
        metrics.update(one, mask)
    found = metrics.bootstrap(samples=100, seed=2)["f1"]
    drawing, values = np.random.default_rng(2), []
    for _ in range(100):
        drawn = drawing.integers(0, 5, 5)
        above = np.concatenate([maps[index].reshape(-1) > 0.6 for index in drawn])
        bad = np.concatenate([masks[index].reshape(-1) for index in drawn])
        if bad.any():
            values.append(2 * np.sum(above & bad) / (np.sum(above) + np.sum(bad)))
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])))
    assert metrics.areas
    assert sum(metrics.areas) == sum(int(mask.sum()) for mask in masks)
