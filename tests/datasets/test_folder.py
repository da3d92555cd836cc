from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import trees
from pyimgano_industrial.core.errors import DatasetError, DatasetNotFoundError, ImageError
from pyimgano_industrial.datasets import FolderDataset
from pyimgano_industrial.datasets.faults import FaultError


class Bolts(FolderDataset):
    """The example in FolderDataset's docstring."""

    title = "Bolts from line 3"
    splits = ("train", "test")
    calibration_split = None
    normal_folders = ("ok",)
    mask_stems = ("{stem}",)


def test_a_subclass_of_five_attributes_is_a_data_set(tmp_path: Path) -> None:
    trees.mvtec(tmp_path, "m8", normal="ok", mask_stem="{stem}")
    bolts = Bolts(tmp_path, "m8")
    assert Counter((s.split, s.label, s.anomaly_type) for s in bolts) == {
        ("train", 0, "ok"): 3,
        ("test", 0, "ok"): 2,
        ("test", 1, "crack"): 2,
    }
    assert [bolts.mask(s).sum() for s in bolts.samples("test")] == [0, 0, 4, 6]
    assert len(bolts) == 7
    assert Bolts.categories(tmp_path) == ["m8"]
    assert repr(bolts) == f"<Bolts 'm8' in {tmp_path}>"


