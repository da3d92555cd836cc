"""Bins of equal width where they will do, the tree where they will not: the same numbers, whatever is kept where."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pyimgano_industrial.metrics import AUPRO, PixelMetrics, PixelReport, aupro, pixel_auroc, thinned
from pyimgano_industrial.metrics import resolve as resolving
from pyimgano_industrial.metrics.resolve import Resolved, Task

Maps = list[NDArray[Any]]
KINDS: dict[str, Callable[[NDArray[np.float64]], NDArray[Any]]] = {
    "even": lambda drawn: drawn,
    "around 0": lambda drawn: drawn - 0.5,
    "falling tail": lambda drawn: np.exp(30 * drawn - 20),
    "below 0": lambda drawn: -np.exp(30 * (1.5 - drawn) - 20),
    "bytes": lambda drawn: np.round(drawn * 170) / 255,
    "half": lambda drawn: drawn.astype(np.float16),
    "narrow": lambda drawn: 0.5 + 1e-5 * drawn,
    "two clusters": lambda drawn: np.where(drawn > 0.9, 1e6 + drawn, 1e-6 * drawn),
}


def made(kind: str, count: int = 5) -> tuple[Maps, list[NDArray[np.bool_]]]:
    rng = np.random.default_rng(4)
    masks = [np.zeros((300, 400), bool) for _ in range(count)]
    for mask in masks[1:]:
        mask[40:60, 50:90] = mask[200:203, 7:9] = True
    return [KINDS[kind](rng.random(mask.shape) + 0.4 * mask).astype(np.float32) for mask in masks], masks


def report(maps: Maps, masks: list[NDArray[np.bool_]], **options: Any) -> PixelReport:
    with PixelMetrics(**options) as metric:
        for one, mask in zip(maps, masks, strict=True):
            metric.update(one, mask)
        return metric.compute()


@pytest.mark.parametrize("kind", KINDS)
def test_both_ways_agree(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    maps, masks = made(kind)
    first = report(maps, masks)
    monkeypatch.setattr(resolving, "_even", lambda *_: None)
    divided = report(maps, masks)
    assert first.best_f1.value == pytest.approx(divided.best_f1.value, abs=2e-5)
    pairs = [(first.auroc, divided.auroc), (first.ap, divided.ap)]
    for one, other in [*pairs, *((first.aupro[limit], divided.aupro[limit]) for limit in first.aupro)]:
        assert max(one.bound, other.bound) <= 1e-5
        assert abs(one.value - other.value) <= one.bound + other.bound + 1e-9


@pytest.mark.parametrize("kind", ["even", "around 0", "falling tail", "bytes", "half", "narrow"])
def test_equal_widths_do_for_usual_scores(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any) -> Resolved:
        raise AssertionError("the tree was needed")

    monkeypatch.setattr(resolving, "_divided", none)
    assert aupro(*made(kind)).bound <= 1e-5


def test_a_sample_that_misleads_costs_a_pass_and_no_digit(monkeypatch: pytest.MonkeyPatch) -> None:
    maps, masks = made("even")
    for one, mask in zip(maps, masks, strict=True):
        one.reshape(-1)[1::2] = 0.7 + 1e-6 * one.reshape(-1)[1::2]  # what the sample does not see
        one[mask] = 0.7 + 1e-6 * one[mask]
    even = resolving._even
    tried: list[Resolved | None] = []

    def watched(task: Task, *others: Any) -> Resolved | None:
        tried.append(even(task, *others))
        return tried[-1]

    monkeypatch.setattr(resolving, "_even", watched)
    monkeypatch.setattr(thinned, "MOST", 300_000)
    found = aupro(maps, masks)
    assert tried == [None]
    monkeypatch.setattr(thinned, "MOST", 1 << 30)
    again = aupro(maps, masks)
    assert found.bound <= 1e-5
    assert abs(found.value - again.value) <= found.bound + again.bound + 1e-9


def test_maps_that_are_not_copied_give_the_same_and_take_no_room() -> None:
    maps, masks = made("even")
    assert report(maps, masks, copy=False, memory=0) == report(maps, masks)
    lent = PixelMetrics(copy=False, memory=100_000)  # enough for the defects
    for one, mask in zip(maps, masks, strict=True):
        lent.update(one, mask)
    assert lent.bytes_on_disk == 0
    lent.update(maps[0].astype(np.float16), masks[0])  # converted, so its own
    assert lent.bytes_on_disk == maps[0].size * 4


def test_a_map_may_change_after_update() -> None:
    maps, masks = made("even")
    expected = aupro(maps, masks)
    metric = AUPRO()
    for one, mask in zip(maps, masks, strict=True):
        passing = one.copy()
        metric.update(passing, mask)
        passing[:] = 0
    assert metric.compute() == expected


def test_functions_take_generators_whose_maps_are_used_again() -> None:
    maps, masks = made("even")
    one = np.empty_like(maps[0])

    def passing() -> Any:
        for each in maps:
            one[:] = each
            yield one

    assert pixel_auroc(passing(), masks) == pixel_auroc(maps, masks)
