"""The score of a tile of which some pixels do not count: padding, and what lies outside the region of interest."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import Calls
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.tiling.batch import Maps, Scores, run_batch, settle_maps
from pyimgano_industrial.tiling.cut import Cut

_CLOSE = 1e-5  # relative; maps and scores are float32


def counted_scores(
    calls: Calls, cuts: Sequence[Cut], scores: Scores, maps: Maps, size: tuple[int, int], *, image: str
) -> Scores:
    """Return the scores (N,) of a batch's tiles, counting only the pixels that count.

    maps: as the detector gave them. size: of a tile, (height, width). A score that sums up its map, as `share_of` says,
    is taken anew from the pixels of the map that count. Another one cannot be taken apart: the detector then scores a
    padded tile once more, without its padding, and a tile on the border of a region keeps its whole score; both warn.
    """
    found = scores.copy()
    for index, (cut, own) in enumerate(zip(cuts, maps, strict=True)):
        if cut.counts is None:
            continue
        share = share_of(scores[index], own)
        if share is not None:
            (settled,) = settle_maps([own], [cut.tile], size, image=image)
            found[index] = mean_of_highest(settled[cut.counts], share)
            continue
        if cut.tile.height < size[0] or cut.tile.width < size[1]:
            found[index] = _without_padding(calls, cut, image)
        if not cut.counts.all():
            _warn_of_border(calls)
    return found


def share_of(score: float, anomaly_map: NDArray[np.float32]) -> float | None:
    """Return the share of a map's highest values whose mean is `score`; None where it is no such mean.

    It is 0 for the maximum and 1 for the mean of all values; every score between the two has one, that of a detector
    which takes the mean of its top k values its k / n. Precise to one value.

    >>> share_of(3.5, np.array([[1, 4], [3, 2]], np.float32))
    0.5
    """
    highest, mean = float(anomaly_map.max()), float(anomaly_map.mean(dtype=np.float64))
    margin = _CLOSE * max(abs(highest), abs(mean))
    if abs(score - highest) <= margin:
        return 0.0
    if abs(score - mean) <= margin:
        return 1.0
    if not mean < score < highest:
        return None
    ordered = np.sort(anomaly_map, axis=None)[::-1]
    means = np.cumsum(ordered, dtype=np.float64) / np.arange(1, ordered.size + 1)
    return int(np.argmin(np.abs(means - score)) + 1) / ordered.size


def mean_of_highest(values: NDArray[np.float32], share: float) -> float:
    """Return the mean of that share of the values that is highest, at least of one."""
    count = max(1, round(share * values.size))
    return float(np.partition(values, values.size - count)[-count:].mean(dtype=np.float64))


def _without_padding(calls: Calls, cut: Cut, image: str) -> float:
    """Score the tile's real pixels alone."""
    assert cut.pixels is not None
    warnings.warn(
        f"an image smaller than a tile was scored once more without its padding: the score of a "
        f"{type(calls.detector).__name__} does not sum up its map; choose a tile that is no larger than the images, "
        f"or score_from='map'",
        IndustrialWarning,
        stacklevel=2,
    )
    tile = cut.tile
    real = cut.pixels[: tile.height, : tile.width]
    scores, _ = run_batch(calls, [real], [tile], image=image, want_scores=True, want_maps=False)
    assert scores is not None
    return float(scores[0])


def _warn_of_border(calls: Calls) -> None:
    warnings.warn(
        f"tiles on the border of the region of interest were scored whole: the score of a "
        f"{type(calls.detector).__name__} does not sum up its map; with score_from='map' only pixels inside count",
        IndustrialWarning,
        stacklevel=2,
    )
