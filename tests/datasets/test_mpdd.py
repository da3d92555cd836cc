from __future__ import annotations

from pathlib import Path

import trees
from pyimgano_industrial.datasets import MPDD


def test_mpdd_reads_the_mvtec_layout(tmp_path: Path) -> None:
    trees.mvtec(tmp_path, "bracket_black")
    dataset = MPDD(tmp_path, "bracket_black")
    assert [dataset.mask(sample).sum() for sample in dataset.samples("test")] == [0, 0, 4, 6]


def test_only_the_names_of_its_categories_tell_it_from_mvtec(tmp_path: Path) -> None:
    trees.mvtec(tmp_path, "bracket_black")
    trees.mvtec(tmp_path, "bottle")
    assert MPDD.categories(tmp_path) == ["bracket_black"]
