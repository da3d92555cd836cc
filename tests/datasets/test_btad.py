from __future__ import annotations

from pathlib import Path

import pytest

import trees
from pyimgano_industrial.datasets import BTAD


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_masks_bear_the_stem_of_the_image(tmp_path: Path, suffix: str) -> None:
    trees.btad(tmp_path, "01", mask_suffix=suffix)
    dataset = BTAD(tmp_path, "01")
    assert [(s.label, s.anomaly_type, dataset.mask(s).sum()) for s in dataset.samples("test")] == [
        (0, "ok", 0),
        (1, "ko", 4),
    ]
    assert len(dataset.samples("train")) == 2
    assert dataset.has_masks


def test_there_is_no_validation_split(tmp_path: Path) -> None:
    trees.btad(tmp_path)
    assert BTAD.splits == ("train", "test")
    assert BTAD(tmp_path, "01").calibration_split is None


def test_the_layout_is_ok_and_ko_alone(tmp_path: Path) -> None:
    folder = trees.btad(tmp_path / "a")
    assert BTAD.categories(tmp_path / "a") == ["01"]
    trees.image(folder / "test" / "scratch" / "000.png")
    assert not BTAD.matches(folder)
    assert not BTAD.matches(trees.mvtec(tmp_path / "b"))
