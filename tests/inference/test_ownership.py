"""Maps that are kept never change, whatever the detector does later; those that nobody else has are not copied."""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.inference import infer, infer_iter
from pyimgano_industrial.inference.ownership import kept

IMAGES = [np.full((4, 6, 3), 10 * index, np.uint8) for index in range(12)]
HABITS = ("fresh", "first buffer", "second buffer", "larger buffer", "keeps it", "keeps a view", "keeps bytes", "same")
Maps = np.ndarray | list[np.ndarray]


class Scribbles:
    """Follows one habit a call, and first writes into all memory that it still reaches."""

    def __init__(self, *habits: str) -> None:
        self.habits, self.calls, self.reach = habits, 0, [np.zeros((3, 4, 6), np.float32) for _ in range(2)]
        self.large, self.bytes = np.zeros((5, 4, 6), np.float32), []

    def score_and_map(self, images: list[np.ndarray]) -> tuple[list[float], Maps]:
        for one in [*self.reach, self.large, *map(np.asarray, self.bytes)]:
            one[...] = -1
        found = self.made(np.stack([one[..., 0] for one in images]), self.habits[self.calls % len(self.habits)])
        self.calls += 1
        return [one.max() for one in found], found

    def made(self, values: np.ndarray, habit: str) -> Maps:
        if habit == "fresh":
            return values.astype(np.float32)
        if habit == "keeps it":
            self.reach.append(values.astype(np.float32))
            return self.reach[-1]
        if habit == "keeps a view":
            maps = values.astype(np.float32)
            self.reach.append(maps[1:])
            return maps
        if habit == "keeps bytes":
            maps = values.astype(np.float32)
            self.bytes.append(memoryview(maps))
            return maps
        if habit == "same":  # one memory for every image of the batch, which has one value
            self.reach.append(np.zeros((4, 6), np.float32))
            self.reach[-1][...] = values[0]
            return [self.reach[-1]] * len(values)
        buffer = {"first buffer": self.reach[0], "second buffer": self.reach[1]}.get(habit, self.large)
        buffer[: len(values)] = values
        return buffer[: len(values)]


