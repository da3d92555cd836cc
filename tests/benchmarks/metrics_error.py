"""How far the metrics are from the exact values, on scores of many shapes.

Run with `python tests/benchmarks/metrics_error.py`; it ends with 1 where an error is above 1e-5.
The reference sorts every pixel and walks over the distinct scores, in float64. 12 maps of 256 x 256, 60 % with defects.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

import numpy as np
from metrics_run import inputs
from numpy.typing import NDArray

from pyimgano_industrial.metrics import AUSPRO, DefectChannel, PixelMetrics

Array = NDArray[Any]
LIMITS = (0.3, 0.05, 0.01)

SHAPES: dict[str, Callable[[Array], Array]] = {
    "uniform": lambda x: x,
    "normal, below 0 too": lambda x: np.float32(np.log(x + 1e-6)),
    "heavy tails (Cauchy)": lambda x: np.float32(np.tan(np.pi * (np.clip(x / 1.5, 1e-6, 1 - 1e-6) - 0.5))),
    "all negative": lambda x: x - np.float32(1000),
    "within 1e-6 of each other, float64": lambda x: 0.5 + 1e-6 * x.astype(np.float64),
    "0.5 and 5e-4 about it": lambda x: np.float32(0.5 + 5e-4 * (x - 0.5)),
    "tied: 256 levels": lambda x: np.float32(np.floor(x * 180)),
    "tied: 3 levels": lambda x: np.float32(np.floor(x * 2)),
    "constant": np.zeros_like,
    "one bin in a million apart": lambda x: np.float32(np.where(x > 1.2, x, 1 + 1e-7 * np.round(4 * x))),
    "from 1e-30 to 1e30": lambda x: np.float32(10.0 ** (43 * x - 30)),
}


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    names = ["AUROC", "AP", "best F1", *(f"AU-PRO {limit}" for limit in LIMITS), *(f"AU-sPRO {one}" for one in LIMITS)]
    print(f"| scores | {' | '.join(names)} | largest bound |\n{'| --- ' * (len(names) + 2)}|")
    maps, masks = inputs(12, 256)
    largest = 0.0
    for name, shape in SHAPES.items():
        shaped = [shape(one) for one in maps]
        ours, bounds = measured(shaped, masks)
        errors = [abs(one - other) for one, other in zip(ours, exact(shaped, masks), strict=True)]
        largest = max(largest, *errors)
        print(f"| {name} | {' | '.join(f'{one:.1e}' for one in errors)} | {max(bounds):.1e} |", flush=True)
    print(f"\nLargest error: {largest:.1e}")
    return 0 if largest <= 1e-5 else 1


def measured(maps: list[Array], masks: list[Array]) -> tuple[list[float], list[float]]:
    with PixelMetrics(limits=LIMITS) as pixels, AUSPRO(limits=LIMITS) as spro:
        for one, mask in zip(maps, masks, strict=True):
            pixels.update(one, mask)
            channels = [DefectChannel(mask, max(int(mask.sum()) // 2, 1))] if mask.any() else []
            spro.update(one, channels, kind="structural_anomalies" if channels else None)
        report, by_kind = pixels.compute(), spro.compute().mean
    found = [report.auroc, report.ap, report.best_f1, *report.aupro.values(), *by_kind.values()]
    return [one.value for one in found], [one.bound for one in found]


def exact(maps: list[Array], masks: list[Array]) -> list[float]:
    from skimage.measure import label

    scores, labels = (np.concatenate([one.reshape(-1) for one in part]) for part in (maps, masks))
    order = np.argsort(-scores.astype(np.float64), kind="stable")
    ends = np.flatnonzero(np.append(np.diff(scores[order]) != 0, True))
    hits, alarms = (np.cumsum(one[order])[ends].astype(np.float64) for one in (labels, ~labels))
    rate, recall = alarms / alarms[-1], hits / hits[-1]
    auroc = under(rate, recall, 1.0)
    ap = np.sum(np.diff(recall, prepend=0) * hits / (hits + alarms)).item()
    f1 = np.max(2 * hits / (hits + alarms + hits[-1])).item()
    region, half = [], []
    for one, mask in zip(maps, masks, strict=True):
        numbers = label(mask, connectivity=2)
        sizes = np.bincount(numbers.reshape(-1))
        region.append(np.where(mask, 1 / sizes[numbers], 0.0).reshape(-1))
        if mask.any():
            inside = np.sort(one[mask])[::-1]
            half.append((inside, max(inside.size // 2, 1)))
    overlap = np.cumsum(np.concatenate(region)[order])[ends]
    distinct = scores[order][ends]
    saturated = np.mean([np.minimum(np.searchsorted(-one, -distinct, side="right") / area, 1) for one, area in half], 0)
    pro = [under(rate, overlap / overlap[-1], limit) for limit in LIMITS]
    return [auroc, ap, f1, *pro, *(under(rate, saturated, limit) for limit in LIMITS)]


def under(rate: Array, height: Array, limit: float) -> float:
    x, y = np.append(0.0, rate), np.append(0.0, height)
    inside = x < limit
    x, y = np.append(x[inside], limit), np.append(y[inside], np.interp(limit, *_rising(x, y)))
    return np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2).item() / limit


def _rising(x: Array, y: Array) -> tuple[Array, Array]:
    """Return the curve with the last height of each rate, which is where the next step begins."""
    last = np.append(np.diff(x) > 0, True)
    return x[last], y[last]


if __name__ == "__main__":
    raise SystemExit(main())