def test_listing_reads_no_pixel(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    for path in folder.rglob("*.png"):
        path.write_bytes(b"")
    assert len(FolderDataset(tmp_path, "bottle").samples()) == 7


def test_a_split_is_walked_once(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    dataset = FolderDataset(tmp_path, "bottle")
    before = dataset.samples("train")
    (folder / "train" / "good" / "000.png").unlink()
    assert dataset.samples("train") is before


def test_normal_images_come_first_then_the_defects_by_name(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.image(folder / "test" / "bent" / "000.png", 90)
    kinds = [sample.anomaly_type for sample in FolderDataset(tmp_path, "bottle").samples("test")]
    assert kinds == ["good", "good", "bent", "crack", "crack"]


def test_an_anomalous_folder_in_train_is_not_fitted_on(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.image(folder / "train" / "crack" / "000.png", 90)
    assert {s.anomaly_type for s in FolderDataset(tmp_path, "bottle").samples("train")} == {"good"}


def test_a_normal_folder_in_another_case_is_still_normal(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    (folder / "test" / "good").rename(folder / "test" / "Good")
    labels = Counter(sample.label for sample in FolderDataset(tmp_path, "bottle").samples("test"))
    assert labels == {0: 2, 1: 2}


def test_images_come_as_rgb_with_upper_case_suffixes_and_mixed_sizes(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    red = np.zeros((5, 7, 3), np.uint8)
    red[..., 0] = 255
    trees.write(folder / "train" / "good" / "0000.PNG", red)
    samples = FolderDataset(tmp_path, "bottle").samples("train")
    assert [sample.image.name for sample in samples] == ["000.png", "0000.PNG", "001.png", "002.png"]
    np.testing.assert_array_equal(FolderDataset(tmp_path, "bottle").image(samples[1]), red)


def test_masks_of_mixed_sizes_fit_their_own_images(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.image(folder / "test" / "crack" / "002.png", 90, size=(20, 5))
    trees.mask(folder / "ground_truth" / "crack" / "002_mask.png", marked=11, size=(20, 5))
    dataset = FolderDataset(tmp_path, "bottle")
    last = dataset.samples("test")[-1]
    assert dataset.mask(last).shape == (20, 5)
    assert dataset.mask(last).sum() == 11


def test_a_mask_of_an_exif_rotated_image_has_the_displayed_size(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.rotated_jpeg(folder / "test" / "crack" / "002.jpg", np.zeros((8, 12, 3), np.uint8))
    trees.mask(folder / "ground_truth" / "crack" / "002_mask.png", size=(12, 8))
    dataset = FolderDataset(tmp_path, "bottle")
    last = dataset.samples("test")[-1]
    assert dataset.mask(last).shape == dataset.image(last).shape[:2] == (12, 8)


def test_non_ascii_roots_categories_and_names_work(tmp_path: Path) -> None:
    root = tmp_path / "Prüfung 检查"
    folder = trees.mvtec(root, "Schrauben é")
    trees.image(folder / "test" / "Riß" / "größe.png", 90)
    trees.mask(folder / "ground_truth" / "Riß" / "größe_mask.png", marked=2)
    dataset = FolderDataset(f"{root}", "Schrauben é")
    sample = next(s for s in dataset.samples("test") if s.anomaly_type == "Riß")
    assert dataset.mask(sample).sum() == 2


def test_nested_images_find_nested_masks(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.image(folder / "test" / "crack" / "line1" / "000.png", 90)
    trees.mask(folder / "ground_truth" / "crack" / "line1" / "000_mask.png", marked=7)
    dataset = FolderDataset(tmp_path, "bottle")
    nested = next(s for s in dataset.samples("test") if s.image.parent.name == "line1")
    assert dataset.mask(nested).sum() == 7


def test_an_absent_validation_split_is_empty_and_a_present_one_is_offered(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    assert FolderDataset(tmp_path, "bottle").samples("validation") == ()
    trees.image(folder / "validation" / "good" / "000.png", 90)
    dataset = FolderDataset(tmp_path, "bottle")
    assert [s.split for s in dataset.samples("validation")] == ["validation"]
    assert len(dataset) == 8


def test_a_missing_root_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"root must be a folder; .*nothing does not exist") as caught:
        FolderDataset(tmp_path / "nothing", "bottle")
    assert isinstance(caught.value, (FileNotFoundError, ValueError))
    with pytest.raises(DatasetNotFoundError, match=r"does not exist \(nor does .*nothing\)"):
        FolderDataset(tmp_path / "nothing" / "here", "bottle")


def test_a_root_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "data.zip").touch()
    with pytest.raises(DatasetNotFoundError, match=r"data\.zip is a file"):
        FolderDataset(tmp_path / "data.zip", "bottle")


@pytest.mark.parametrize("category", ["botle", ""])
def test_an_unknown_category_offers_those_on_disk(tmp_path: Path, category: str) -> None:
    trees.mvtec(tmp_path, "bottle")
    trees.mvtec(tmp_path, "cable")
    with pytest.raises(DatasetNotFoundError, match=f"no category '{category}' in .*Known: bottle, cable"):
        FolderDataset(tmp_path, category)


def test_the_closest_category_is_suggested(tmp_path: Path) -> None:
    trees.mvtec(tmp_path, "bottle")
    with pytest.raises(DatasetNotFoundError, match="did you mean 'bottle'"):
        FolderDataset(tmp_path, "Bottel")


def test_a_category_folder_as_root_gets_the_right_call(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    with pytest.raises(
        DatasetNotFoundError, match=f"itself a category folder: pass root={tmp_path} and category='bott"
    ):
        FolderDataset(folder, "bottle")


def test_an_unknown_split_offers_the_closest(tmp_path: Path) -> None:
    trees.mvtec(tmp_path)
    with pytest.raises(DatasetNotFoundError, match="has no split 'tset'; did you mean 'test'"):
        FolderDataset(tmp_path, "bottle").samples("tset")


def test_a_missing_split_says_what_is_there_and_how_to_arrange_it(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    (folder / "test").rename(folder / "testing")
    with pytest.raises(
        DatasetNotFoundError,
        match=r"the test split of FolderDataset must lie in .*test, which is not there .*holds ground_truth, testing, "
        r"train\); arrange the images as <category>/train/good",
    ):
        FolderDataset(tmp_path, "bottle").samples("test")


def test_images_directly_in_the_split_are_an_error_that_counts_them(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    for path in list((folder / "train" / "good").iterdir()):
        path.rename(folder / "train" / path.name)
    (folder / "train" / "good").rmdir()
    with pytest.raises(
        FaultError,
        match=r"must have an image in .*train \(in a folder good\); it holds no folder and 3 images elsewhere",
    ):
        FolderDataset(tmp_path, "bottle").samples("train")


def test_wrong_options_are_refused(tmp_path: Path) -> None:
    trees.mvtec(tmp_path)
    with pytest.raises(DatasetError, match="missing_masks must be 'error' or 'allow'; got 'ignore'"):
        FolderDataset(tmp_path, "bottle", missing_masks="ignore")  # type: ignore[arg-type]  the point of the test
    with pytest.raises(DatasetError, match=r"bit_depth must be in 9\.\.16, or None to find it; got 8"):
        FolderDataset(tmp_path, "bottle", bit_depth=8)


def test_an_unreadable_image_is_named_and_stops_no_other(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    (folder / "train" / "good" / "000.png").write_bytes(b"broken")
    dataset = FolderDataset(tmp_path, "bottle")
    first, second, _ = dataset.samples("train")
    with pytest.raises(ImageError, match=r"cannot read .*train.good.000\.png"):
        dataset.image(first)
    assert dataset.image(second).shape == (8, 12, 3)


def test_a_missing_mask_is_an_error_that_says_where_it_was_looked_for(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    (folder / "ground_truth" / "crack" / "000_mask.png").unlink()
    dataset = FolderDataset(tmp_path, "bottle")
    sample = dataset.samples("test")[2]
    with pytest.raises(
        FaultError,
        match=r"an anomalous image must have a mask; .*crack.000\.png has none \(looked for 000_mask\.\* in "
        r".*ground_truth.crack\); add the mask, or allow it \(--missing-masks allow",
    ):
        dataset.mask(sample)


def test_missing_and_empty_masks_are_all_normal_and_counted_on_request(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    (folder / "ground_truth" / "crack" / "000_mask.png").unlink()
    trees.mask(folder / "ground_truth" / "crack" / "001_mask.png", marked=0)
    dataset = FolderDataset(tmp_path, "bottle", missing_masks="allow")
    *_, first, second = dataset.samples("test")
    assert dataset.without_mask == (first,)
    assert not dataset.mask(first).any()
    assert not dataset.mask(second).any()
    assert dataset.without_mask == (first, second)
    assert dataset.missing_mask_count == 2
    assert dataset.has_masks


def test_an_empty_mask_of_an_anomalous_image_is_an_error(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.mask(folder / "ground_truth" / "crack" / "000_mask.png", marked=0)
    dataset = FolderDataset(tmp_path, "bottle")
    with pytest.raises(
        FaultError, match=r"must mark a pixel; .*000_mask\.png marks none in .*move the image to 'good'"
    ):
        dataset.mask(dataset.samples("test")[2])


def test_a_normal_image_whose_mask_marks_pixels_is_an_error_even_on_request(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.mask(folder / "ground_truth" / "good" / "000_mask.png", marked=5)
    dataset = FolderDataset(tmp_path, "bottle", missing_masks="allow")
    with pytest.raises(FaultError, match=r"a normal image must have no anomalous pixel; .*000_mask\.png marks 5"):
        dataset.mask(dataset.samples("test")[0])


def test_an_all_zero_mask_of_a_normal_image_is_fine(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.mask(folder / "ground_truth" / "good" / "000_mask.png", marked=0)
    dataset = FolderDataset(tmp_path, "bottle")
    assert not dataset.mask(dataset.samples("test")[0]).any()


def test_training_images_take_no_masks_of_test_images_of_the_same_name(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.mask(folder / "ground_truth" / "good" / "000_mask.png", marked=0)
    assert all(sample.masks == () for sample in FolderDataset(tmp_path, "bottle").samples("train"))


def test_a_data_set_without_masks_says_so(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    for path in (folder / "ground_truth" / "crack").iterdir():
        path.unlink()
    dataset = FolderDataset(tmp_path, "bottle")
    assert not dataset.has_masks
    assert dataset.missing_mask_count == 2


def test_two_images_that_fit_one_mask_are_an_error_not_a_guess(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    trees.image(folder / "test" / "crack" / "000.jpg", 90)
    with pytest.raises(
        FaultError, match=r"a mask must belong to one image; .*000_mask\.png fits 000\.jpg and 000\.png in .*rename one"
    ):
        FolderDataset(tmp_path, "bottle").samples("test")


def test_two_files_of_one_mask_are_united(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    drawn = np.zeros((8, 12), np.uint8)
    drawn[7, 7] = 255
    trees.write(folder / "ground_truth" / "crack" / "000_mask.bmp", drawn)
    dataset = FolderDataset(tmp_path, "bottle")
    assert dataset.mask(dataset.samples("test")[2]).sum() == 4 + 1


def test_one_bit_depth_serves_the_whole_data_set(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    for path in (folder / "train" / "good").iterdir():
        trees.png16(path, np.full((8, 12), 4000, np.uint16))
    trees.png16(folder / "train" / "good" / "001.png", np.full((8, 12), 20000, np.uint16))
    trees.png16(folder / "test" / "good" / "000.png", np.full((8, 12), 2048, np.uint16))
    dataset = FolderDataset(tmp_path, "bottle")
    assert dataset.bit_depth == 16
    assert dataset.image(dataset.samples("test")[0]).max() == 2048 // 256  # 128 by the rule for one image alone
    assert FolderDataset(tmp_path, "bottle", bit_depth=15).image(dataset.samples("test")[0]).max() == 2048 // 128


def test_the_bit_depth_is_found_from_evenly_spaced_images(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    for number in range(20):
        trees.png16(folder / "train" / "good" / f"{number:03}.png", np.full((8, 12), 100 + number, np.uint16))
    trees.png16(folder / "train" / "good" / "019.png", np.full((8, 12), 5000, np.uint16))
    assert FolderDataset(tmp_path, "bottle").bit_depth == 16


def test_images_of_8_bits_have_no_bit_depth_and_are_not_decoded_for_it(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    for path in (folder / "train" / "good").iterdir():
        path.write_bytes(path.read_bytes()[:40])
    assert FolderDataset(tmp_path, "bottle").bit_depth is None


def test_a_folder_of_test_images_alone_can_be_scored(tmp_path: Path) -> None:
    folder = trees.mvtec(tmp_path)
    (folder / "train").rename(tmp_path / "elsewhere")
    dataset = FolderDataset(tmp_path, "bottle")
    assert dataset.image(dataset.samples("test")[0]).shape == (8, 12, 3)
    assert not dataset.has_split("train")


def test_categories_of_a_missing_root_are_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="root must be a folder"):
        FolderDataset.categories(tmp_path / "nothing")