def wanted(habits: tuple[str, ...], batch_size: int) -> list[float]:
    """Return the value that each map has all over."""
    starts = [index - index % batch_size for index in range(len(IMAGES))]
    return [
        10.0 * (start if habits[start // batch_size % len(habits)] == "same" else index)
        for index, start in enumerate(starts)
    ]


@given(st.lists(st.sampled_from(HABITS), min_size=1, max_size=6), st.integers(1, 3))
def test_a_kept_map_never_changes(habits: list[str], batch_size: int) -> None:
    given, values = tuple(habits), wanted(tuple(habits), batch_size)
    for run in (infer, infer_iter):
        results = list(run(Scribbles(*given), IMAGES, include_maps=True, batch_size=batch_size))
        for index, (result, value) in enumerate(zip(results, values, strict=True)):
            assert (result.anomaly_map == value).all(), (run.__name__, index)


@pytest.mark.parametrize(
    "habits",
    [
        ("first buffer",),
        ("first buffer", "second buffer"),
        ("fresh", "fresh", "fresh", "first buffer"),
        ("keeps it", "fresh"),
    ],
)
def test_a_buffer_is_noticed_whenever_it_is_used_again(habits: tuple[str, ...]) -> None:
    results = infer(Scribbles(*habits), IMAGES, include_maps=True, batch_size=3)
    assert [one.anomaly_map.max() for one in results] == wanted(habits, 3)
    owners = [one.anomaly_map.base for one in results]
    assert [owner is None for owner in owners] == [habits[i // 3 % len(habits)] != "fresh" for i in range(12)]


def test_fresh_maps_are_kept_as_they_are_by_a_list_and_one_by_one_otherwise() -> None:
    made: list[int] = []

    class Fresh:
        def score_and_map(self, images: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
            maps = np.stack([one[..., 0] for one in images]).astype(np.float32)
            made.append(maps.__array_interface__["data"][0])
            return maps.max(axis=(1, 2)), maps

    listed = infer(Fresh(), IMAGES, include_maps=True, batch_size=4)
    assert [one.anomaly_map.base.__array_interface__["data"][0] for one in listed[::4]] == made
    alone = list(infer_iter(Fresh(), IMAGES, include_maps=True, batch_size=4))
    assert all(one.anomaly_map.base is None for one in alone)


def test_maps_of_a_list_do_not_share_memory() -> None:
    results = infer(Scribbles("fresh"), IMAGES, include_maps=True, batch_size=3)
    for one in results:
        one.anomaly_map[...] += 1
    assert [one.anomaly_map.max() for one in results] == [10 * index + 1 for index in range(12)]


def uncopied(made: Callable[[], list[np.ndarray]], keep: Literal["each", "together"] = "together") -> list[bool]:
    """Return which maps come back as they were; an assertion's own line would refer to what it calls."""
    maps = made()
    before = [id(one) for one in maps]
    return [id(one) == old for one, old in zip(kept(maps, keep=keep), before, strict=True)]


def parts(array: np.ndarray, *, starts: tuple[int, ...]) -> list[np.ndarray]:
    return [array[start : start + 24].reshape(4, 6) for start in starts]


def batch() -> np.ndarray:
    return np.ones((3, 4, 6), np.float32)


def test_maps_that_are_a_whole_array_need_no_copy() -> None:
    assert uncopied(lambda: list(batch())) == [True] * 3
    assert uncopied(lambda: list(batch()[:, None][:, 0])) == [True] * 3
    assert uncopied(lambda: list(batch()[::-1])) == [True] * 3
    assert uncopied(lambda: [np.ones((4, 6), np.float32), np.ones((2, 3), np.float32)]) == [True] * 2
    assert uncopied(lambda: [np.ones((1, 4, 6), np.float32)[0]], "each") == [True]
    assert uncopied(lambda: [*batch(), np.ones((4, 6), np.float32)], "each") == [False] * 3 + [True]


@pytest.mark.parametrize(
    "made",
    [
        lambda: list(np.broadcast_to(np.ones((4, 6), np.float32), (3, 4, 6))),
        lambda: [np.ones((4, 6), np.float32)] * 3,
        lambda: list(np.lib.stride_tricks.sliding_window_view(np.ones((6, 6), np.float32), (4, 6))[:, 0]),
        lambda: parts(np.ones(72, np.float32), starts=(0, 12, 24)),
        lambda: list(np.ones((4, 4, 6), np.float32)[1:]),
        lambda: list(np.ones((4, 4, 6), np.float32)[:3]),
        lambda: list(np.ones((3, 2, 4, 6), np.float32)[:, 0]),
        lambda: list(np.ones((3, 6, 4), np.float32).transpose(0, 2, 1)),
        lambda: list(np.ones((3, 4, 12), np.float32)[..., ::2]),
        lambda: list(np.frombuffer((ctypes.c_float * 72)(), np.float32).reshape(3, 4, 6)),
        lambda: list(np.ndarray((3, 4, 6), np.float32, memoryview(bytearray(288)))),
    ],
    ids=["broadcast", "one map thrice", "sliding", "overlapping", "the end of a buffer", "the start of a buffer",
         "one channel", "transposed", "every second column", "memory of a library", "memory of a buffer"],
)  # fmt: skip
def test_maps_that_are_less_or_more_than_one_array_are_copied(made: Callable[[], list[np.ndarray]]) -> None:
    assert not any(uncopied(made))


def test_maps_that_somebody_else_refers_to_are_copied() -> None:
    array, views, part = batch(), list(batch()), batch()[1]
    assert uncopied(lambda: list(array)) == [False] * 3
    assert uncopied(lambda: list(views)) == [False] * 3
    assert uncopied(lambda: [part, *batch()]) == [False, True, True, True]


def test_maps_that_somebody_refers_to_weakly_are_copied() -> None:
    references = []

    def watched() -> list[np.ndarray]:
        array = batch()
        references.append(weakref.ref(array))
        return list(array)

    assert uncopied(watched) == [False] * 3


def test_maps_are_parts_of_what_a_view_of_them_holds() -> None:
    views = []

    def viewed() -> list[np.ndarray]:
        maps = list(batch())
        views.append(maps[0])
        return maps

    assert uncopied(viewed) == [False] * 3
