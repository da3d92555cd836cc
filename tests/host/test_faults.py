"""What is wrong on the bare host and right with the plugin: the same code, run both ways in fresh interpreters."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from acme import save
from distributions import script
from warm import bare_and_plugged, run

SIZE = (64, 96)


def image(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 120, (*SIZE, 3), np.uint8)


def box(rows: slice, columns: slice, value: int = 255) -> np.ndarray:
    mask = np.zeros(SIZE, np.uint8)
    mask[rows, columns] = value
    return mask


# A detector that knows the truth: it maps every image to the pixels that stand out from the background.
PERFECT = """
import numpy as np, cv2
class Perfect:
    def fit(self, paths, y=None): return self
    def predict_anomaly_map(self, paths):
        return np.stack([(cv2.imread(str(p)) > 200).all(axis=2).astype(np.float32) for p in paths])
    def decision_function(self, paths): return np.array([self.predict_anomaly_map([p]).max() for p in paths])
"""
EVALUATE = """
from pyimgano.pipelines.mvtec_visa import evaluate_split, load_benchmark_split
split = load_benchmark_split(dataset=dataset, root=root, category=category, resize=(64, 96))
metrics = evaluate_split(Perfect(), split).get("pixel_metrics") or {}
print(json.dumps(metrics.get("pixel_average_precision")))
"""


@pytest.fixture
def loco(tmp_path: Path) -> Path:
    folder = tmp_path / "pushpins"
    keys = ("defect_name", "pixel_value", "saturation_threshold", "relative_saturation")
    defects = [
        dict(zip(keys, values, strict=True))
        for values in (("1_additional_pushpin", 255, 20, False), ("color", 200, 1.0, True))
    ]
    for index in range(3):
        save(image(index), folder / "train/good" / f"{index:03}.png")
        save(image(10 + index), folder / "validation/good" / f"{index:03}.png")
        save(image(20 + index), folder / "test/good" / f"{index:03}.png")
        bad = image(30 + index)
        channels = [box(slice(5, 15), slice(5, 15)), box(slice(30, 50), slice(40 + 5 * index, 80), value=200)]
        for number, mask in enumerate(channels):
            bad[mask > 0] = 250
            save(mask, folder / "ground_truth/logical_anomalies" / f"{index:03}" / f"{number:03}.png")
        save(bad, folder / "test/logical_anomalies" / f"{index:03}.png")
    (folder / "defects_config.json").write_text(json.dumps(defects), encoding="utf-8")
    return tmp_path


def test_a_perfect_detector_gets_pixel_ap_1_on_loco_with_several_channels(loco: Path) -> None:
    bare, plugged = bare_and_plugged(f"dataset, category = 'mvtec_loco', 'pushpins'{PERFECT}{EVALUATE}", loco)
    assert bare < 0.5
    assert plugged == pytest.approx(1.0)


def test_btad_masks_are_read(tmp_path: Path) -> None:
    for index in range(2):
        save(image(index), tmp_path / "01/train/ok" / f"{index:04}.bmp")
        save(image(10 + index), tmp_path / "01/test/ok" / f"{index:04}.bmp")
        bad = image(20 + index)
        mask = box(slice(10, 30), slice(10, 40))
        bad[mask > 0] = 250
        save(bad, tmp_path / "01/test/ko" / f"{index:04}.bmp")
        save(mask, tmp_path / "01/ground_truth/ko" / f"{index:04}.png")
    bare, plugged = bare_and_plugged(f"dataset, category = 'btad', '01'{PERFECT}{EVALUATE}", tmp_path)
    assert bare is None
    assert plugged == pytest.approx(1.0)


def test_private_splits_of_ad2_load_without_labels(tmp_path: Path) -> None:
    for split, name in (
        ("train/good", "000_regular"),
        ("test_private", "000_regular"),
        ("test_private", "001_regular"),
    ):
        save(image(), tmp_path / "can" / split / f"{name}.png")
    code = (
        "from pyimgano.utils.datasets import MVTecAD2Dataset\n"
        "paths, labels, masks = MVTecAD2Dataset(root=root, category='can', split='test_private').get_test_paths()\n"
        "print(json.dumps([len(paths), labels is None, masks is None]))"
    )
    bare, plugged = bare_and_plugged(code, tmp_path)
    assert bare == [0, False, False]
    assert plugged == [2, True, True]


def mvtec(root: Path, suffix: str = ".png") -> Path:
    save(image(1), root / "bottle/train/good" / f"000{suffix}")
    save(image(2), root / "bottle/test/good" / f"000{suffix}")
    save(image(3), root / "bottle/test/broken" / f"000{suffix}")
    return root


LOAD = """
from pyimgano.utils.datasets import load_dataset
try:
    paths, labels, masks = load_dataset('mvtec', root, category='bottle', resize=(32, 32)).get_test_paths()
    print(json.dumps([len(paths), int(np.sum(masks))]))
except ValueError as error:
    print(json.dumps(str(error)))
