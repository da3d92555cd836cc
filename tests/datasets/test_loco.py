from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import trees
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.datasets import MVTecLOCO, Sample
from pyimgano_industrial.datasets.faults import FaultError


def _sample(dataset: MVTecLOCO, kind: str) -> Sample:
    return next(sample for sample in dataset.samples("test") if sample.anomaly_type == kind)


def test_splits_labels_and_types(tmp_path: Path) -> None:
    trees.loco(tmp_path)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    assert [(s.split, s.label, s.anomaly_type) for s in dataset] == [
        ("train", 0, "good"),
        ("train", 0, "good"),
        ("train", 0, "good"),
        ("validation", 0, "good"),
        ("test", 0, "good"),
        ("test", 1, "logical_anomalies"),
        ("test", 1, "structural_anomalies"),
    ]


def test_every_channel_of_an_image_is_read(tmp_path: Path) -> None:
    trees.loco(tmp_path)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    first, second = dataset.channels(_sample(dataset, "logical_anomalies"))
    assert (first.pixel_value, first.defect_name, first.mask.sum()) == (255, "missing", 8)
    assert (second.pixel_value, second.defect_name, second.mask.sum()) == (250, "scratch", 3)
    assert [channel.path.name for channel in (first, second)] == ["000.png", "001.png"]


def test_saturation_areas_follow_the_config(tmp_path: Path) -> None:
    trees.loco(tmp_path)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    logical = dataset.channels(_sample(dataset, "logical_anomalies"))
    assert [channel.saturation_area for channel in logical] == [5, 1]  # min(5, 8) and int(0.5 * 3)
    (structural,) = dataset.channels(_sample(dataset, "structural_anomalies"))
    assert structural.saturation_area == 1  # int(0.5 * 1) would be 0


