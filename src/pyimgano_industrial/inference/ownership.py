"""Which maps of a detector may be kept as they are, and which must be copied: decided anew for every batch.

A detector may write its next maps into the memory of its last ones: always, in turns, or from some call on. That it
has not done so yet proves nothing. What proves that it cannot is that nobody else refers to the memory: what an array
of numpy's owns is alive by references only (of arrays, views, tensors, buffers), and CPython counts them.
"""

from __future__ import annotations

import sys
import weakref
from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Keep = Literal["each", "together"]


def kept(maps: list[NDArray[np.float32]], *, keep: Keep) -> Iterator[NDArray[np.float32]]:
    """Yield maps that nobody else can change; those that somebody else refers to are copied.

    maps: the caller's only reference to them. keep: "each": none may hold the memory of another; "together": all live
    as long as one does, so they may be the parts of one array.
    """
    free = _free(maps, keep)
    for index, one in enumerate(maps):
        yield one if index in free else one.copy()


def _free(maps: list[NDArray[np.float32]], keep: Keep) -> set[int]:
    """Return the indices of maps that need no copy."""
    owners: dict[int, list[int]] = defaultdict(list)
    if _ALONE is not None:
        for index in range(len(maps)):  # a loop over the maps would refer to them
            if _references(maps, index) == _ALONE and maps[index].flags.c_contiguous:
                owners[id(maps[index] if maps[index].base is None else maps[index].base)].append(index)
    return {
        index
        for indices in owners.values()
        if (keep == "together" or len(indices) == 1) and _are_all_of_it(maps, indices)
        for index in indices
    }


def _are_all_of_it(maps: list[NDArray[np.float32]], indices: list[int]) -> bool:
    """Return whether maps of one owner are its only references and, side by side, the whole of its memory."""
    whole = maps[indices[0]].base is None
    owner: Any = maps[indices[0]] if whole else maps[indices[0]].base
    if type(owner) is not np.ndarray or not owner.flags.owndata or weakref.getweakrefcount(owner):
        return False
    end = _address(owner)
    for start, size in sorted((_address(maps[index]), maps[index].nbytes) for index in indices):
        if start != end:
            return False
        end += size
    if end != _address(owner) + owner.nbytes:
        return False
    del owner
    return whole or _references_of_base(maps, indices[0]) - len(indices) == _VIEWED


def _address(array: NDArray[Any]) -> int:
    address: int = array.__array_interface__["data"][0]
    return address


def _references(maps: list[NDArray[np.float32]], index: int) -> int:
    return sys.getrefcount(maps[index])


def _references_of_base(maps: list[NDArray[np.float32]], index: int) -> int:
    return sys.getrefcount(maps[index].base)


def _counts() -> tuple[int | None, int]:
    """Return what the two functions above give for a map that is in its list only, and for a base beside its views.

    Versions of CPython differ in what a call itself holds; an interpreter that does not count gives None: copy all.
    """
    if sys.implementation.name != "cpython":
        return None, 0
    views = [np.empty((1, 2, 2), np.float32)[0]]
    return _references([np.empty((2, 2), np.float32)], 0), _references_of_base(views, 0) - 1


_ALONE, _VIEWED = _counts()
