"""What was measured under drift, as a table of Markdown: every way a row, shares with intervals over images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.evaluation.drift_proof import WayResult, interval
from pyimgano_industrial.evaluation.drifts import PHOTOMETRIC

UP_TO = (1, 2, 3)  # strengths of the photometric drifts up to which few good images should be flagged
TIMES = 2.0  # as many as without drift
_DRAWS = 500


def to_markdown(results: Sequence[WayResult]) -> str:
    """Return the table; the first result is the bare detector, which the others are compared with.

    Columns: image AUROC without drift and its mean under all drifts; its average relative drop, less that of the bare
    detector, paired by image; AU-PRO and its drop; the share of good images that are flagged without drift and under
    the photometric drifts up to strength 3; that share less twice the first. Intervals are of 95 %.
    """
    head = ["way", "AUROC", "drifted", "drop", "less the first's", "AU-PRO", "drop", "flagged", "photometric 1-3"]
    head.append(f"less {TIMES:g} x")
    kept = [index for index in range(len(head)) if any(_row(one, results[0])[index] for one in results)]
    lines = [f"| {' | '.join(head[index] for index in kept)} |", f"| --- |{' ---: |' * (len(kept) - 1)}"]
    for one in results:
        cells = _row(one, results[0])
        lines.append(f"| {' | '.join(cells[index] or '-' for index in kept)} |")
    return "\n".join(lines)


def _row(one: WayResult, base: WayResult) -> list[str]:
    clean, rest = one.conditions[0], one.conditions[1:]
    aurocs = [condition.auroc for condition in rest if condition.auroc is not None]
    cells = [one.way, _number(clean.auroc), _number(float(np.mean(aurocs)) if aurocs else None)]
    cells += [_share(one.drop("auroc")), _against(one, base), _number(clean.aupro), _share(one.drop("aupro"))]
    cells.append(_share(clean.false_positives))
    seen = [condition for condition in rest if condition.drift in PHOTOMETRIC and condition.strength in UP_TO]
    if not seen:
        return [*cells, "", ""]
    flagged = np.stack([condition.flagged for condition in seen]).mean(axis=0)
    return [*cells, _mean(flagged), _mean(flagged - TIMES * clean.flagged)]


def _mean(values: NDArray[Any]) -> str:
    low, high = interval(lambda chosen: float(values[chosen].mean()), values.size)
    return f"{values.mean():.1%} ({low:.1%} to {high:.1%})"


def less(pairs: Sequence[tuple[WayResult, WayResult]]) -> tuple[float, float, float]:
    """Return (mean, low, high): the average relative drop of AUROC of one way less that of another, over data sets.

    pairs: the two ways on one data set each. Both see the same drawn images of a set; each set counts the same.
    """
    rng = np.random.default_rng(0)
    sets = [(_wins(one), _wins(other)) for one, other in pairs]
    drawn = []
    for _ in range(_DRAWS):
        apart = []
        for own, bare in sets:
            rows, columns = _times(rng, own.shape[1]), _times(rng, own.shape[2])
            apart.append(_drop(own, rows, columns) - _drop(bare, rows, columns))
        drawn.append(np.mean(apart))
    low, high = np.quantile(drawn, [0.025, 0.975])
    every = [_drop(own, *_once(own)) - _drop(bare, *_once(bare)) for own, bare in sets]
    return float(np.mean(every)), low.item(), high.item()


def _against(one: WayResult, base: WayResult) -> str:
    """Return the drop of AUROC less that of another way, on the same drawn images."""
    if one is base or one.drop("auroc") is None or base.drop("auroc") is None:
        return ""
    mean, low, high = less([(one, base)])
    return f"{mean:+.1%} ({low:+.1%} to {high:+.1%})"


def _wins(one: WayResult) -> NDArray[np.float32]:
    """Return for every condition and pair whether the anomalous image scores higher, (C, G, B); ties count half."""
    pairs = [(c.bad[None] > c.good[:, None]) + 0.5 * (c.bad[None] == c.good[:, None]) for c in one.conditions]
    return np.stack(pairs).astype(np.float32)


def _once(wins: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return each image as a share, drawn once."""
    return np.full(wins.shape[1], 1 / wins.shape[1], np.float32), np.full(wins.shape[2], 1 / wins.shape[2], np.float32)


def _times(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Return how often each image is drawn, as a share."""
    return (np.bincount(rng.integers(0, count, count), minlength=count) / count).astype(np.float32)


def _drop(wins: NDArray[np.float32], good: NDArray[np.float32], bad: NDArray[np.float32]) -> float:
    auroc = (wins @ bad) @ good
    return float(np.mean((auroc[0] - auroc[1:]) / auroc[0]))


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
