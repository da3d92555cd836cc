"""A checkpoint's detector under tiling, presets, regions, `infer` and `evaluate`: the same scores, in their places."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distributions import run, script
from pyimgano_industrial.inference import RegionDetector
from pyimgano_industrial.presets import PresetDetector, chain
from pyimgano_industrial.tiling import TiledDetector

pytest.importorskip("anomalib")
import cv2
import torch
from pyimgano.inference import infer, infer_iter

from models.anomalib_tiny import SIZE, alias, checkpoint, pictures, write

pytestmark = pytest.mark.filterwarnings("ignore::pyimgano_industrial.core.errors.IndustrialWarning")
torch.set_num_threads(1)


@pytest.fixture(scope="module")
def padim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return checkpoint("Padim", tmp_path_factory.mktemp("padim"))[0]


def loaded(path: Path) -> Any:
    return alias("Padim")(checkpoint_path=path, device="cpu")


def test_tiles_of_the_model_s_size_are_scored_as_images_and_laid_where_they_were_cut(padim: Path) -> None:
    (image,) = pictures(1, seed=2, size=(64, 160))
    image[8:24, 120:136] = 255
    detector = loaded(padim)
    tiled = TiledDetector(detector=loaded(padim), tile_size=64, stride=48, score_reduce="max", calibration="fitted")
    tiled.fit(pictures(3, size=(64, 160)))
    scores, maps = tiled.score_and_map([image])
    tiles = [image[:, left : left + 64] for left in (0, 48, 96)]
    own_scores, own_maps = detector.score_and_map(tiles)
    assert scores[0] == pytest.approx(own_scores.max(), rel=1e-5)
    expected = np.full((64, 160), -np.inf, np.float32)
    for left, one in zip((0, 48, 96), own_maps, strict=True):
        part = expected[:, left : left + 64]
        np.maximum(part, one, out=part)
    np.testing.assert_allclose(maps[0], expected, rtol=1e-4)
    y, x = np.unravel_index(maps[0].argmax(), maps[0].shape)
    assert 0 <= y < 32
    assert 112 <= x < 144


def test_folds_of_a_tiled_checkpoint_reload_it_and_give_a_threshold(padim: Path) -> None:
    tiled = TiledDetector(detector=loaded(padim), tile_size=64, calibration="folds", folds=2)
    tiled.fit(pictures(4, size=(64, 128)))
    assert tiled.source_ == "out-of-fold"
    assert np.isfinite(tiled.threshold_)


def test_a_preset_s_images_are_what_the_checkpoint_sees(padim: Path) -> None:
    images = pictures(2, seed=1)
    wrapped = PresetDetector(detector=loaded(padim), preset="industrial-clahe").fit(pictures(3))
    scores, maps = wrapped.score_and_map(images)
    corrected = [chain("industrial-clahe").apply(image) for image in images]
    expected, expected_maps = loaded(padim).score_and_map(corrected)
    np.testing.assert_allclose(scores, expected, rtol=1e-5)
    np.testing.assert_allclose(maps, expected_maps, rtol=1e-5)
    assert abs(expected - loaded(padim).decision_function(images)).max() > 1e-3


def test_a_region_s_score_is_its_map_s_maximum(padim: Path) -> None:
    (image,) = pictures(1, seed=1)
    image[60:76, 4:20] = 255
    box = (48, 0, 96, 80)
    wrapped = RegionDetector(loaded(padim), roi=box).fit(pictures(3))
    (own,) = loaded(padim).score_and_map([image])[1]
    assert wrapped.decision_function([image])[0] == pytest.approx(own[:, 48:].max(), rel=1e-5)
    assert own[:, 48:].max() < own.max()


@pytest.mark.parametrize("as_files", [False, True])
def test_infer_and_infer_iter_give_the_detector_s_own_scores_and_maps(
    padim: Path, tmp_path: Path, *, as_files: bool
) -> None:
    images = [*pictures(3, seed=4), *pictures(1, seed=5, size=(50, 70))]
    detector = loaded(padim).fit(pictures(4))
    expected, expected_maps = detector.score_and_map(images)
    given: Any = write(images, tmp_path / "in") if as_files else images
    options: dict[str, Any] = {"include_maps": True} | ({} if as_files else {"input_format": "rgb_u8_hwc"})
    for found in (infer(detector, given, **options), list(infer_iter(detector, given, batch_size=2, **options))):
        np.testing.assert_allclose([one.score for one in found], expected, rtol=1e-4)
        for one, own in zip(found, expected_maps, strict=True):
            np.testing.assert_allclose(one.anomaly_map, own, rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_evaluate_measures_a_checkpoint_whole_and_tiled(padim: Path, tmp_path: Path) -> None:
    root = tmp_path / "ad2" / "can"
    for split, count in (("train/good", 4), ("validation/good", 4), ("test_public/good", 3), ("test_public/bad", 3)):
        images = pictures(count, seed=len(split), size=(80, 96))
        for image in images if split.endswith("bad") else ():
            image[30:50, 30:60] = 250
        for index, file in enumerate(write(images, root / split)):
            Path(file).rename(Path(file).with_name(f"{index:03}_regular.png"))
    masks = root / "test_public/ground_truth/bad"
    masks.mkdir(parents=True)
    mask = np.zeros((80, 96), np.uint8)
    mask[30:50, 30:60] = 255
    for index in range(3):
        cv2.imwrite(str(masks / f"{index:03}_regular_mask.png"), mask)
    model = ("--model", "vision_padim_anomalib", "--checkpoint-path", str(padim))
    done = run(
        script("pyimgano-industrial"), "evaluate", "--dataset", "mvtec_ad2", "--root", str(root.parent),
        "--category", "can", *model, *model, "--label", "tiled", "--tile-size", str(SIZE[0]), "--tile-stride", "16",
        "--output", str(tmp_path / "run"), "--bootstrap", "0", "--json",
    )  # fmt: skip
    rows = json.loads(done.stdout)["rows"]
    assert [row["model"] for row in rows] == ["vision_padim_anomalib", "tiled"]
    for row in rows:
        assert row["metrics"]["image_auroc"]["value"] == pytest.approx(1)
        assert row["metrics"]["aupro@0.3"]["value"] > 0.5
