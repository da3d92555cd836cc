from __future__ import annotations

from pathlib import Path

import pytest

import trees
from pyimgano_industrial.datasets import MVTecAD


@pytest.mark.parametrize("name", ["000_mask.png", "000_mask.BMP", "000_MASK.PNG", "000_mask.tif"])
def test_masks_are_found_with_any_suffix_and_in_any_case(tmp_path: Path, name: str) -> None:
    folder = trees.mvtec(tmp_path)
    (folder / "ground_truth" / "crack" / "000_mask.png").unlink()
    trees.mask(folder / "ground_truth" / "crack" / name, marked=9)
    dataset = MVTecAD(tmp_path, "bottle")
    assert dataset.mask(dataset.samples("test")[2]).sum() == 9


def test_stems_with_dots_and_braces_find_their_masks(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.image(folder / "test" / "crack" / "part{1}.v2.png", 90)
    trees.mask(folder / "ground_truth" / "crack" / "part{1}.v2_mask.png", marked=3)
    dataset = MVTecAD(tmp_path, "bottle")
    assert dataset.mask(dataset.samples("test")[-1]).sum() == 3


def test_a_category_outside_the_published_ones_loads(tmp_path: Path) -> None:
    trees.mvtec(tmp_path, "my_part")
    assert "my_part" not in MVTecAD.known_categories
    assert len(MVTecAD(tmp_path, "my_part")) == 7


def test_the_layout_is_told_from_loco_and_from_masks_named_like_the_image(tmp_path: Path) -> None:
    assert MVTecAD.matches(trees.mvtec(tmp_path / "a"))
    assert not MVTecAD.matches(trees.loco(tmp_path / "b"))
    assert not MVTecAD.matches(trees.visa_converted(tmp_path / "c"))
    assert not MVTecAD.matches(trees.btad(tmp_path / "d"))
    assert not MVTecAD.matches(trees.ad2(tmp_path / "e"))
    assert not MVTecAD.matches(trees.ksdd2(tmp_path / "f"))
