from __future__ import annotations

from pathlib import Path

import pytest

import trees
from pyimgano_industrial.core.errors import DatasetNotFoundError
from pyimgano_industrial.datasets import KSDD2
from pyimgano_industrial.datasets.faults import FaultError


def _names(dataset: KSDD2, split: str) -> list[str]:
    return [sample.image.name for sample in dataset.samples(split)]


def test_the_mask_is_the_label(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path)
    dataset = KSDD2(tmp_path, "ksdd2")
    assert [(s.image.name, s.label, dataset.mask(s).sum()) for s in dataset.samples("test")] == [
        ("20000.png", 0, 0),
        ("20001.png", 1, 5),
    ]
    assert [sample.anomaly_type for sample in dataset.samples("test")] == ["good", "defective"]


def test_defective_training_images_are_a_split_of_their_own(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path)
    dataset = KSDD2(tmp_path, "ksdd2")
    assert _names(dataset, "train") == ["10000.png", "10002.png"]
    assert _names(dataset, "train_defective") == ["10001.png"]
    assert dataset.mask(dataset.samples("train_defective")[0]).sum() == 5
    assert len(dataset) == 5


def test_a_training_set_without_defects_has_an_empty_split(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path)
    trees.mask(tmp_path / "train" / "10001_GT.png", marked=0)
    assert KSDD2(tmp_path, "ksdd2").samples("train_defective") == ()


def test_the_root_is_the_category_or_holds_it(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path / "data" / "KolektorSDD2")
    assert KSDD2.categories(tmp_path / "data") == ["KolektorSDD2"]
    assert KSDD2.categories(tmp_path / "data" / "KolektorSDD2") == ["ksdd2"]
    assert len(KSDD2(tmp_path / "data", "KolektorSDD2")) == 5
    assert len(KSDD2(tmp_path / "data" / "KolektorSDD2", "ksdd2")) == 5


def test_an_unknown_category_offers_the_one_there_is(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path)
    with pytest.raises(DatasetNotFoundError, match=r"no category 'ksdd' in .*did you mean 'ksdd2'"):
        KSDD2(tmp_path, "ksdd")


def test_an_image_without_a_mask_has_no_label_and_is_an_error(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path)
    (tmp_path / "train" / "10002_GT.png").unlink()
    (tmp_path / "train" / "10000_GT.png").unlink()
    dataset = KSDD2(tmp_path, "ksdd2")
    for split in ("train", "train_defective"):
        with pytest.raises(FaultError, match=r"10000\.png has no 10000_GT\.\* beside it; add .*\(and 1 more fault:"):
            dataset.samples(split)
    assert len(dataset.samples("test")) == 2


def test_an_unreadable_mask_is_an_error_with_its_name(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path)
    (tmp_path / "test" / "20001_GT.png").write_bytes(b"broken")
    with pytest.raises(FaultError, match=r"cannot read .*20001_GT\.png"):
        KSDD2(tmp_path, "ksdd2").samples("test")


def test_spare_copies_of_masks_are_no_images(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path)
    trees.mask(tmp_path / "train" / "10001_GT (copy).png")
    assert _names(KSDD2(tmp_path, "ksdd2"), "train") == ["10000.png", "10002.png"]


def test_the_layout_is_told_by_masks_beside_the_images(tmp_path: Path) -> None:
    assert KSDD2.matches(trees.ksdd2(tmp_path / "a"))
    assert not KSDD2.matches(trees.mvtec(tmp_path / "b"))
    assert not KSDD2.matches(trees.btad(tmp_path / "c"))


def test_two_images_of_one_mask_are_an_error(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path)
    trees.image(tmp_path / "test" / "20001.bmp")
    with pytest.raises(FaultError, match=r"20001_GT\.png fits 20001\.bmp and 20001\.png"):
        KSDD2(tmp_path, "ksdd2").samples("test")
