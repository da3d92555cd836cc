from __future__ import annotations

from pathlib import Path

import pytest

import trees
from pyimgano_industrial.datasets import IndustrialFolder


@pytest.mark.parametrize("normal", ["good", "ok", "normal", "OK", "Normal"])
def test_good_ok_and_normal_mean_the_same_in_any_case(tmp_path: Path, normal: str) -> None:
    trees.mvtec(tmp_path, "part", normal=normal)
    dataset = IndustrialFolder(tmp_path, "part")
    assert len(dataset.samples("train")) == 3
    assert [sample.label for sample in dataset.samples("test")] == [0, 0, 1, 1]
    assert IndustrialFolder.categories(tmp_path) == ["part"]


def test_val_is_an_alias_of_validation(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path, "part")
    trees.image(folder / "val" / "good" / "000.png", 90)
    assert [s.split for s in IndustrialFolder(tmp_path, "part").samples("validation")] == ["validation"]


@pytest.mark.parametrize("stem", ["{stem}_mask", "{stem}"])
def test_masks_are_named_with_or_without_mask(tmp_path: Path, stem: str) -> None:
    trees.mvtec(tmp_path, "part", mask_stem=stem)
    dataset = IndustrialFolder(tmp_path, "part")
    assert [dataset.mask(sample).sum() for sample in dataset.samples("test")] == [0, 0, 4, 6]


def test_a_mask_named_mask_wins_over_a_picture_of_the_image_name(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path, "part")
    trees.image(folder / "ground_truth" / "crack" / "000.png")
    dataset = IndustrialFolder(tmp_path, "part")
    assert dataset.mask(dataset.samples("test")[2]).sum() == 4


def test_loco_and_ad2_folders_are_not_taken_for_it(tmp_path: Path) -> None:
    assert not IndustrialFolder.matches(trees.loco(tmp_path / "a"))
    assert not IndustrialFolder.matches(trees.ad2(tmp_path / "b"))
