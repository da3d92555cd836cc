"""One measured run of the metrics benchmark: a process that prints its seconds, peak memory and values as JSON.

Peak: ru_maxrss at the end of the work, less what it was once the inputs were made, in MiB. 60 % of the maps have
defects: three discs each, of 8 to 60 pixels across; scores are uniform noise, higher in the defects.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

Inputs = tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]]]


def main() -> int:
    task = json.loads(sys.argv[1])
    work = CONTENDERS[task["name"]]
    work(inputs(2, 128))  # imports and first calls are not measured
    made = inputs(task["maps"], task["side"])
    base = peak()
    started, used = time.perf_counter(), time.process_time()
    values = work(made)
    row = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - used, "mib": max(peak() - base, 1)}
    print(json.dumps(row | {"values": values}))
    return 0


def peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def inputs(count: int, side: int) -> Inputs:
    rng = np.random.default_rng(0)
    maps, masks = [], []
    y, x = np.mgrid[:side, :side].astype(np.float32)
    for number in range(count):
        one = rng.random((side, side), np.float32)
        mask = np.zeros((side, side), bool)
        for _ in range(3 if number % 5 < 3 else 0):
            (cy, cx), radius = rng.integers(0, side, 2), rng.integers(4, 31)
            mask |= (y - cy) ** 2 + (x - cx) ** 2 <= radius**2
        one[mask] += 0.4
        maps.append(one)
        masks.append(mask)
    return maps, masks


def ours_aupro(made: Inputs) -> list[float]:
    from pyimgano_industrial.metrics import aupro

    found = aupro(*made)
    return [found.value, found.bound]


def ours_aupro_copied(made: Inputs) -> list[float]:
    from pyimgano_industrial.metrics import AUPRO

    with AUPRO() as metric:
        for one, mask in zip(*made, strict=True):
            metric.update(one, mask)
        found = metric.compute()
    return [found.value, found.bound]


def ours_spro(made: Inputs, *, copy: bool = False) -> list[float]:
    from pyimgano_industrial.metrics import AUSPRO, DefectChannel

    with AUSPRO(copy=copy) as metric:
        for number, (one, mask) in enumerate(zip(*made, strict=True)):
            kind = ("logical_anomalies", "structural_anomalies")[number % 2] if mask.any() else None
            channels = [] if kind is None else [DefectChannel(mask, max(int(mask.sum()) // 2, 1), "disc")]
            metric.update(one, channels, kind=kind)
        return [one.value for one in metric.compute().mean.values()]


def ours_pixels(made: Inputs, *, copy: bool = False) -> list[float]:
    from pyimgano_industrial.metrics import PixelMetrics

    with PixelMetrics(copy=copy) as metric:
        for one, mask in zip(*made, strict=True):
            metric.update(one, mask)
        report = metric.compute()
    return [report.auroc.value, report.ap.value]


def adeval(made: Inputs) -> list[float]:
    from adeval import EvalAccumulator

    high = max(float(one.max()) for one in made[0])
    accumulator = EvalAccumulator(0.0, high, 0.0, high)
    for one, mask in zip(*made, strict=True):
        accumulator.add_anomap(one, mask.astype(np.uint8))
        accumulator.add_image(float(one.max()), int(mask.any()))
    return [float(accumulator.summary()["p_aupro"])]


def anomalib(made: Inputs) -> list[float]:
    import torch
    from anomalib.metrics.aupro import _AUPRO

    metric = _AUPRO(fpr_limit=0.3)
    for one, mask in zip(*made, strict=True):
        metric.update(torch.from_numpy(one)[None], torch.from_numpy(mask)[None].int())
    return [float(metric.compute())]


def sklearn(made: Inputs) -> list[float]:
    from sklearn.metrics import average_precision_score, roc_auc_score

    scores, labels = (np.concatenate([one.reshape(-1) for one in part]) for part in made)
    return [float(roc_auc_score(labels, scores)), float(average_precision_score(labels, scores))]


CONTENDERS: dict[str, Callable[[Inputs], Any]] = {
    "ours aupro": ours_aupro, "ours aupro, maps copied": ours_aupro_copied,
    "ours spro": ours_spro, "ours spro, maps copied": partial(ours_spro, copy=True),
    "ours pixels": ours_pixels, "ours pixels, maps copied": partial(ours_pixels, copy=True),
    "adeval": adeval, "anomalib": anomalib, "sklearn": sklearn,
}  # fmt: skip


if __name__ == "__main__":
    raise SystemExit(main())
