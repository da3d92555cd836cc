"""Curves resolved until every number is known to the tolerance: more bins where they matter, and nowhere else.

A sample tells which scores matter, and whether bins of equal width will do. What they leave open, or what is not even
worth the attempt, is left to a tree of bins: those that cause the error are divided in another pass over the scores; a
bin whose scores are all equal is known, however many.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.counting import NARROW, Counts, Pixels, Replay, Ties, count
from pyimgano_industrial.metrics.layout import Edges, Layout, Linear, Relative
from pyimgano_industrial.metrics.levels import PREFIXES, Tree
from pyimgano_industrial.metrics.measures import Measure, Measured

_FEW = 1 << 16  # pixels of the sample, and of defects, that tell which scores matter
_COARSE = 1 << 11  # bins that tell so
_TRIAL = 1 << 14  # bins that tell how many are needed
_ROOM = 0.6  # of twice the bins that the sample tells; so many will do where that makes them few
_TIED = 1 << 17  # bins that part the scores where these are few
_ENOUGH = 1 << 17  # bins of equal width, no more of which are tried for fewer ones
_MOST_EVEN = 1 << 20
_MANY = 0.8  # of the scores that do not matter: so many are better left out than counted
_MARGIN = 16  # coarse bins below the lowest that matters
_FIRST_BITS = 16  # after the first 16
_STEP = 6  # bits by which a bin is divided
_MOST_BINS = 1 << 15  # that are divided at a time

Wanted = Mapping[str, tuple[str, Measure]]


@dataclass(frozen=True, eq=False)
class Resolved:
    """numbers: by the wanted names; below: gives the largest score beneath a bin, for `Measured.best`."""

    numbers: Mapping[str, Measured]
    below: Callable[[int], float]


@dataclass(frozen=True)
class Task:
    """What is wanted from which images."""

    replay: Replay
    wanted: Wanted
    itemsize: int
    tolerance: float

    @property
    def streams(self) -> list[str]:
        return sorted({stream for stream, _ in self.wanted.values()})

    def measured(self, counts: Counts, layout: Layout, known: NDArray[np.bool_]) -> tuple[Resolved, NDArray[np.int64]]:
        """Return every number, and the bins of its errors."""
        curves, held = counts.curves(self.streams, known)
        numbers = {name: measure(curves[stream]) for name, (stream, measure) in self.wanted.items()}
        return Resolved(numbers, lambda number: layout.below(held[number].item())), held

    def excess(self, resolved: Resolved) -> float:
        """Return the largest bound, as a multiple of the tolerance."""
        return max(one.bound for one in resolved.numbers.values()) / self.tolerance


def resolve(
    replay: Replay, sample: Sequence[Pixels], every: int, wanted: Wanted, *, itemsize: int, tolerance: float
) -> Resolved:
    """Return every wanted number (name -> stream, measure) with its bound, at most the tolerance.

    sample: the images with one in `every` of their scores, and all that are found
    """
    task = Task(replay, wanted, itemsize, tolerance)
    sample = _together(sample)
    return _even(task, sample, every) or _divided(task, sample, every)


def _together(sample: Sequence[Pixels]) -> list[Pixels]:
    """Return the images that count in the same streams as one."""
    groups: dict[tuple[str, ...], list[Pixels]] = {}
    for pixels in sample:
        groups.setdefault(tuple(sorted(pixels.weights)), []).append(pixels)
    return [
        Pixels(
            np.concatenate([one.all for one in group]),
            np.concatenate([one.defective for one in group]),
            np.concatenate([one.found for one in group]),
            {stream: np.concatenate([one.weights[stream] for one in group]) for stream in streams},
        )
        for streams, group in groups.items()
    ]


def _thinned(pixels: Pixels, every: int, every_found: int) -> Pixels:
    weights = {stream: every_found * one[::every_found] for stream, one in pixels.weights.items()}
    return Pixels(pixels.all[::every], pixels.defective[::every], pixels.found[::every_found], weights)


def _even(task: Task, sample: Sequence[Pixels], every: int) -> Resolved | None:
    """Return the numbers from bins of equal width, or None where these are not enough."""
    low, high = _that_matter(task, sample, every)
    trials: list[tuple[int, bool, Callable[[int], Layout | None]]] = []
    for one in (Linear.of, Relative.of):
        make: Callable[[int], Layout | None] = partial(one, low, high, itemsize=task.itemsize)
        trial = _trial(task, sample, every, make)
        trials += [] if trial is None else [(*trial, make)]
        if trial is not None and trial[0] <= _ENOUGH:
            break
    if not trials:
        return None
    size, tied, laid_out = min(trials, key=lambda trial: trial[:2])
    layout = laid_out(size) if size <= _MOST_EVEN else None
    if layout is None:
        return None
    tied = tied or layout.size < size // 2  # where there are not as many floats
    ties = Ties(np.full(layout.size, tied), itemsize=task.itemsize)
    beneath = sum(np.count_nonzero(one.all <= low) for one in sample) > _MANY * sum(one.all.size for one in sample)
    above = low if beneath and not tied else None
    counts = count(task.replay, layout, task.streams, ties if tied else None, above=above)
    resolved, _ = task.measured(counts, layout, ties.single)
    return resolved if task.excess(resolved) <= 1 else None


def _that_matter(task: Task, sample: Sequence[Pixels], every: int) -> tuple[float, float]:
    """Return the range of the scores that may add to an error, with some room below."""
    few, few_found = (
        max(1, sum(sizes) // _FEW) for sizes in zip(*((one.all.size, one.found.size) for one in sample), strict=True)
    )
    thin = [_thinned(pixels, few, few_found) for pixels in sample]
    scores = np.sort(np.concatenate([one for pixels in thin for one in (pixels.all, pixels.found)]))
    edges = Edges(np.unique(scores[:: max(1, scores.size // _COARSE)]))
    counts = count(lambda: iter(thin), edges, task.streams).scaled(few * every)
    resolved, held = task.measured(counts, edges, np.zeros(edges.size, bool))
    unsure = np.any([one.errors > 0 for one in resolved.numbers.values()], axis=0)
    lowest = held[unsure].min(initial=edges.size) - _MARGIN
    low = edges.edges[lowest] if lowest >= 0 else min(pixels.all.min() for pixels in sample)
    return float(low), float(max(one.max() for one in (*(pixels.all for pixels in sample), scores)))


def _trial(
    task: Task, sample: Sequence[Pixels], every: int, make: Callable[[int], Layout | None]
) -> tuple[int, bool] | None:
    """Return how many bins are needed, as a few bins of the sample tell, and whether they must look for ties."""
    layout = make(_TRIAL)
    if layout is None:
        return None
    nothing = np.zeros(layout.size, bool)
    counts = count(lambda: iter(sample), layout, task.streams).scaled(every)
    size = 2 * layout.size * task.excess(task.measured(counts, layout, nothing)[0])  # it is in proportion to the width
    if size > 4 * _TIED:
        ties = Ties(~nothing, itemsize=task.itemsize)
        counts = count(lambda: iter(sample), layout, task.streams, ties).scaled(every)
        fewer = 2 * layout.size * task.excess(task.measured(counts, layout, ties.single)[0])
        if max(fewer, _TIED) < size / 4:
            return max(int(fewer), _TIED), True
    return max(int(min(size, max(NARROW, _ROOM * size))), _TRIAL), False


def _divided(task: Task, sample: Sequence[Pixels], every: int) -> Resolved:
    """Return the numbers from a tree of bins, divided until they are known."""
    tree = Tree.of(_first_bits(task, sample, every), itemsize=task.itemsize)
    ties: Ties | None = None
    known = tree.rest == 0
    while True:
        counts = count(task.replay, tree, task.streams, ties)
        if ties is not None:
            known = (tree.rest == 0) | known | ties.single
        resolved, held = task.measured(counts, tree, known)
        unsure = np.zeros(tree.size, bool)
        unsure[held[_unsure(list(resolved.numbers.values()), task.tolerance)]] = True
        unsure &= ~known
        if not unsure.any():
            return resolved
        bits = np.where(unsure, _STEP, 0)
        parts = 1 << np.minimum(bits, tree.rest)
        ties, known = Ties(np.repeat(unsure, parts), itemsize=task.itemsize), np.repeat(known, parts)
        tree = tree.divided(bits)


def _unsure(measured: Sequence[Measured], tolerance: float) -> NDArray[np.bool_]:
    """Return the bins that must be divided so that every bound falls to half the tolerance, at most so many."""
    chosen = np.zeros(measured[0].errors.size, bool)
    for one in measured:
        if one.bound <= tolerance:
            continue
        if one.worst:
            chosen |= one.errors > tolerance / 2
            continue
        order = np.argsort(one.errors)
        chosen[order[np.cumsum(one.errors[order]) > tolerance / 2]] = True
    if np.count_nonzero(chosen) > _MOST_BINS:
        errors = np.where(chosen, np.max([one.errors for one in measured], axis=0), 0)
        chosen = np.zeros_like(chosen)
        chosen[np.argpartition(errors, -_MOST_BINS)[-_MOST_BINS:]] = True
    return chosen


def _first_bits(task: Task, sample: Sequence[Pixels], every: int) -> NDArray[np.int64]:
    """Return how many bits more each prefix needs: an error of n w / 2 falls by half with each.

    Bins are dealt out in proportion to the square root of that error, which takes the fewest for a given sum.
    """
    whole = Tree.of(np.zeros(PREFIXES, np.int64), itemsize=task.itemsize)
    counts = count(lambda: iter(sample), whole, task.streams).scaled(every)
    resolved, held = task.measured(counts, whole, np.zeros(PREFIXES, bool))
    bits = np.zeros(PREFIXES, np.int64)
    for one in resolved.numbers.values():
        if not one.worst:
            root = np.sqrt(one.errors)
            need = root * root.sum() / (task.tolerance / 2)
            bits[held] = np.maximum(bits[held], np.ceil(np.log2(np.maximum(need, 1))).astype(np.int64))
    return bits.clip(max=_FIRST_BITS)
