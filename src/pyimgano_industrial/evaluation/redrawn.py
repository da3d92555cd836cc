"""The metrics of cells under draws of their images, the same draws for all cells that scored the same images."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.evaluation.counts import CellCounts
from pyimgano_industrial.evaluation.results import Cell, ImageRow
from pyimgano_industrial.metrics.measures import Measure, area, average_precision, best_f1

Floats = NDArray[np.float64]
Key = tuple[str, str]  # entry, category

_CHUNK = 1 << 22  # weights at a time


@dataclass(frozen=True)
class Images:
    """A cell with its images' scores, and what each of them adds to the curves of pixels; None: it was not kept."""

    cell: Cell
    counts: CellCounts | None = None


@dataclass(frozen=True)
class Scored:
    """Images in one order: (N,) each."""

    scores: Floats
    labels: NDArray[np.bool_]
    flagged: NDArray[np.bool_] | None
    kinds: tuple[str | None, ...]

    @classmethod
    def of(cls, rows: Sequence[ImageRow]) -> Scored:
        flagged = [row.flagged for row in rows]
        return cls(
            np.array([row.score for row in rows], float),
            np.array([row.label == 1 for row in rows]),
            None if None in flagged else np.array(flagged, bool),
            tuple(row.kind for row in rows),
        )


