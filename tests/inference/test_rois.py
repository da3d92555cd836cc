"""The region of an image: one for all, one a category, one an image, from files, and an error where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pyimgano_industrial.core.regions import RegionError
from pyimgano_industrial.inference import Rois
from pyimgano_industrial.inference.rois import parse_roi

SHAPE = (6, 9)
MASK = np.zeros(SHAPE, np.uint8)
MASK[1:4, 2:5] = 255


def save(mask: np.ndarray, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), mask)
    return path


def inside(roi: Any, name: str = "parts/bolt.png") -> np.ndarray:
    region = Rois(roi).region(name, SHAPE)
    assert region is not None
    return region.rows(0, SHAPE[0])


@pytest.mark.parametrize(
    "roi",
    [MASK, (2, 1, 5, 4), [(2, 1), (4, 1), (4, 3), (2, 3)], lambda _: MASK, {"bolt": MASK}, {"bolt": (2, 1, 5, 4)}],
)
def test_every_form_is_the_same_region(roi: Any) -> None:
    np.testing.assert_array_equal(inside(roi), MASK > 0)


def test_a_mask_file_and_a_folder_of_them_by_stem(tmp_path: Path) -> None:
    path = save(MASK, tmp_path / "masks/bolt.bmp")
    np.testing.assert_array_equal(inside(path), MASK > 0)
    np.testing.assert_array_equal(inside(str(path.parent)), MASK > 0)
    np.testing.assert_array_equal(inside({"bolt": str(path)}), MASK > 0)
    coloured = save(np.stack([MASK * 0, MASK, MASK], axis=2), tmp_path / "colour.png")
    np.testing.assert_array_equal(inside(coloured), MASK > 0)


def test_a_category_has_the_region_of_its_folder_s_name_unless_an_image_has_its_own() -> None:
    rois = Rois(
        {"bolt": (0, 0, 9, 1), "nut": (0, 0, 9, 2), "scratch/007": (0, 0, 9, 3), "008": None, "good": (0, 0, 9, 4)}
    )
    rows = {
        "parts/bolt/train/000.png": 1,
        "parts/nut/test/scratch/000.png": 2,
        "parts/nut/test/scratch/007.bmp": 3,
        "parts/bolt/test/scratch/007.png": 3,
        "parts/nut/test/crack/007.png": 2,
        "parts/nut/test/crack/008.png": 6,
        "parts/bolt/test/good/000.png": 4,  # the folder that is closest
        "nut/bolt.png": 1,
    }
    assert {name: rois.mask(name, SHAPE).sum() // 9 for name in rows} == rows
    with pytest.raises(RegionError, match=r"pin/000.png has none under '000' and none under a folder's name"):
        rois.mask("parts/pin/000.png", SHAPE)


def test_a_folder_of_masks_may_have_folders(tmp_path: Path) -> None:
    save(MASK, tmp_path / "bolt.png")
    save(255 - MASK, tmp_path / "bolt/test/scratch/000.png")
    np.testing.assert_array_equal(inside(tmp_path, "parts/bolt/train/good/000.png"), MASK > 0)
    np.testing.assert_array_equal(inside(tmp_path, "parts/bolt/test/scratch/000.png"), MASK == 0)
    save(MASK, tmp_path / "bolt.bmp")
    with pytest.raises(
        RegionError, match=r"a region must have one mask; bolt has .*bolt.bmp and .*bolt.png: remove one"
    ):
        Rois(tmp_path)


def test_a_json_file_has_every_form(tmp_path: Path) -> None:
    save(MASK, tmp_path / "masks/pin.png")
    polygon = [[2, 1], [4, 1], [4, 3], [2, 3]]
    regions = {"bolt": [2, 1, 5, 4], "nut": polygon, "pin": "masks/pin.png", "cap": None}
    path = tmp_path / "regions.json"
    path.write_text(json.dumps(regions), encoding="utf-8")
    for roi in (path, str(path), parse_roi(str(path))):
        for name in ("bolt", "nut", "pin"):
            np.testing.assert_array_equal(inside(roi, f"parts/{name}/000.png"), MASK > 0)
        assert Rois(roi).mask("parts/cap/000.png", SHAPE).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"cannot read .*regions.json: .*; a JSON file of regions is like \{"),
        ("[0, 0, 4, 4]", r"regions.json must hold an object of names; got \[0, 0, 4, 4\]; a JSON file of "),
        ("{}", r"must hold an object of names; got \{\}"),
        ('{"bolt": [0, 0, 4]}', r"a region must be a box .*; 'bolt' in .*regions.json is \[0, 0, 4\]"),
        ('{"bolt": [[0, 0], [4, 4]]}', r"a polygon .* of three points .*; 'bolt' in .* is \[\[0, 0\], \[4, 4\]\]"),
        ('{"bolt": [[0, 0], [4, 4], [true, 4]]}', r"a region must be a box .*; 'bolt' in .* is"),
        ('{"bolt": {"x": 1}}', r"a region must be a box .*; 'bolt' in .* is"),
        ('{"bolt": "none.png"}', r"the mask of 'bolt' in .*regions.json does not exist: .*none.png"),
    ],
)  # fmt: skip
def test_a_json_file_at_fault_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "regions.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(RegionError, match=message):
        parse_roi(str(path))


def test_a_function_may_leave_an_image_whole() -> None:
    assert Rois(lambda _: None).region("bolt.png", SHAPE) is None


def test_an_image_without_a_region_of_its_own_is_an_error() -> None:
    with pytest.raises(RegionError, match=r"nut.png has none under 'nut' and none under a fol.* did you mean 'nuts'\?"):
        Rois({"bolt": MASK, "nuts": MASK}).region("nut.png", SHAPE)


def test_a_region_that_does_not_fit_names_the_image() -> None:
    with pytest.raises(RegionError, match=r"must have its image's size \(7, 9\); got \(6, 9\); the image is bolt.png"):
        Rois(MASK).region("bolt.png", (7, 9))
    with pytest.raises(RegionError, match=r"a box must satisfy .*got \(2, 1, 50, 4\); the image is bolt.png"):
        Rois((2, 1, 50, 4)).region("bolt.png", SHAPE)


def test_a_folder_without_masks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RegionError, match=r"a folder of regions must hold mask images; .* holds none"):
        Rois(tmp_path)


def test_a_flag_is_a_box_a_polygon_or_a_path(tmp_path: Path) -> None:
    assert parse_roi("0, 10,640,470") == (0, 10, 640, 470)
    assert parse_roi("0,0,640,0,640,480,0,480") == [(0, 0), (640, 0), (640, 480), (0, 480)]
    assert parse_roi(str(tmp_path)) == tmp_path


@pytest.mark.parametrize("text", ["1,2,3", "1,2,3,4,5", "a,b,c,d", "nowhere.png", "-1,0,4,4"])
def test_a_flag_that_is_neither_is_an_error(text: str) -> None:
    with pytest.raises(
        RegionError, match=f"--roi must be a box x0,y0,x1,y1 or a polygon .* a mask image, a folder .*; got '{text}'"
    ):
        parse_roi(text)
