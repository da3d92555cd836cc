from __future__ import annotations

from pathlib import Path

import trees
from pyimgano_industrial.datasets import KSDD2, FolderDataset, MVTecAD, VisA
from pyimgano_industrial.datasets.strays import strays


def _found(dataset: FolderDataset) -> list[tuple[str, str, str]]:
    return [
        (fault.rule, fault.severity, fault.file.relative_to(dataset.root).as_posix() if fault.file else "")
        for fault in strays(dataset, dataset.samples())
    ]


def test_a_tidy_folder_has_none(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    for name in ("license.txt", "README.md", "Thumbs.db", ".DS_Store", "train/good/._000.png"):
        (folder / name).touch()
    assert _found(MVTecAD(tmp_path, "bottle")) == []


def test_a_mask_of_no_image_is_a_warning_each(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    for stem in ("007", "008"):
        trees.mask(folder / "ground_truth" / "crack" / f"{stem}_mask.png")
    assert _found(MVTecAD(tmp_path, "bottle")) == [
        ("orphan-mask", "warning", "bottle/ground_truth/crack/007_mask.png"),
        ("orphan-mask", "warning", "bottle/ground_truth/crack/008_mask.png"),
    ]


def test_images_outside_the_layout_are_a_warning_a_folder(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.images(folder / "train" / "bad", ["000.png", "001.png"])
    (fault,) = strays(dataset := MVTecAD(tmp_path, "bottle"), dataset.samples())
    assert fault.rule == "unread-images"
    assert f"2 in {folder / 'train' / 'bad'} are read by no split (the first is 000.png); arrange them as" in f"{fault}"


def test_other_files_are_a_note_a_suffix(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    for name in ("a.json", "b.json", "c.gif"):
        (folder / "test" / "good" / name).touch()
    json_files, gif = strays(dataset := MVTecAD(tmp_path, "bottle"), dataset.samples())
    assert (json_files.severity, gif.severity) == ("note", "note")
    assert json_files.message.startswith("2 files ending in .json are not read; the first is ")
    assert gif.remedy == "images end in .bmp, .jpeg, .jpg, .png, .tif, .tiff, .webp"


def test_a_mask_that_lies_among_the_images_is_a_warning(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.mask(folder / "test" / "crack" / "000_mask.png")
    assert _found(MVTecAD(tmp_path, "bottle")) == [
        ("mask-among-images", "warning", "bottle/test/crack/000_mask.png"),
    ]


def test_masks_beside_images_are_known_where_the_layout_has_them_there(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path / "a")
    trees.mask(tmp_path / "a" / "train" / "10001_GT (copy).png")
    assert _found(KSDD2(tmp_path / "a", "ksdd2")) == [("orphan-mask", "warning", "train/10001_GT (copy).png")]


def test_masks_and_images_that_the_table_of_visa_leaves_out_are_told_apart(tmp_path: Path) -> None:
    folder = trees.visa_published(tmp_path)
    trees.mask(folder / "Data" / "Masks" / "Anomaly" / "009.png")
    trees.image(folder / "Data" / "Images" / "Normal" / "0009.JPG")
    assert _found(VisA(tmp_path, "candle")) == [
        ("orphan-mask", "warning", "candle/Data/Masks/Anomaly/009.png"),
        ("unread-images", "warning", "candle/Data/Images/Normal"),
        ("other-files", "note", "candle/image_anno.csv"),
    ]
