"""Curves resolved until every number is known to the tolerance: more bins where they matter, and nowhere else.

The bins of a first pass are laid out from a sample. Where the error bound is larger than the tolerance, the bins that
cause it are divided in another pass over the kept scores; a bin whose scores are all equal is known, however many.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.keys import CHUNK, Keys
from pyimgano_industrial.metrics.levels import PREFIXES, Tree
from pyimgano_industrial.metrics.measures import Curve, Floats, Measure, Measured

_SAMPLE = 1 << 21  # pixels that the first bins are laid out from
_FIRST_BITS = 16  # after the first 16
_THREADS = 2
_STEP = 6  # bits by which a bin is divided
_MOST_BINS = 1 << 15  # that are divided at a time


@dataclass(frozen=True, eq=False)
class Pixels:
    """One image: all its keys, those of its defects, and the defects' keys with one weight a stream."""

    all: Keys
    defective: Keys
    found: Keys
    weights: Mapping[str, Floats]


Replay = Callable[[], Iterator[Pixels]]
Wanted = Mapping[str, tuple[str, Measure]]


def resolve(
    replay: Replay, wanted: Wanted, *, itemsize: int, tolerance: float
) -> tuple[dict[str, Measured], NDArray[np.uint64]]:
    """Return every wanted number (name -> stream, measure) with its bound, and the bins' smallest keys, falling."""
    streams = sorted({stream for stream, _ in wanted.values()})
    tree = Tree.of(_first_bits(replay, streams, wanted, itemsize, tolerance), itemsize=itemsize)
    watched: NDArray[np.bool_] | None = None
    known = tree.rest == 0
    while True:
        normal, found, mixed = _count(replay, tree, streams, watched)
        if watched is not None:
            known = (tree.rest == 0) | known | (watched & ~mixed)
        held = np.flatnonzero((normal > 0) | np.any([one > 0 for one in found.values()], axis=0))[::-1]
        curves = {stream: Curve(normal[held], found[stream][held], known[held]) for stream in streams}
        measured = {name: measure(curves[stream]) for name, (stream, measure) in wanted.items()}
        unsure = np.zeros(tree.size, bool)
        unsure[held[_unsure(list(measured.values()), tolerance)]] = True
        unsure &= ~known
        if not unsure.any():
            return measured, tree.start[held]
        bits = np.where(unsure, _STEP, 0)
        counts = 1 << np.minimum(bits, tree.rest)
        watched, known = np.repeat(unsure, counts), np.repeat(known, counts)
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


def _count(
    replay: Replay, tree: Tree, streams: Sequence[str], watched: NDArray[np.bool_] | None
) -> tuple[Floats, dict[str, Floats], NDArray[np.bool_]]:
    normal = np.zeros(tree.size, np.int64)
    found = {stream: np.zeros(tree.size) for stream in streams}
    seen, mixed = np.zeros(tree.size, bool), np.zeros(tree.size, bool)
    one = np.zeros(tree.size if watched is not None else 0, np.uint64)
    step = CHUNK * max(1, 2 * tree.size // CHUNK)
    with ThreadPoolExecutor(_THREADS) as pool:
        for pixels in replay():
            parts = [pixels.all[at : at + CHUNK] for at in range(0, pixels.all.size, CHUNK)]
            placed = pool.map(tree.bins, parts)  # numpy works on several at once
            for start in range(0, pixels.all.size, step):
                bins = np.concatenate(list(islice(placed, step // CHUNK)))
                _add(normal, bins, None)
                if watched is not None:
                    _compare(bins, pixels.all[start : start + step], watched, seen, one, mixed)
            _add_defects(normal, found, pixels, tree)
    return normal.astype(np.float64), found, mixed


def _add_defects(normal: NDArray[np.int64], found: dict[str, Floats], pixels: Pixels, tree: Tree) -> None:
    if pixels.found.size:
        if pixels.defective.size:
            _add(normal, tree.bins(pixels.defective), None, sign=-1)
        bins = tree.bins(pixels.found)
        for stream, totals in found.items():
            _add(totals, bins, pixels.weights[stream])


def _add(totals: NDArray[Any], bins: NDArray[np.int64], weights: Floats | None, *, sign: int = 1) -> None:
    lowest = bins.min().item()
    counts = np.bincount(bins - lowest, weights)
    totals[lowest : lowest + counts.size] += sign * counts if sign < 0 else counts


def _compare(
    bins: NDArray[np.int64],
    keys: Keys,
    watched: NDArray[np.bool_],
    seen: NDArray[np.bool_],
    one: NDArray[np.uint64],
    mixed: NDArray[np.bool_],
) -> None:
    """Mark the watched bins that hold two different keys."""
    inside = watched.take(bins)
    bins, keys = bins[inside], keys[inside]
    new = ~seen.take(bins)
    one[bins[new]] = keys[new]
    seen[bins[new]] = True
    mixed[bins[one.take(bins) != keys]] = True


def _first_bits(
    replay: Replay, streams: Sequence[str], wanted: Wanted, itemsize: int, tolerance: float
) -> NDArray[np.int64]:
    """Return how many bits more each prefix needs: an error of n w / 2 falls by half with each.

    Bins are dealt out in proportion to the square root of that error, which takes the fewest for a given sum.
    """
    whole = Tree.of(np.zeros(PREFIXES, np.int64), itemsize=itemsize)
    every = max(1, sum(pixels.all.size for pixels in replay()) // _SAMPLE)
    normal, found, _ = _count(lambda: _sampled(replay, every), whole, streams, None)
    normal, known = np.maximum(normal * every, 0), np.zeros(PREFIXES, bool)
    bits = np.zeros(PREFIXES, np.int64)
    for stream, measure in wanted.values():
        one = measure(Curve(normal[::-1], found[stream][::-1], known))
        if not one.worst:
            root = np.sqrt(one.errors[::-1])
            need = root * root.sum() / (tolerance / 2)
            bits = np.maximum(bits, np.ceil(np.log2(np.maximum(need, 1))).astype(np.int64))
    return bits.clip(max=_FIRST_BITS)


def _sampled(replay: Replay, every: int) -> Iterator[Pixels]:
    for pixels in replay():
        yield replace(pixels, all=pixels.all[::every], defective=pixels.defective[::every])