""".replace("\ntry", "\nimport numpy as np\ntry")


def test_a_missing_mask_is_an_error_not_zeros(tmp_path: Path) -> None:
    root = mvtec(tmp_path)
    save(image(4), root / "bottle/test/broken/001.png")
    save(box(slice(0, 9), slice(0, 9)), root / "bottle/ground_truth/broken/001_mask.png")
    bare, plugged = bare_and_plugged(LOAD, root)
    assert bare[0] == 3
    assert "an anomalous image must have a mask" in plugged
    assert "000.png" in plugged


def test_a_corrupt_mask_is_an_error_not_zeros(tmp_path: Path) -> None:
    mask = mvtec(tmp_path) / "bottle/ground_truth/broken/000_mask.png"
    mask.parent.mkdir(parents=True)
    mask.write_bytes(b"\x89PNG\r\n\x1a\nnot really")
    bare, plugged = bare_and_plugged(LOAD, tmp_path)
    assert bare == [2, 0]
    assert "000_mask.png" in plugged


def test_upper_case_suffixes_are_found(tmp_path: Path) -> None:
    root = mvtec(tmp_path, suffix=".PNG")
    save(box(slice(0, 32), slice(0, 48)), root / "bottle/ground_truth/broken/000_mask.PNG")
    bare, plugged = bare_and_plugged(LOAD, root)
    assert bare[0] == 0
    assert plugged == [2, 16 * 16]


def test_no_defect_vanishes_when_a_mask_shrinks(tmp_path: Path) -> None:
    root = mvtec(tmp_path)
    save(box(slice(5, 6), slice(7, 8)), root / "bottle/ground_truth/broken/000_mask.png")
    bare, plugged = bare_and_plugged(LOAD, root)
    assert bare == [2, 0]
    assert plugged == [2, 1]


LEVELS = """
from pyimgano.utils.datasets import load_dataset
import numpy as np
images = load_dataset('mvtec', root, category='bottle', resize=None).get_train_data()
print(json.dumps([len(np.unique(images)), int(images.max())]))
"""


def test_twelve_bit_images_keep_their_levels(tmp_path: Path) -> None:
    ramp = np.linspace(0, 4095, SIZE[0] * SIZE[1]).reshape(SIZE).astype(np.uint16)
    path = tmp_path / "bottle/train/good/000.png"
    path.parent.mkdir(parents=True)
    assert cv2.imwrite(str(path), ramp)
    save(image(), tmp_path / "bottle/test/good/000.png")
    bare, plugged = bare_and_plugged(LEVELS, tmp_path)
    assert bare == [16, 15]
    assert plugged == [256, 255]


def test_a_mask_fits_an_image_that_exif_turns(tmp_path: Path) -> None:
    """A sideways photo: both decode it upright, but only we compare the mask with the upright size."""
    root = mvtec(tmp_path)
    (root / "bottle/test/broken/000.png").unlink()
    turned = Image.Exif()
    turned[0x0112] = 6
    photo = Image.fromarray(image(5)).transpose(Image.Transpose.ROTATE_90)
    photo.save(root / "bottle/test/broken/000.jpg", exif=turned)
    wrong = np.zeros(SIZE[::-1], np.uint8)
    wrong[:40, :30] = 255
    save(wrong, root / "bottle/ground_truth/broken/000_mask.png")
    code = LOAD.replace("'mvtec'", "'industrial_folder'")
    done = run(script("python"), "-c", f"import json; root = {str(root)!r}\n{code}")
    assert "EXIF" in json.loads(done.stdout)
    save(box(slice(0, 32), slice(0, 96)), root / "bottle/ground_truth/broken/000_mask.png")
    done = run(script("python"), "-c", f"import json; root = {str(root)!r}\n{code}")
    assert json.loads(done.stdout) == [2, 16 * 32]


def test_pixel_metrics_survive_images_of_mixed_sizes(tmp_path: Path) -> None:
    root = mvtec(tmp_path)
    save(box(slice(5, 20), slice(7, 30)), root / "bottle/ground_truth/broken/000_mask.png")
    save(np.full((40, 200, 3), 90, np.uint8), root / "bottle/test/good/001.png")
    code = f"dataset, category = 'mvtec', 'bottle'{PERFECT}{EVALUATE}"
    bare, plugged = bare_and_plugged(code, root)
    assert bare is None
    assert plugged is not None


def test_the_threshold_comes_from_the_validation_split(loco: Path) -> None:
    code = (
        "from pyimgano.pipelines.run_benchmark import run_benchmark\n"
        "report = run_benchmark(dataset='mvtec_loco', root=root, category='pushpins', model='vision_pixel_mad_map',\n"
        "                       save_run=False)\n"
        "print(json.dumps(report['threshold_provenance']))"
    )
    bare, plugged = bare_and_plugged(code, loco)
    assert (bare["split"], bare["train_count"]) == ("train", 3)
    assert (plugged["split"], plugged["train_count"], plugged["validation_count"]) == ("validation", 3, 3)
