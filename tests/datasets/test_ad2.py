from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

import trees
from pyimgano_industrial.core.errors import DatasetNotFoundError
from pyimgano_industrial.datasets import MVTecAD2
from pyimgano_industrial.datasets.ad2 import lighting
from pyimgano_industrial.datasets.faults import FaultError


def test_all_five_splits_load(tmp_path: Path) -> None:
    trees.ad2(tmp_path)
    dataset = MVTecAD2(tmp_path, "can")
    assert Counter((s.split, s.label, s.anomaly_type) for s in dataset) == {
        ("train", 0, "good"): 2,
        ("validation", 0, "good"): 1,
        ("test_public", 0, "good"): 2,
        ("test_public", 1, "bad"): 1,
        ("test_private", None, None): 2,
        ("test_private_mixed", None, None): 1,
    }
    assert (dataset.fit_split, dataset.calibration_split, dataset.test_split) == ("train", "validation", "test_public")


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("000_regular", "regular"),
        ("012_shift_1", "shift_1"),
        ("1_mixed", "mixed"),
        ("7_dim light", "dim light"),
        ("000", None),
        ("good_0", None),
        ("000_", None),
    ],
)
def test_the_lighting_is_what_follows_the_leading_number(stem: str, expected: str | None) -> None:
    assert lighting(stem) == expected


def test_samples_carry_their_lighting(tmp_path: Path) -> None:
    trees.ad2(tmp_path)
    dataset = MVTecAD2(tmp_path, "can")
    assert [s.lighting for s in dataset.samples("test_public")] == ["regular", "shift_1", "overexposed"]
    assert [s.lighting for s in dataset.samples("test_private_mixed")] == ["mixed"]


def test_unknown_categories_and_names_without_a_lighting_load(tmp_path: Path) -> None:
    folder = trees.ad2(tmp_path, "capsule")
    trees.image(folder / "test_public" / "bad" / "bad_0.png", 90)
    trees.mask(folder / "test_public" / "ground_truth" / "bad" / "bad_0_mask.png", marked=5)
    dataset = MVTecAD2(tmp_path, "capsule")
    last = dataset.samples("test_public")[-1]
    assert last.lighting is None
    assert dataset.mask(last).sum() == 5


@pytest.mark.parametrize("name", ["000_overexposed_mask.png", "000_overexposed.png", "000_overexposed_mask.BMP"])
def test_masks_may_be_named_with_or_without_mask(tmp_path: Path, name: str) -> None:
    folder = trees.ad2(tmp_path)
    masks = folder / "test_public" / "ground_truth" / "bad"
    (masks / "000_overexposed_mask.png").unlink()
    trees.mask(masks / name, marked=6)
    dataset = MVTecAD2(tmp_path, "can")
    assert dataset.mask(dataset.samples("test_public")[-1]).sum() == 6


def test_a_private_image_has_no_mask_rather_than_an_empty_one(tmp_path: Path) -> None:
    trees.ad2(tmp_path)
    dataset = MVTecAD2(tmp_path, "can", missing_masks="allow")
    sample = dataset.samples("test_private")[0]
    assert dataset.image(sample).shape == (8, 12, 3)
    with pytest.raises(FaultError, match=r"000_regular\.png is in the unlabelled split test_private; score it"):
        dataset.mask(sample)


def test_a_download_without_the_private_splits_iterates_and_names_them_when_asked(tmp_path: Path) -> None:
    trees.ad2(tmp_path, private=False)
    dataset = MVTecAD2(tmp_path, "can")
    assert len(dataset) == 6
    with pytest.raises(DatasetNotFoundError, match="the test_private split of MVTec AD 2 must lie in"):
        dataset.samples("test_private")


def test_an_empty_private_split_is_an_error(tmp_path: Path) -> None:
    folder = trees.ad2(tmp_path, private=False)
    (folder / "test_private").mkdir()
    with pytest.raises(FaultError, match="the test_private split of MVTec AD 2 must have an image"):
        MVTecAD2(tmp_path, "can").samples("test_private")


def test_the_layout_is_told_by_its_public_or_private_split(tmp_path: Path) -> None:
    trees.ad2(tmp_path, "can")
    trees.mvtec(tmp_path, "bottle")
    assert MVTecAD2.categories(tmp_path) == ["can"]
