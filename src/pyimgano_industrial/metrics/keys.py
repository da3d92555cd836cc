"""Scores as unsigned integers in the same order, so that a bin is a prefix and every score has one exactly."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

Keys = NDArray[np.uint32] | NDArray[np.uint64]
CHUNK = 1 << 17  # pixels at a time, so that the steps stay in the processor's cache
_SIGNED = {4: (np.int32, np.uint32), 8: (np.int64, np.uint64)}


def each_chunk(work: Callable[[int], object], size: int) -> None:
    """Call `work` with the start of each chunk, two at a time where there are many."""
    starts = range(0, size, CHUNK)
    if len(starts) < 4:
        for start in starts:
            work(start)
        return
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(work, starts))


def to_keys(values: NDArray[Any]) -> Keys:
    """Return one key for each float32 or float64 value, (N,) uint32 or uint64; -0 has the key of 0.

    >>> keys = to_keys(np.array([-1.5, -0.0, 0.0, 2.0], np.float32))
    >>> (np.diff(keys.astype(np.int64)) > 0).tolist()
    [True, False, True]
    """
    signed, unsigned = _SIGNED[values.dtype.itemsize]
    keys = np.empty(values.size, unsigned)
    flat = values.reshape(-1)
    bits_of_sign = 8 * values.dtype.itemsize - 1
    top = -(1 << bits_of_sign)

    def place(start: int) -> None:
        bits = (flat[start : start + CHUNK] + values.dtype.type(0)).view(signed)
        flips = bits >> signed(bits_of_sign)
        flips |= signed(top)
        np.bitwise_xor(bits, flips, out=keys[start : start + CHUNK].view(signed))

    each_chunk(place, flat.size)
    return keys


def to_value(key: int, itemsize: int) -> float:
    """Return the score of a key; a key below that of the smallest number gives minus infinity."""
    _, unsigned = _SIGNED[itemsize]
    lowest = to_keys(np.array([-np.inf], f"f{itemsize}"))[0].item()
    key, sign = max(key, lowest), 1 << (8 * itemsize - 1)
    if key == sign - 1:
        key -= 1  # no score has the key of -0: the next one below 0
    bits = key ^ sign if key & sign else ~key & (2 * sign - 1)
    value: float = np.array(bits, unsigned).view(f"f{itemsize}").item()
    return value


def highest_key_up_to(value: float, itemsize: int) -> int:
    """Return the key of the largest float32 or float64 that is at most `value`."""
    kind = np.dtype(f"f{itemsize}").type
    with np.errstate(over="ignore"):
        near = kind(value)
    if float(near) > value:
        near = np.nextafter(near, kind(-np.inf))
    key: int = to_keys(np.array([near]))[0].item()
    return key
