from __future__ import annotations

from pathlib import Path

import pytest

import trees
from pyimgano_industrial.core.errors import DatasetNotFoundError, ImageError
from pyimgano_industrial.datasets import VisA
from pyimgano_industrial.datasets.faults import FaultError


def _facts(dataset: VisA) -> list[tuple[str, int | None, str | None, str, int]]:
    return [(s.split, s.label, s.anomaly_type, s.image.name, dataset.mask(s).sum()) for s in dataset]


def test_the_published_layout_is_read_from_its_table_with_defect_ids_as_masks(tmp_path: Path) -> None:
    trees.visa_published(tmp_path)
    assert _facts(VisA(tmp_path, "candle")) == [
        ("train", 0, "good", "0001.JPG", 0),
        ("test", 0, "good", "0000.JPG", 0),
        ("test", 1, "bad", "000.JPG", 4),
    ]


CONVERTED = [
    ("train", 0, "0000.JPG", 0),
    ("train", 0, "0001.JPG", 0),
    ("test", 0, "0000.JPG", 0),
    ("test", 1, "000.JPG", 4),
]


@pytest.mark.parametrize("below", [".", "visa_pytorch", "visa_pytorch/1cls", "1cls"])
def test_the_converted_layout_is_read_wherever_it_lies(tmp_path: Path, below: str) -> None:
    trees.visa_converted(tmp_path / below)
    facts = _facts(VisA(tmp_path, "candle"))
    assert [(split, label, name, marked) for split, label, _, name, marked in facts] == CONVERTED
    assert VisA.categories(tmp_path) == ["candle"]


@pytest.mark.parametrize(("normal", "bad"), [("good", "bad"), ("ok", "ko"), ("normal", "anomaly")])
def test_the_converted_layout_goes_by_several_names(tmp_path: Path, normal: str, bad: str) -> None:
    trees.visa_converted(tmp_path, normal=normal, bad=bad)
    facts = _facts(VisA(tmp_path, "candle"))
    assert [(split, label, name, marked) for split, label, _, name, marked in facts] == CONVERTED


def test_the_published_layout_wins_over_the_converted_one(tmp_path: Path) -> None:
    trees.visa_converted(tmp_path / "visa_pytorch")
    trees.visa_converted(tmp_path / "visa_pytorch", "cashew")
    trees.visa_published(tmp_path)
    assert len(VisA(tmp_path, "candle")) == 3
    assert len(VisA(tmp_path, "cashew")) == 4
    assert VisA.categories(tmp_path) == ["candle", "cashew"]


def test_an_unknown_category_offers_those_of_every_layout(tmp_path: Path) -> None:
    trees.visa_converted(tmp_path / "visa_pytorch", "cashew")
    trees.visa_published(tmp_path)
    with pytest.raises(DatasetNotFoundError, match=r"VisA has no category 'candel' in .*did you mean 'candle'.*cashew"):
        VisA(tmp_path, "candel")


def test_a_table_without_a_column_is_an_error(tmp_path: Path) -> None:
    trees.visa_published(tmp_path)
    (tmp_path / "split_csv" / "1cls.csv").write_text("object,split,image\n")
    with pytest.raises(FaultError, match=r"must have the columns object, .*1cls\.csv lacks label, mask; copy"):
        VisA(tmp_path, "candle").samples()


def test_a_table_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    trees.visa_published(tmp_path)
    (tmp_path / "split_csv" / "1cls.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(FaultError, match=r"must be readable UTF-8; .*1cls\.csv is not"):
        VisA(tmp_path, "candle").samples()


@pytest.mark.parametrize(("split", "label"), [("val", "normal"), ("test", "broken")])
def test_a_row_that_says_something_unknown_is_an_error_with_its_line(tmp_path: Path, split: str, label: str) -> None:
    trees.visa_published(tmp_path)
    with (tmp_path / "split_csv" / "1cls.csv").open("a") as table:
        table.write(f"candle,{split},{label},candle/Data/Images/Normal/0000.JPG,\n")
    with pytest.raises(FaultError, match=rf"line 6 of .*1cls\.csv has '{split}' and '{label}'"):
        VisA(tmp_path, "candle").samples("train")


def test_a_listed_mask_that_is_not_there_is_a_missing_mask(tmp_path: Path) -> None:
    folder = trees.visa_published(tmp_path)
    (folder / "Data" / "Masks" / "Anomaly" / "000.png").unlink()
    dataset = VisA(tmp_path, "candle")
    assert dataset.missing_mask_count == 1
    with pytest.raises(FaultError, match="an anomalous image must have a mask"):
        dataset.mask(dataset.samples("test")[-1])


def test_a_listed_image_that_is_not_there_is_named_when_read(tmp_path: Path) -> None:
    folder = trees.visa_published(tmp_path)
    (folder / "Data" / "Images" / "Normal" / "0001.JPG").unlink()
    dataset = VisA(tmp_path, "candle")
    with pytest.raises(ImageError, match=r"image file not found: .*0001\.JPG"):
        dataset.image(dataset.samples("train")[0])


def test_an_object_that_the_table_does_not_list_has_no_images(tmp_path: Path) -> None:
    trees.visa_published(tmp_path)
    (tmp_path / "pcb1" / "Data").mkdir(parents=True)
    with pytest.raises(FaultError, match=r"the train split of VisA must have an image"):
        VisA(tmp_path, "pcb1").samples("train")


def test_the_layout_is_told_from_mvtec_by_its_masks_or_its_place(tmp_path: Path) -> None:
    assert VisA.matches(trees.visa_published(tmp_path / "a"))
    assert VisA.matches(trees.visa_converted(tmp_path / "b"))
    assert not VisA.matches(trees.mvtec(tmp_path / "c"))
    assert not VisA.matches(trees.loco(tmp_path / "d"))
    folder = trees.visa_converted(tmp_path / "e")
    (folder / "ground_truth" / "bad" / "000.png").rename(folder / "ground_truth" / "bad" / "000_mask.png")
    assert not VisA.matches(folder)
    (tmp_path / "e").rename(tmp_path / "visa_pytorch")
    assert VisA.matches(tmp_path / "visa_pytorch" / "candle")
