"""Normal pixels and weights of defects counted bin by bin, a few images at a time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.layout import Bins, Layout
from pyimgano_industrial.metrics.measures import Curve, Floats

_THREADS = 2  # numpy works on several at once
_CHUNK = 1 << 16  # pixels that are turned into bins at once, in the processor's cache
_BUFFER = 3 * 2**20  # bytes of bins that are counted at once: less than numpy takes large pages for
NARROW = 1 << 16  # bins that are counted as 16-bit numbers
_MOST_FLOAT = 1 << 17  # bins that are counted as float32
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class Pixels:
    """One image: all its scores, those of its defects, and the defects' scores with one weight a stream.

    An image counts in the streams that have weights, empty ones where it is good.
    """

    all: NDArray[Any]
    defective: NDArray[Any]
    found: NDArray[Any]
    weights: Mapping[str, Floats]


Replay = Callable[[], Iterator[Pixels]]


class Ties:
    """Finds out which of the bins that are asked for hold one score only, if any."""

    def __init__(self, asked: NDArray[np.bool_], *, itemsize: int) -> None:
        self._lock = Lock()
        self.single = asked.copy()  # a bin that is not is never asked for again
        self._one: NDArray[Any] = np.full(asked.size, np.nan, f"f{itemsize}")  # the first score seen

    def see(self, bins: Bins, values: NDArray[Any]) -> None:
        other = self._one.take(bins) != values
        other &= self.single.take(bins)
        places = np.flatnonzero(other)
        bins, values = bins[places], values[places]
        with self._lock:
            new = np.isnan(self._one[bins])
            self._one[bins[new]] = values[new]
            self.single[bins[self._one[bins] != values]] = False


@dataclass(frozen=True, eq=False)
class Counts:
    """normal: the streams that an image counts in -> (bins,) pixels; found: stream -> (bins,) weight."""

    normal: Mapping[tuple[str, ...], NDArray[np.int64]]
    found: Mapping[str, Floats]

    def scaled(self, every: int) -> Counts:
        """Return the counts of all pixels, from those of a sample."""
        return Counts({key: np.maximum(one, 0) * every for key, one in self.normal.items()}, self.found)

    def curves(self, streams: Sequence[str], known: NDArray[np.bool_]) -> tuple[dict[str, Curve], NDArray[np.int64]]:
        """Return a curve for each stream, of the bins that hold anything, falling, and these bins."""
        each = [*self.normal.values(), *self.found.values()]
        held = np.flatnonzero(np.any([one != 0 for one in each], axis=0))[::-1]
        normal = {key: one[held].astype(float) for key, one in self.normal.items()}
        return {
            stream: Curve(
                np.sum([one for key, one in normal.items() if stream in key], axis=0),
                self.found[stream][held],
                known[held],
            )
            for stream in streams
        }, held


def count(
    replay: Replay,
    layout: Layout,
    streams: Sequence[str],
    ties: Ties | None = None,
    *,
    above: float | None = None,
) -> Counts:
    """Return the counts of all images; `ties` sees every pixel.

    above: a score up to which all lie in the first bin; these are told by what is left
    """
    normal: dict[tuple[str, ...], NDArray[np.int64]] = {}
    found: dict[str, Floats] = {stream: np.zeros(layout.size) for stream in streams}
    kind = np.dtype(np.int64) if ties is not None else kind_of(layout.size)
    most = step_of(kind)
    buffers: SimpleQueue[NDArray[Any]] = SimpleQueue()
    for _ in range(_THREADS):
        buffers.put(np.empty(0, kind))

    def of_one(pixels: Pixels) -> tuple[Pixels, list[NDArray[Any]]]:
        buffer = buffers.get()
        try:
            if buffer.size < min(pixels.all.size, most):
                buffer = np.empty(min(pixels.all.size, most), kind)
            steps = (pixels.all[at : at + most] for at in range(0, pixels.all.size, most))
            return pixels, [_counted(step, layout, buffer[: step.size], ties, above) for step in steps]
        finally:
            buffers.put(buffer)

    for pixels, parts in _ahead(of_one, replay()):
        key = tuple(sorted(pixels.weights))
        if key not in normal:
            normal[key] = np.zeros(layout.size, np.int64)
        for counts in parts:
            normal[key] += counts.astype(np.int64)
        _add_defects(normal[key], found, pixels, layout)
    return Counts(normal, found)


def kind_of(size: int) -> np.dtype[Any]:
    """Return the type of number in which so many bins are counted fastest."""
    return np.dtype(np.uint16 if size <= NARROW else np.float32 if size <= _MOST_FLOAT else np.int64)


def step_of(kind: np.dtype[Any]) -> int:
    """Return how many pixels are counted at once; OpenCV's counts are float32, which holds all up to 2 ** 24."""
    return _BUFFER // kind.itemsize


def histogram(bins: NDArray[Any], size: int) -> NDArray[Any]:
    """Return how often each of `size` bins is there, exactly; bins: (N,) of a type from `kind_of`, N up to its step.

    OpenCV's histogram lets other threads work meanwhile, and takes half the time of numpy's.
    """
    if bins.dtype == np.int64:
        return np.bincount(bins, minlength=size)
    import cv2

    counts: NDArray[Any] = cv2.calcHist([bins[None]], [0], None, [size], [0.0, float(size)])
    return counts.reshape(-1)


def _counted(
    values: NDArray[Any], layout: Layout, bins: NDArray[Any], ties: Ties | None, above: float | None
) -> NDArray[Any]:
    counted = 0
    for start in range(0, values.size, _CHUNK):
        part = values[start : start + _CHUNK]
        if above is not None:
            part = part[np.flatnonzero(part > above)]
        layout.bins(part, bins[counted : counted + part.size])
        counted += part.size
    if ties is not None:
        ties.see(bins, values)
    counts = histogram(bins[:counted], layout.size)
    counts[0] += values.size - counted
    return counts


def _add_defects(normal: NDArray[np.int64], found: Mapping[str, Floats], pixels: Pixels, layout: Layout) -> None:
    np.subtract.at(normal, layout.bins(pixels.defective), 1)
    bins = layout.bins(pixels.found)
    for stream, weights in pixels.weights.items():
        np.add.at(found[stream], bins, weights)


def _ahead(work: Callable[[_Item], _Result], items: Iterable[_Item]) -> Iterator[_Result]:
    """Yield the result of each item in order, worked out by threads that are a few items ahead."""
    waiting: deque[Future[_Result]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > _THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
