"""One score an image, from the scores of its tiles or from its map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.regions import Region
from pyimgano_industrial.tiling.sink import Sink

ScoreReduce = Literal["max", "mean", "topk_mean", "quantile"]
MODES: tuple[ScoreReduce, ...] = get_args(ScoreReduce)


class ScoreError(IndustrialError, ValueError):
    """Scores cannot be reduced as asked."""


def reduce_scores(values: NDArray[Any], *, mode: ScoreReduce, topk: float = 0.1, quantile: float = 0.99) -> float:
    """Reduce scores or the pixels of a map to one number.

    topk: share of the values, 0 < topk <= 1, whose mean "topk_mean" takes; a share, so that the score does not
    depend on the resolution. quantile: of the values, for "quantile".
    """
    values = values.reshape(-1)
    if values.size == 0:
        raise ScoreError("an image needs at least one tile or pixel inside its region of interest; it has none")
    score: np.floating[Any]
    if mode == "max":
        score = values.max()
    elif mode == "mean":
        score = values.mean(dtype=np.float64)
    elif mode == "topk_mean":
        count = min(values.size, int(np.ceil(topk * values.size)))
        score = np.partition(values, values.size - count)[-count:].mean(dtype=np.float64)
    else:
        score = np.quantile(values, quantile)
    return score.item()


def check_reduce(mode: str, *, topk: float, quantile: float) -> None:
    """Raise ScoreError unless the mode is known and its numbers lie in range."""
    if mode not in MODES:
        raise ScoreError(f"score_reduce must be one of {', '.join(MODES)}; got {mode!r}")
    if not 0 < topk <= 1:
        raise ScoreError(f"score_topk must be in (0, 1], a share of the tiles or pixels; got {topk}")
    if not 0 <= quantile <= 1:
        raise ScoreError(f"score_quantile must be in 0..1; got {quantile}")


class MapScore:
    """A sink in front of a sink: keeps the score of the pixels inside a region, and clears those outside.

    The maximum and the mean need no map in memory; the other modes are taken from the finished map. Without a mode
    nothing is kept.
    """

    def __init__(
        self, reduce: Callable[[NDArray[Any]], float], mode: ScoreReduce | None, region: Region | None, sink: Sink
    ) -> None:
        self._reduce, self._mode, self._region, self._sink = reduce, mode, region, sink
        self._sum, self._count, self._max = 0.0, 0, -np.inf
        self.merged, self.folder = sink.merged, sink.folder

    def write(self, y0: int, rows: NDArray[np.float32], x0: int = 0) -> None:
        inside = None if self._region is None else self._region.rows(y0, y0 + len(rows), x0, x0 + rows.shape[1])
        values = rows if inside is None else rows[inside]
        self._count += values.size
        if values.size and self._mode == "max":
            self._max = max(self._max, values.max())
        elif values.size and self._mode == "mean":
            self._sum += values.sum(dtype=np.float64)
        self._sink.write(y0, rows if inside is None else np.where(inside, rows, np.float32(0)), x0)

    def finish(self) -> Any:
        return self._sink.finish()

    def abort(self) -> None:
        self._sink.abort()

    def score(self, anomaly_map: Any) -> float:
        """Return the score of the map that `finish` gave; 0 where no pixel is inside."""
        if not self._count:
            return 0.0
        if self._mode == "max":
            return self._max
        if self._mode == "mean":
            return self._sum / self._count
        inside = None if self._region is None else self._region.rows(0, len(anomaly_map))
        return self._reduce(anomaly_map if inside is None else anomaly_map[inside])