def test_the_mask_is_the_union_of_the_channels(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    apart = np.zeros(trees.SIZE, np.uint8)
    apart[7, 3:6] = 250
    trees.write(folder / "ground_truth" / "logical_anomalies" / "000" / "002.png", apart)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    sample = _sample(dataset, "logical_anomalies")
    assert dataset.mask(sample).sum() == 8 + 3
    np.testing.assert_array_equal(dataset.mask(sample), np.any([c.mask for c in dataset.channels(sample)], axis=0))


def test_a_normal_image_has_no_channel_and_an_empty_mask(tmp_path: Path) -> None:
    trees.loco(tmp_path)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    assert dataset.channels(_sample(dataset, "good")) == ()
    assert not dataset.mask(_sample(dataset, "good")).any()


def test_without_a_config_a_channel_saturates_at_its_area_and_one_warning_says_so(tmp_path: Path) -> None:
    trees.loco(tmp_path, config=False)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    with pytest.warns(IndustrialWarning, match=r"pushpins has no defects_config\.json: .*whole area"):
        logical = dataset.channels(_sample(dataset, "logical_anomalies"))
    dataset.channels(_sample(dataset, "structural_anomalies"))  # a second warning would fail the test
    assert [(channel.saturation_area, channel.defect_name) for channel in logical] == [(8, None), (3, None)]


def test_masks_alone_need_no_config_and_no_warning(tmp_path: Path) -> None:
    trees.loco(tmp_path, config=False)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert dataset.mask(_sample(dataset, "logical_anomalies")).sum() == 8


def test_a_channel_with_two_values_is_an_error(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    both = np.zeros(trees.SIZE, np.uint8)
    both[0, :2] = 255, 250
    trees.write(folder / "ground_truth" / "structural_anomalies" / "000" / "000.png", both)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    for read in (dataset.mask, dataset.channels):
        with pytest.raises(FaultError, match=r"exactly one non-zero value; .*000\.png has 2 \(250, 255\); split it"):
            read(_sample(dataset, "structural_anomalies"))


def test_a_channel_without_a_pixel_is_an_error(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    trees.mask(folder / "ground_truth" / "logical_anomalies" / "000" / "001.png", marked=0)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    with pytest.raises(FaultError, match=r"exactly one non-zero value; .*001\.png has none; draw the defect"):
        dataset.mask(_sample(dataset, "logical_anomalies"))


def test_a_channel_that_the_config_lacks_is_an_error(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    trees.mask(folder / "ground_truth" / "structural_anomalies" / "000" / "000.png", value=7)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    with pytest.raises(
        FaultError, match=r"has 7, which it lacks \(it has 250, 255\); add an entry with \"pixel_value\""
    ):
        dataset.channels(_sample(dataset, "structural_anomalies"))


def test_a_channel_of_another_size_is_an_error(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    trees.mask(folder / "ground_truth" / "structural_anomalies" / "000" / "000.png", value=250, size=(4, 6))
    dataset = MVTecLOCO(tmp_path, "pushpins")
    with pytest.raises(FaultError, match=r"12 x 8 \(width x height\); .*000\.png is 6 x 4"):
        dataset.channels(_sample(dataset, "structural_anomalies"))


def test_a_malformed_config_is_an_error_where_a_channel_needs_it(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    (folder / "defects_config.json").write_text(json.dumps([{"pixel_value": 255}]))
    dataset = MVTecLOCO(tmp_path, "pushpins")
    assert len(dataset.samples("test")) == 3
    with pytest.raises(FaultError, match=r"entry 0 of .*defects_config\.json lacks defect_name"):
        dataset.mask(_sample(dataset, "logical_anomalies"))


def test_missing_channels_are_an_error_or_counted(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    (folder / "ground_truth" / "structural_anomalies" / "000" / "000.png").unlink()
    strict, lax = (MVTecLOCO(tmp_path, "pushpins", missing_masks=missing) for missing in ("error", "allow"))
    with pytest.raises(FaultError, match="an anomalous image must have a mask"):
        strict.channels(_sample(strict, "structural_anomalies"))
    assert lax.channels(_sample(lax, "structural_anomalies")) == ()
    assert lax.missing_mask_count == 1


@pytest.mark.parametrize("name", ["000.png", "000_mask.png", "000_mask.BMP"])
def test_one_flat_file_an_image_is_one_channel(tmp_path: Path, name: str) -> None:
    folder = trees.loco(tmp_path)
    channels = folder / "ground_truth" / "structural_anomalies"
    (channels / "000" / "000.png").unlink()
    (channels / "000").rmdir()
    trees.mask(channels / name, marked=6, value=250)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    (channel,) = dataset.channels(_sample(dataset, "structural_anomalies"))
    assert (channel.mask.sum(), channel.saturation_area) == (6, 3)


@pytest.mark.parametrize(
    ("image", "masks"),
    [
        ("logical_anomalies/000/bad_0.png", ["logical_anomalies/000/bad_0.png"]),
        ("structural_anomalies/crack/bad_1.png", ["structural_anomalies/crack/bad_1_mask.png"]),
        ("logical_anomalies/sub/bad.png", ["logical_anomalies/sub/bad/000.png", "logical_anomalies/sub/bad/001.png"]),
        ("logical_anomalies/000/000.png", ["logical_anomalies/000/000.png", "logical_anomalies/000/001.png"]),
    ],
)
def test_images_one_folder_deeper_find_all_their_masks(tmp_path: Path, image: str, masks: list[str]) -> None:
    folder = tmp_path / "breakfast_box"
    trees.image(folder / "train" / "good" / "000.png", 10)
    trees.image(folder / "test" / "good" / "000.png", 20)
    trees.image(folder / "test" / image, 30)
    for position, name in enumerate(masks):
        drawn = np.zeros(trees.SIZE, np.uint8)
        drawn[position] = 255
        trees.write(folder / "ground_truth" / name, drawn)
    dataset = MVTecLOCO(tmp_path, "breakfast_box")
    sample = dataset.samples("test")[-1]
    assert sample.anomaly_type == image.split("/")[0]
    assert dataset.mask(sample).sum() == 12 * len(masks)


def test_two_images_in_one_nested_folder_keep_their_own_masks(tmp_path: Path) -> None:
    folder = tmp_path / "breakfast_box"
    trees.images(folder / "test" / "logical_anomalies" / "sub", ["000.png", "001.png"], 30)
    for marked, name in ((3, "000.png"), (5, "001.png")):
        trees.mask(folder / "ground_truth" / "logical_anomalies" / "sub" / name, marked=marked)
    dataset = MVTecLOCO(tmp_path, "breakfast_box")
    assert [dataset.mask(sample).sum() for sample in dataset.samples("test")] == [3, 5]


def test_a_folder_of_channels_claimed_by_two_images_is_an_error(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    trees.image(folder / "test" / "logical_anomalies" / "000.bmp", 90)
    with pytest.raises(FaultError, match=r"000\.png fits 000\.bmp and 000\.png in .*\(and 1 more fault:"):
        MVTecLOCO(tmp_path, "pushpins").samples("test")


def test_a_detector_that_returns_the_ground_truth_is_perfect_over_all_channels(tmp_path: Path) -> None:
    folder = trees.loco(tmp_path)
    apart = np.zeros(trees.SIZE, np.uint8)
    apart[6:, 6:] = 250
    trees.write(folder / "ground_truth" / "logical_anomalies" / "000" / "001.png", apart)
    dataset = MVTecLOCO(tmp_path, "pushpins")
    for sample in dataset.samples("test"):
        found = dataset.mask(sample)
        assert all((found & channel.mask).sum() == channel.mask.sum() for channel in dataset.channels(sample))


def test_the_layout_is_told_by_its_type_folders_or_its_config(tmp_path: Path) -> None:
    assert MVTecLOCO.matches(trees.loco(tmp_path / "a"))
    assert MVTecLOCO.matches(trees.loco(tmp_path / "b", config=False))
    assert not MVTecLOCO.matches(trees.mvtec(tmp_path / "c"))
    assert not MVTecLOCO.matches(trees.ad2(tmp_path / "d"))
