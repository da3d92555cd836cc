"""What was measured under drift, as a table: every way a row, shares with intervals over images."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.evaluation.drift_proof import Condition, WayResult, interval
from pyimgano_industrial.evaluation.drifts import PHOTOMETRIC

UP_TO = (1, 2, 3)  # strengths of the photometric drifts up to which few good images should be flagged
TIMES = 2.0  # as many as without drift
_DRAWS = 500


Splits = Sequence[WayResult]  # one way on one data set, once for each of its splits: other good images tested each time


def table(ways: Sequence[Splits]) -> list[list[str]]:
    """Return the rows of the table, headings first; the first way is the bare one, which others are compared with.

    Columns: image AUROC without drift and its mean under all drifts; its average relative drop, less that of the bare
    detector, paired by image; AU-PRO and its drop; the share of good images that are flagged without drift and under
    the photometric drifts up to strength 3; that share less twice the first. Intervals are of 95 %. Every good image
    counts once, with the detector of its split.
    """
    head = ["way", "AUROC", "drifted", "drop", "less the first's", "AU-PRO", "drop", "flagged", "photometric 1-3"]
    head.append(f"less {TIMES:g} x")
    rows = [_row(splits, ways[0]) for splits in ways]
    kept = [index for index in range(len(head)) if any(row[index] for row in rows)]
    return [[row[index] or "-" for index in kept] for row in (head, *rows)]


def to_markdown(ways: Sequence[Splits]) -> str:
    """Return the table as Markdown."""
    head, *rows = (f"| {' | '.join(row)} |" for row in table(ways))
    return "\n".join([head, f"| --- |{' ---: |' * (head.count(' | '))}", *rows])


def _row(splits: Splits, base: Splits) -> list[str]:
    cells = [splits[0].way, *_auroc(splits, base), *_aupro(splits)]
    flagged = np.concatenate([one.conditions[0].flagged for one in splits])
    cells.append(_share(flagged.mean()))
    seen = [[c.flagged for c in one.conditions if c.drift in PHOTOMETRIC and c.strength in UP_TO] for one in splits]
    if not all(seen):
        return [*cells, "", ""]
    drifted = np.concatenate([np.mean(one, axis=0) for one in seen])
    return [*cells, _mean(drifted), _mean(drifted - TIMES * flagged)]


def _auroc(splits: Splits, base: Splits) -> list[str]:
    """Return AUROC without drift, its mean under drift, its drop, and that drop less another way's."""
    if any(one.conditions[0].auroc is None for one in splits):
        return ["", "", "", ""]
    clean, *rest = _wins(splits).mean(axis=(1, 2)).tolist()
    if not rest:
        return [f"{clean:.3f}", "", "", ""]
    against = "" if splits is base else "{:+.1%} ({:+.1%} to {:+.1%})".format(*less([(splits, base)]))
    return [f"{clean:.3f}", f"{np.mean(rest):.3f}", _share(drop(splits)), against]


def _aupro(splits: Splits) -> list[str]:
    clean, drops = [one.conditions[0].aupro for one in splits], [one.drop("aupro") for one in splits]
    measured, dropped = [one for one in clean if one is not None], [one for one in drops if one is not None]
    return [f"{np.mean(measured):.3f}" if measured else "", _share(float(np.mean(dropped))) if dropped else ""]


def _mean(values: NDArray[Any]) -> str:
    low, high = interval(lambda chosen: float(values[chosen].mean()), values.size)
    return f"{values.mean():.1%} ({low:.1%} to {high:.1%})"


def drop(splits: Splits) -> float:
    """Return the average relative drop of AUROC over all drifts and strengths."""
    return relative_drop(_wins(splits).mean(axis=(1, 2)))


def relative_drop(auroc: NDArray[Any]) -> float:
    """Return the average relative drop of the AUROCs (C,) of all conditions, the first of which is without drift."""
    return float(np.mean((auroc[0] - auroc[1:]) / auroc[0]))


def clean(auroc: NDArray[Any]) -> float:
    """Return the AUROC without drift."""
    return float(auroc[0])


def less(
    pairs: Sequence[tuple[Splits, Splits]], measure: Callable[[NDArray[Any]], float] = relative_drop
) -> tuple[float, float, float]:
    """Return (mean, low, high): a measure of one way less that of another, over data sets.

    pairs: the two ways on one data set each. Both see the same drawn images of a set; each set counts the same.
    measure: of the AUROCs (C,) of all conditions
    """
    rng = np.random.default_rng(0)
    sets = [(_wins(one), _wins(other)) for one, other in pairs]
    drawn = []
    for _ in range(_DRAWS):
        apart = []
        for own, bare in sets:
            rows, columns = _times(rng, own.shape[1]), _times(rng, own.shape[2])
            apart.append(measure(_aurocs(own, rows, columns)) - measure(_aurocs(bare, rows, columns)))
        drawn.append(np.mean(apart))
    low, high = np.quantile(drawn, [0.025, 0.975])
    every = [measure(own.mean(axis=(1, 2))) - measure(bare.mean(axis=(1, 2))) for own, bare in sets]
    return float(np.mean(every)), low.item(), high.item()


def _wins(splits: Splits) -> NDArray[np.float32]:
    """Return for every condition and pair whether the anomalous image scores higher, (C, G, B); ties count half.

    G: the good images of all splits, each compared with the anomalous ones under the detector of its own split
    """
    wins: NDArray[np.float32] = np.concatenate(
        [np.stack([_higher(c) for c in one.conditions]) for one in splits], axis=1
    )
    return wins


def _higher(condition: Condition) -> NDArray[np.float32]:
    good, bad = condition.good[:, None], condition.bad[None]
    wins: NDArray[np.float32] = ((bad > good) + 0.5 * (bad == good)).astype(np.float32)
    return wins


def _times(rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Return how often each image is drawn, as a share."""
    return (np.bincount(rng.integers(0, count, count), minlength=count) / count).astype(np.float32)


def _aurocs(wins: NDArray[np.float32], good: NDArray[np.float32], bad: NDArray[np.float32]) -> NDArray[Any]:
    return np.asarray((wins @ bad) @ good)


def _share(value: float) -> str:
    return f"{value:.1%}"
