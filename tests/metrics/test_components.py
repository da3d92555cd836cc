"""Connected components: as labelling the whole mask says, however the mask is divided."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from pyimgano_industrial.metrics.components import components


def whole(mask: NDArray[np.bool_]) -> set[tuple[int, ...]]:
    count, labels = cv2.connectedComponents(mask.astype(np.uint8), connectivity=8)
    return {tuple(np.flatnonzero(labels == number).tolist()) for number in range(1, count)}


def parts(mask: NDArray[Any]) -> list[tuple[int, ...]]:
    return [tuple(sorted(one.tolist())) for one in components(mask)]


@given(mask=arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)), fill=st.just(False)))
def test_components_are_those_of_the_whole_mask(mask: NDArray[np.bool_]) -> None:
    found = parts(mask)
    assert len(found) == len(set(found))
    assert set(found) == whole(mask)


@pytest.mark.parametrize("step", [2, 3, 40])
def test_many_small_components_are_found(step: int) -> None:
    mask = np.zeros((120, 100), bool)
    mask[::step, ::step] = True
    mask[1::step, 1::step] = True  # joined over the corner
    assert set(parts(mask)) == whole(mask)


def test_corners_join_components_and_empty_lines_part_them() -> None:
    mask = np.array([[1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0], [1, 1, 0, 1]], bool)
    assert sorted(parts(mask)) == [(0, 5), (7,), (12, 13), (15,)]


def test_a_mask_without_defects_has_none() -> None:
    assert parts(np.zeros((3, 4), bool)) == []
