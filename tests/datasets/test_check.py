from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import trees
from pyimgano_industrial.core import images
from pyimgano_industrial.core.errors import DatasetNotFoundError
from pyimgano_industrial.datasets import BTAD, KSDD2, FolderDataset, MVTecAD, MVTecAD2, MVTecLOCO, Report, VisA
from pyimgano_industrial.datasets.check import check
from pyimgano_industrial.datasets.report import Count


def _rules(report: Report, severity: str = "error") -> Counter[str]:
    return Counter(fault.rule for fault in report.faults if fault.severity == severity)


def test_a_sound_folder_of_any_data_set_has_no_fault(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "mvtec")
    trees.loco(tmp_path / "loco")
    trees.ad2(tmp_path / "ad2")
    trees.btad(tmp_path / "btad")
    trees.visa_converted(tmp_path / "visa")
    trees.ksdd2(tmp_path / "ksdd2")
    for name, kind in (
        ("mvtec", MVTecAD),
        ("loco", MVTecLOCO),
        ("btad", BTAD),
        ("visa", VisA),
        ("ksdd2", KSDD2),
    ):
        report = check(kind, tmp_path / name)
        assert (report.faults, report.ok, report.duplicates) == ((), True, ()), name
    assert check(MVTecAD2, tmp_path / "ad2").ok


def test_counts_are_per_category_split_label_and_type(tmp_path: Path) -> None:
    trees.ad2(tmp_path)
    assert set(check(MVTecAD2, tmp_path).counts) == {
        Count("can", "train", "normal", "good", 2),
        Count("can", "validation", "normal", "good", 1),
        Count("can", "test_public", "normal", "good", 2),
        Count("can", "test_public", "anomalous", "bad", 1),
        Count("can", "test_private", "unlabelled", None, 2),
        Count("can", "test_private_mixed", "unlabelled", None, 1),
    }


def test_every_category_on_disk_is_checked_or_only_the_one_named(tmp_path: Path) -> None:
    trees.mvtec(tmp_path, "bottle")
    trees.mvtec(tmp_path, "cable")
    assert check(MVTecAD, tmp_path).categories == ("bottle", "cable")
    report = check(MVTecAD, tmp_path, "cable")
    assert report.categories == ("cable",)
    assert {count.category for count in report.counts} == {"cable"}


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    (folder / "train" / "good" / "000.png").write_bytes(b"")
    (folder / "train" / "good" / "001.png").write_text("no image")
    trees.images(folder / "test" / "crack", ["002.png", "003.png", "004.png", "005.png"], value=90)
    masks = folder / "ground_truth" / "crack"
    (masks / "002_mask.png").write_bytes(b"broken")
    trees.mask(masks / "003_mask.png", size=(4, 4))
    trees.mask(masks / "004_mask.png", marked=0)
    trees.mask(masks / "009_mask.png")
    trees.mask(folder / "ground_truth" / "good" / "000_mask.png", marked=1)
    (folder / "test" / "good" / "notes.txt").touch()
    report = check(MVTecAD, tmp_path)
    assert not report.ok
    assert _rules(report) == {
        "unreadable-image": 2,
        "unreadable-mask": 1,
        "mask-size": 1,
        "empty-mask": 1,
        "missing-mask": 1,
        "normal-marked": 1,
    }
    assert _rules(report, "warning") == {"orphan-mask": 1}
    assert _rules(report, "note") == {"other-files": 1}
    assert all(fault.file and fault.remedy and fault.file.name in fault.message for fault in report.faults)


