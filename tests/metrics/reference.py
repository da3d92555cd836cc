"""Slow, exact references: all pixels sorted, each distinct score a threshold, plain sums."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def components(mask: Array) -> list[Array]:
    """Return the 8-connected components, found by flooding."""
    left, found = {(int(y), int(x)) for y, x in np.argwhere(mask)}, []
    while left:
        stack, one = [left.pop()], np.zeros(mask.shape, bool)
        while stack:
            y, x = stack.pop()
            one[y, x] = True
            near = {(y + dy, x + dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)} & left
            left -= near
            stack += near
        found.append(one)
    return found


def area_under(rates: Array, values: Array, limit: float) -> float:
    end = int(np.argmax(rates >= limit))  # the first point at the limit or beyond it
    share = (limit - rates[end - 1]) / (rates[end] - rates[end - 1])
    x = np.append(rates[:end], limit)
    y = np.append(values[:end], values[end - 1] + share * (values[end] - values[end - 1]))
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2) / limit)


def spro(
    maps: Sequence[Array], channels: Sequence[Sequence[tuple[Array, int]]], limit: float, extra: Any = None
) -> float:
    """Return AU-sPRO by its definition: min(count above / saturation, 1), a mean over the channels.

    extra: masks that are no normal pixels either
    """
    free = []
    for number, (one, own) in enumerate(zip(maps, channels, strict=True)):
        masks = [mask for mask, _ in own] + ([] if extra is None else [extra[number]])
        free.append(one[~np.any([np.zeros(one.shape, bool), *masks], axis=0)])
    normal = np.concatenate(free)
    inside = [(one[mask], area) for one, own in zip(maps, channels, strict=True) for mask, area in own]
    rates, values = [0.0], [0.0]
    for score in np.unique(np.concatenate([one.reshape(-1) for one in maps]))[::-1]:
        rates.append(float(np.mean(normal >= score)))
        values.append(float(np.mean([min(np.sum(scores >= score) / area, 1) for scores, area in inside])))
    return area_under(np.array(rates), np.array(values), limit)


def pro(maps: Sequence[Array], masks: Sequence[Array], limit: float) -> float:
    channels = [[(one, int(one.sum())) for one in components(mask)] for mask in masks]
    return spro(maps, channels, limit)


def flat(maps: Sequence[Array], masks: Sequence[Array]) -> tuple[Array, Array]:
    return np.concatenate([one.reshape(-1) for one in maps]), np.concatenate([one.reshape(-1) for one in masks])


def auroc(scores: Array, labels: Array) -> float:
    low, high = scores[~labels][:, None], scores[labels]
    return float(np.mean((low < high) + 0.5 * (low == high)))


def thresholds(scores: Array, labels: Array) -> list[tuple[int, int]]:
    """Return hits and alarms at each distinct score, falling."""
    reached = [scores >= score for score in np.unique(scores)[::-1]]
    return [(int(np.sum(above & labels)), int(np.sum(above & ~labels))) for above in reached]


def average_precision(scores: Array, labels: Array) -> float:
    total, before, value = int(labels.sum()), 0, 0.0
    for hits, alarms in thresholds(scores, labels):
        value += (hits - before) / total * hits / (hits + alarms)
        before = hits
    return value


def best_f1(scores: Array, labels: Array) -> float:
    return max(2 * hits / (hits + alarms + int(labels.sum())) for hits, alarms in thresholds(scores, labels))
