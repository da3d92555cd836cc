"""A few images of a cell, small, with mask and map on one scale: what a report shows without the data set."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import DatasetError
from pyimgano_industrial.core.images import write_png
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.masks import reduce_mask
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.evaluation.normals import below
from pyimgano_industrial.evaluation.results import Preview, Role, Scale

SIDE = 320  # pixels of the longer side
EACH = 3  # images of each label and role


@dataclass(order=True)
class _Kept:
    rank: float
    order: int
    sample: Sample = field(compare=False)
    score: float = field(compare=False)
    small: NDArray[np.float32] | None = field(compare=False)


class Gallery:
    """Keeps the maps of the best and the worst images, small, while all pass by."""

    def __init__(self, *, each: int = EACH, side: int = SIDE) -> None:
        self._each, self._side, self._seen = each, side, 0
        self._heaps: dict[tuple[int, Role], list[_Kept]] = {}

    def add(self, sample: Sample, score: float, anomaly_map: NDArray[np.float32] | None) -> None:
        """Keep an image if it is among the extreme ones of its label so far."""
        label = sample.label or 0
        self._seen += 1
        small: NDArray[np.float32] | None = None
        roles: tuple[tuple[Role, int], ...] = (("best", 1 if label else -1), ("worst", -1 if label else 1))
        for role, sign in roles:
            heap = self._heaps.setdefault((label, role), [])
            if len(heap) == self._each and sign * score <= heap[0].rank:
                continue
            if small is None and anomaly_map is not None:
                small = shrunk(anomaly_map, small_size(anomaly_map.shape, self._side))
            kept = _Kept(sign * score, -self._seen, sample, score, small)
            (heapq.heappush if len(heap) < self._each else heapq.heapreplace)(heap, kept)

    def write(
        self, folder: Path, dataset: FolderDataset, *, threshold: float | None
    ) -> tuple[tuple[Preview, ...], Scale | None]:
        """Write the PNG files below a cell's folder, and return what they are; images that cannot be read are left out.

        threshold: of pixels, which the scale then holds, so that a contour can be drawn.
        """
        chosen = list(self._chosen())
        scale = scale_of((kept.small for _, kept in chosen if kept.small is not None), threshold)
        found = []
        for number, (role, kept) in enumerate(chosen):
            try:
                image = dataset.image(kept.sample)
                mask = dataset.mask(kept.sample) if kept.sample.label else None
            except DatasetError:
                continue
            size = small_size(image.shape, self._side)
            files = {"image": _small(image, size), "mask": None, "map": None}
            if mask is not None and mask.any():
                files["mask"] = reduce_mask(mask, size).astype(np.uint8) * 255
            if kept.small is not None and scale is not None:
                files["map"] = grey(kept.small, scale)
            names = {what: _write(folder, f"{number:02}_{what}.png", one) for what, one in files.items()}
            sample = kept.sample
            found.append(
                Preview(
                    below(dataset, sample),
                    1 if sample.label else 0,
                    kept.score,
                    role,
                    **names,  # type: ignore[arg-type] # the image is there
                    kind=sample.anomaly_type,
                    lighting=sample.lighting,
                )
            )
        return tuple(found), scale

    def _chosen(self) -> Iterator[tuple[Role, _Kept]]:
        """Yield each image once: where there are few, the best are the worst as well."""
        taken: set[Path] = set()
        for label in (1, 0):
            for role in ("worst", "best"):
                heap = self._heaps.get((label, role), [])
                for kept in sorted(heap, reverse=True):
                    if kept.sample.image not in taken:
                        taken.add(kept.sample.image)
                        yield role, kept


def small_size(shape: tuple[int, ...], side: int = SIDE) -> tuple[int, int]:
    """Return (h, w) with the longer side at most `side` pixels.

    >>> small_size((1000, 2000)), small_size((8, 12))
    ((160, 320), (8, 12))
    """
    factor = min(1.0, side / max(shape[:2]))
    return max(1, round(shape[0] * factor)), max(1, round(shape[1] * factor))


def shrunk(anomaly_map: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return a map made smaller so that no peak vanishes: each pixel is the maximum of those that it covers.

    >>> shrunk(np.array([[0, 0, 3, 0]], np.float32), (1, 2)).tolist()
    [[0.0, 3.0]]
    """
    found = anomaly_map
    for axis, length in enumerate(size):
        if found.shape[axis] > length:
            starts = np.arange(length) * found.shape[axis] // length
            found = np.maximum.reduceat(found, starts, axis=axis)
    return found


def scale_of(maps: Iterable[NDArray[np.float32]], threshold: float | None) -> Scale | None:
    """Return one scale for all maps: from their low scores to high ones, or to a few times the threshold of pixels."""
    ends = [np.quantile(one, (0.01, 0.995)).tolist() for one in maps]
    if not ends:
        return None
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if threshold is not None:  # a fifth to three quarters of the way, so that a contour there can be drawn
        low = min(low, threshold)
        high = float(np.clip(high, threshold + (threshold - low) / 3, threshold + 4 * (threshold - low)))
    return Scale(low, high if high > low else low + 1.0)


def grey(anomaly_map: NDArray[np.float32], scale: Scale) -> NDArray[np.uint8]:
    """Return a map as (h, w) uint8, 0 at `scale.low` and 255 at `scale.high`."""
    share = (anomaly_map.astype(np.float64) - scale.low) / (scale.high - scale.low)
    pixels: NDArray[np.uint8] = np.rint(share.clip(0, 1) * 255).astype(np.uint8)
    return pixels


def _small(image: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    import cv2

    found: NDArray[np.uint8] = cv2.resize(image, size[::-1], interpolation=cv2.INTER_AREA)
    return found


def _write(folder: Path, name: str, pixels: NDArray[Any] | None) -> str | None:
    if pixels is None:
        return None
    write_png(folder / "previews" / name, pixels)
    return f"previews/{name}"