def test_every_bad_channel_of_an_image_is_listed(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    channels = folder / "ground_truth" / "logical_anomalies" / "000"
    trees.mask(channels / "000.png", marked=0)
    trees.mask(channels / "001.png", value=9)
    report = check(MVTecLOCO, tmp_path)
    assert _rules(report) == {"channel-values": 1, "channel-unknown": 1}


def test_a_malformed_config_is_one_fault(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    (folder / "defects_config.json").write_text("[]")
    assert _rules(check(MVTecLOCO, tmp_path)) == {"defects-config": 1}


def test_missing_and_empty_splits_are_errors_and_the_others_are_still_checked(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path, "bottle")
    (folder / "test").rename(tmp_path / "elsewhere")
    for path in (folder / "train" / "good").iterdir():
        path.unlink()
    report = check(MVTecAD, tmp_path, "bottle")
    assert _rules(report) == {"empty-split": 1, "missing-split": 1}
    assert report.counts == ()


def test_a_test_split_of_one_label_is_a_warning(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    for path in (folder / "test" / "good").iterdir():
        path.unlink()
    report = check(MVTecAD, tmp_path)
    assert _rules(report, "warning") == {"one-label": 1}
    assert "has no normal one; add some" in f"{report.faults[0]}"


def test_a_mask_of_two_images_is_an_error(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.image(folder / "test" / "crack" / "000.bmp", 90)
    assert _rules(check(MVTecAD, tmp_path)) == {"shared-mask": 1}


def test_images_without_a_label_are_listed_each_once(tmp_path: Path) -> None:
    trees.ksdd2(tmp_path)
    for name in ("10000_GT.png", "10001_GT.png"):
        (tmp_path / "train" / name).unlink()
    assert _rules(check(KSDD2, tmp_path)) == {"missing-label": 2}


def test_mixed_sizes_and_bit_depths_are_notes(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.image(folder / "train" / "good" / "003.png", 90, size=(20, 10))
    trees.png16(folder / "test" / "good" / "002.png", np.full(trees.SIZE, 300, np.uint16))
    report = check(MVTecAD, tmp_path)
    assert report.ok
    sizes, depths = report.faults
    assert "has images of 2 sizes: 8 of 12 x 8, 1 of 10 x 20; this is allowed" in f"{sizes}"
    assert "has images of 2 bit depths: 8 of 8 bits, 1 of 16 bits" in f"{depths}"


def test_a_test_image_that_is_a_training_image_is_an_exact_duplicate_whatever_its_format(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    copied = images.read_rgb(folder / "train" / "good" / "001.png")
    trees.write(folder / "test" / "good" / "000.bmp", copied)
    (duplicate,) = check(MVTecAD, tmp_path).duplicates
    assert (duplicate.kind, duplicate.split, duplicate.image.name) == ("exact", "test", "000.bmp")
    assert duplicate.training_image == folder / "train" / "good" / "001.png"
    assert (duplicate.distance, duplicate.limit) == (0.0, 0.0)


def test_a_test_image_that_is_nearly_a_training_image_is_a_near_duplicate(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    nearly = images.read_rgb(folder / "train" / "good" / "001.png").copy()
    nearly[0, 0] += 3
    trees.write(folder / "test" / "good" / "000.png", nearly)
    (duplicate,) = check(MVTecAD, tmp_path).duplicates
    assert (duplicate.kind, duplicate.training_image.name) == ("near", "001.png")
    assert 0 < duplicate.distance < duplicate.limit


def test_every_image_is_decoded_once_and_progress_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = trees.mvtec(tmp_path)
    decoded: Counter[Path] = Counter()
    decode = images._decode

    def counting(path: Path, flags: int) -> object:
        decoded[path] += 1
        return decode(path, flags)

    monkeypatch.setattr(images, "_decode", counting)
    told: list[tuple[int, int, Path]] = []
    check(MVTecAD, tmp_path, progress=lambda *step: told.append(step))
    assert decoded == dict.fromkeys(folder.rglob("*.png"), 1)
    assert [step[:2] for step in told] == [(done, 7) for done in range(1, 8)]
    assert told[0][2] == folder / "train" / "good" / "000.png"


def test_a_third_party_data_set_is_checked_like_ours(tmp_path: Path) -> None:
    class Bolts(FolderDataset):
        title = "Bolts"
        mask_stems = ("{stem}-defect",)

    trees.mvtec(tmp_path, "m8", mask_stem="{stem}-defect")
    report = check(Bolts, tmp_path)
    assert (report.dataset, report.faults) == ("Bolts", ())


def test_a_root_without_a_category_says_what_is_there_and_what_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    with pytest.raises(
        DatasetNotFoundError, match=r"must hold categories of MVTec AD, laid out as <category>.*; it holds photos"
    ):
        check(MVTecAD, tmp_path)
    with pytest.raises(DatasetNotFoundError, match="root must be a folder"):
        check(MVTecAD, tmp_path / "nothing")
    with pytest.raises(DatasetNotFoundError, match="no category 'bottle'"):
        check(MVTecAD, tmp_path, "bottle")