class Redrawn:
    """Draws the images of a category `draws` times and keeps what it found."""

    def __init__(self, draws: int, seed: int) -> None:
        self._draws, self._seed = draws, seed
        self._images: dict[Key, Images] = {}
        self._found: dict[tuple[str, Key, tuple[str, ...]], Floats] = {}

    def add(self, key: Key, images: Images) -> None:
        """Add a cell under a name."""
        self._images[key] = images

    def files(self, name: str, first: Key, other: Key) -> tuple[str, ...] | str:
        """Return the images that a metric of both cells rests on, in one order, or why they cannot be compared."""
        pair = [self._images.get(key) for key in (first, other)]
        if pair[0] is None or pair[1] is None:
            return "a run's files are not there"
        both = [_files(one, name) for one in pair if one is not None]
        if both[0] is None or both[1] is None:
            return "a run's files do not tell what each image adds to the curves: evaluate it again"
        if both[0] != both[1]:
            same = len(both[0] & both[1])
            return f"the runs did not score the same images: {same} of {len(both[0])} and {len(both[1])} are"
        files = tuple(sorted(both[0]))
        if not files:
            return "no image has a score"
        labels = [[row.label for row in _rows(one.cell, files)] for one in pair if one is not None]
        return "the runs label images differently" if labels[0] != labels[1] else files

    def values(self, name: str, key: Key, files: tuple[str, ...]) -> Floats:
        """Return a metric of a cell under each draw, (draws,), NaN where a draw lacks a class."""
        if (name, key, files) not in self._found:
            rng = np.random.default_rng([self._seed, *key[1].encode()])
            some = max(1, _CHUNK // len(files))
            found = []
            for start in range(0, self._draws, some):
                drawn = rng.integers(0, len(files), (min(self._draws - start, some), len(files)))
                times = np.stack([np.bincount(row, minlength=len(files)) for row in drawn]).astype(float)
                found.append(measured(name, self._images[key], files, times))
            self._found[name, key, files] = np.concatenate(found)
        return self._found[name, key, files]


def redrawable(name: str) -> bool:
    """Return whether a metric can be computed from draws of images."""
    return name in _OF_IMAGES or _of_pixels(name) is not None


def measured(name: str, images: Images, files: Sequence[str], times: Floats) -> Floats:
    """Return a metric under draws of images, (draws,); times: (draws, images), how often each of `files` is drawn."""
    if name in _OF_IMAGES:
        return _OF_IMAGES[name](Scored.of(_rows(images.cell, files)), times)
    part, measure = _of_pixels(name) or ("", None)
    assert images.counts is not None
    counts = images.counts.of(part, files)
    if measure is None:
        return counts.f1_draws(times)
    streams = [stream for stream in counts.found if part == "spro" or stream == measure[0]]
    found = counts.draws({stream: (stream, measure[1]) for stream in streams}, times)
    mean: Floats = np.mean(list(found.values()), axis=0)
    return mean


def _of_pixels(name: str) -> tuple[str, tuple[str, Measure] | None] | None:
    """Return the part of a cell's counts, the stream ("": their mean counts) and what is measured of it."""
    start, _, limit = name.partition("@")
    if start == "aupro" and limit:
        return "pixels", ("regions", area(float(limit)))
    if start == "au_spro" and limit:
        return "spro", ("", area(float(limit)))
    return _PLAIN.get(name)


def _files(images: Images, name: str) -> set[str] | None:
    if name in _OF_IMAGES:
        return {row.file for row in images.cell.images if row.score is not None}
    part, _ = _of_pixels(name) or ("", None)
    if images.counts is None or part not in images.counts.parts:
        return None
    return set(images.counts.files) & {row.file for row in images.cell.images}


def _rows(cell: Cell, files: Sequence[str]) -> list[ImageRow]:
    rows = {row.file: row for row in cell.images}
    return [rows[file] for file in files]


# Metrics of images, under each row of weights (draws, N).


def auroc(scores: Floats, labels: NDArray[np.bool_], weights: Floats) -> Floats:
    """Return the AUROC under each row of weights: scores (N,), labels (N,), weights (draws, N); NaN without a class."""
    positive, negative = _tied(scores, labels, weights)
    above = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = 1 - (positive * above).sum(axis=1) / pairs
    return found


def _tied(scores: Floats, labels: NDArray[np.bool_], weights: Floats) -> tuple[Floats, Floats]:
    """Return the weights of anomalous and normal images at each score, from the highest, (draws, scores)."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.nan) != 0)
    positive, negative = (
        np.add.reduceat(weights[:, order] * chosen[order], starts, axis=1) for chosen in (labels, ~labels)
    )
    return positive, negative


def _image_auroc(one: Scored, weights: Floats) -> Floats:
    return auroc(one.scores, one.labels, weights)


def _image_auroc_mean(one: Scored, weights: Floats) -> Floats:
    """Return the mean over the kinds of anomaly, each with the good images."""
    kinds = sorted({f"{kind}" for kind, label in zip(one.kinds, one.labels, strict=True) if label})
    of_kind = np.array([f"{kind}" for kind in one.kinds])
    found = [auroc(one.scores, one.labels, weights * (~one.labels | (of_kind == kind))) for kind in kinds]
    mean: Floats = np.mean(found, axis=0)
    return mean


def _image_ap(one: Scored, weights: Floats) -> Floats:
    positive, negative = _tied(one.scores, one.labels, weights)
    hits, alarms = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
    precision = np.divide(hits, hits + alarms, out=np.zeros_like(hits), where=hits > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (positive * precision).sum(axis=1) / hits[:, -1]
    return np.where(alarms[:, -1] > 0, found, np.nan)


def _class_f1_best(one: Scored, weights: Floats) -> Floats:
    positive, negative = _tied(one.scores, one.labels, weights)
    hits, alarms = np.cumsum(positive, axis=1), np.cumsum(negative, axis=1)
    total = hits[:, -1:]
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = np.where(hits > 0, 2 * hits / (hits + alarms + total), 0.0).max(axis=1)
    return np.where((total[:, 0] > 0) & (alarms[:, -1] > 0), found, np.nan)


def _class_f1(one: Scored, weights: Floats) -> Floats:
    if one.flagged is None:
        return np.full(len(weights), np.nan)
    hits = weights @ (one.flagged & one.labels).astype(float)
    all_of = weights @ one.flagged.astype(float) + weights @ one.labels.astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = 2 * hits / all_of
    return found


_OF_IMAGES: dict[str, Callable[[Scored, Floats], Floats]] = {
    "image_auroc": _image_auroc,
    "image_auroc_mean": _image_auroc_mean,
    "image_ap": _image_ap,
    "class_f1": _class_f1,
    "class_f1_best": _class_f1_best,
}
_PLAIN: Mapping[str, tuple[str, tuple[str, Measure] | None]] = {
    "pixel_auroc": ("pixels", ("pixels", area(1.0))),
    "pixel_ap": ("pixels", ("pixels", average_precision)),
    "seg_f1": ("pixels", None),
    "seg_f1_best": ("pixels", ("pixels", best_f1)),
}
