"""The rendered folders obey the layouts of MVTec LOCO AD and MVTec AD 2, checked with nothing but paths and pixels."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.datasets.ad2 import MVTecAD2
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.loco import MVTecLOCO
from pyimgano_industrial.demo.layouts import Counts, write_ad2, write_loco
from pyimgano_industrial.demo.light import LIGHTINGS

COUNTS = Counts(fit=3, validation=2, good=2, bad=5)
HEIGHT = 192


@pytest.fixture(scope="module")
def loco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("loco")
    write_loco(root, counts=COUNTS, height=HEIGHT)
    return root / "tray"


@pytest.fixture(scope="module")
def ad2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ad2")
    write_ad2(root, counts=COUNTS, height=HEIGHT)
    return root / "tray"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def read(path: Path) -> NDArray[np.uint8]:
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED)
    assert pixels is not None
    assert pixels.dtype == np.uint8
    return np.asarray(pixels, np.uint8)


def test_loco_has_its_folders_and_numbered_images(loco: Path) -> None:
    assert names(loco) == ["defects_config.json", "ground_truth", "test", "train", "validation"]
    assert names(loco / "train/good") == ["000.png", "001.png", "002.png"]
    assert names(loco / "validation/good") == ["000.png", "001.png"]
    assert names(loco / "test") == ["good", "logical_anomalies", "structural_anomalies"]
    assert names(loco / "ground_truth") == ["logical_anomalies", "structural_anomalies"]
    assert read(loco / "train/good/000.png").shape == (192, 256, 3)


@pytest.mark.parametrize("kind", ["logical_anomalies", "structural_anomalies"])
def test_each_anomalous_loco_image_has_a_folder_of_numbered_channels(loco: Path, kind: str) -> None:
    stems = [Path(name).stem for name in names(loco / "test" / kind)]
    channels = {stem: names(loco / "ground_truth" / kind / stem) for stem in stems}

    assert names(loco / "ground_truth" / kind) == stems
    assert all(files == [f"{n:03}.png" for n in range(len(files))] for files in channels.values())
    assert [len(files) for files in channels.values()] == [1, 1, 2, 1, 3]


def test_each_loco_channel_has_one_value_and_the_config_explains_it(loco: Path) -> None:
    config = json.loads((loco / "defects_config.json").read_text(encoding="utf-8"))
    by_value = {entry["pixel_value"]: entry for entry in config}

    for path in (loco / "ground_truth").rglob("*.png"):
        channel = read(path)
        assert channel.shape == (192, 256)
        background, value = np.unique(channel).tolist()
        assert background == 0
        assert value in by_value


def test_loco_saturation_is_absolute_for_logical_and_relative_for_structural_defects(loco: Path) -> None:
    config = json.loads((loco / "defects_config.json").read_text(encoding="utf-8"))
    keys = {"defect_name", "pixel_value", "saturation_threshold", "relative_saturation"}
    relative = {entry["defect_name"] for entry in config if entry["relative_saturation"]}

    assert all(set(entry) == keys for entry in config)
    assert relative == {"scratch", "dent", "contamination", "chipped_edge"}
    for entry in config:
        at = entry["saturation_threshold"]
        assert (isinstance(at, float) and 0 < at <= 1) if entry["relative_saturation"] else isinstance(at, int)


def test_ad2_has_five_splits_and_the_private_ones_are_flat(ad2: Path) -> None:
    assert names(ad2) == ["test_private", "test_private_mixed", "test_public", "train", "validation"]
    assert names(ad2 / "train/good") == ["000_regular.png", "001_regular.png", "002_regular.png"]
    assert names(ad2 / "test_public") == ["bad", "good", "ground_truth"]
    assert all(re.fullmatch(r"\d{3}_regular\.png", name) for name in names(ad2 / "test_private"))
    assert all(re.fullmatch(r"\d{3}_mixed\.png", name) for name in names(ad2 / "test_private_mixed"))


def test_each_ad2_tray_is_seen_under_all_lightings_with_one_mask(ad2: Path) -> None:
    bad = names(ad2 / "test_public/bad")
    masks = names(ad2 / "test_public/ground_truth/bad")

    assert bad == sorted(f"{n:03}_{lighting}.png" for n in range(5) for lighting in LIGHTINGS)
    assert masks == sorted(f"{Path(name).stem}_mask.png" for name in bad)
    first = [read(ad2 / f"test_public/ground_truth/bad/000_{lighting}_mask.png") for lighting in LIGHTINGS]
    assert np.unique(first[0]).tolist() == [0, 255]
    assert all(np.array_equal(first[0], mask) for mask in first)


@pytest.mark.parametrize(("kind", "fixture"), [(MVTecLOCO, "loco"), (MVTecAD2, "ad2")])
def test_the_plugins_own_data_sets_find_no_fault(
    kind: type[FolderDataset], fixture: str, request: pytest.FixtureRequest
) -> None:
    folder: Path = request.getfixturevalue(fixture)
    data = kind(folder.parent, "tray")

    assert [fault for split in data.splits for fault in data.scan(split)[1]] == []
    for sample in data.samples(data.test_split):
        assert data.mask(sample).any() == (sample.label == 1)


def test_no_image_is_rendered_twice(loco: Path, ad2: Path) -> None:
    images = [path.read_bytes() for path in sorted((*loco.rglob("good/*.png"), *ad2.rglob("good/*.png")))]

    assert len(set(images)) == len(images)


def test_the_number_of_images_is_returned_and_the_path_may_be_non_ascii(tmp_path: Path) -> None:
    counts = Counts(fit=1, validation=1, good=1, bad=1)

    assert write_loco(tmp_path / "Prüfung 検査", counts=counts, height=96) == 5
    assert (tmp_path / "Prüfung 検査/tray/test/good/000.png").exists()


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "tray").mkdir()
    (tmp_path / "tray/mine.txt").write_text("mine", encoding="utf-8")

    for write in (write_loco, write_ad2):
        with pytest.raises(IndustrialError, match=r"must be empty; .*tray is not: remove it or choose another"):
            write(tmp_path, counts=COUNTS, height=96)
    assert names(tmp_path / "tray") == ["mine.txt"]
