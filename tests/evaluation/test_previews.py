"""Previews: the extreme images, small, on one scale, from which neither a defect nor a peak vanishes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

import trees
from evaluation.oracles import Open, Scripted, plan
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.evaluation.folder import RunFolder
from pyimgano_industrial.evaluation.previews import Gallery, grey, scale_of, shrunk, small_size
from pyimgano_industrial.evaluation.results import Preview, Scale
from pyimgano_industrial.evaluation.run import evaluate


@pytest.fixture
def many(tmp_path: Path) -> FolderDataset:
    """Eight normal images and eight anomalous ones of 40 x 60 pixels, with defects of a pixel."""
    folder = trees.mvtec(tmp_path / "data")
    for kind, value in (("good", 100), ("crack", 120)):
        trees.images(folder / "test" / kind, [f"{number:03}.png" for number in range(8)], value, (40, 60))
    for number in range(8):
        trees.mask(folder / f"ground_truth/crack/{number:03}_mask.png", marked=1, size=(40, 60))
    return Open("mvtec_ad", tmp_path / "data")("bottle")


def test_the_extreme_images_of_each_label_are_kept(tmp_path: Path, many: FolderDataset) -> None:
    gallery = Gallery(each=2, side=30)
    for sample in many.samples("test"):
        gallery.add(sample, float(sample.image.stem), np.full((40, 60), float(sample.image.stem), np.float32))
    found, scale = gallery.write(tmp_path / "cell", many, threshold=None)

    def of(label: int, role: str) -> list[float]:
        return [one.score for one in found if (one.label, one.role) == (label, role)]

    assert sorted(of(1, "worst")) == [0, 1]
    assert sorted(of(1, "best")) == [6, 7]
    assert sorted(of(0, "worst")) == [6, 7]
    assert sorted(of(0, "best")) == [0, 1]
    assert scale == Scale(0.0, 7.0)


def pixels(folder: Path, name: str | None) -> NDArray[np.uint8]:
    assert name is not None
    found: NDArray[np.uint8] = cv2.imread(str(folder / name), cv2.IMREAD_UNCHANGED)
    return found


def test_a_defect_of_one_pixel_is_seen_in_mask_and_map(tmp_path: Path, many: FolderDataset) -> None:
    gallery = Gallery(each=1, side=12)
    for sample in many.samples("test"):
        one = np.zeros((40, 60), np.float32)
        one[0, 0] = 5 * sample.label if sample.label else 0
        gallery.add(sample, float(one.max()), one)
    found, scale = gallery.write(tmp_path, many, threshold=2.0)
    bad = next(one for one in found if one.label)
    image, mask, heat = (pixels(tmp_path, name) for name in (bad.image, bad.mask, bad.map))
    assert image.shape == (8, 12, 3)
    assert mask.shape == heat.shape == (8, 12)
    assert mask[0, 0] == 255
    assert np.count_nonzero(mask) == 1
    assert scale is not None
    assert scale.low == 0
    assert scale.high > 2
    assert heat[0, 0] == 255
    assert np.count_nonzero(heat) == 1
    good = next(one for one in found if not one.label)
    assert good.mask is None


def test_an_image_is_shown_once_where_there_are_few(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data")
    run = evaluate(plan("mvtec_ad", tmp_path / "data", tmp_path / "run", make=lambda _: Scripted()))
    cell = RunFolder(tmp_path / "run").load_cell(run.rows[0])
    assert sorted(one.file for one in cell.previews) == sorted(row.file for row in cell.images)
    folder = RunFolder(tmp_path / "run").cell_folder("model", "bottle")
    assert all((folder / name).is_file() for one in cell.previews for name in files(one))


def files(preview: Preview) -> list[str]:
    return [name for name in (preview.image, preview.mask, preview.map) if name is not None]


@pytest.mark.parametrize("shape", [(7, 5), (40, 60), (1, 100)])
def test_shrinking_keeps_every_peak(shape: tuple[int, int]) -> None:
    one = np.random.default_rng(0).random(shape, np.float32)
    size = small_size(shape, 4)
    assert shrunk(one, size).shape == size
    assert shrunk(one, size).max() == one.max()


def test_a_constant_map_has_a_scale_and_is_black() -> None:
    one = np.full((3, 3), 2.0, np.float32)
    scale = scale_of([one], None)
    assert scale == Scale(2.0, 3.0)
    assert not grey(one, scale).any()
    assert scale_of([], 1.0) is None
