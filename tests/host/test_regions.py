"""--roi in pyimgano-benchmark and pyimgano-robust-benchmark: what lies outside does not count."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from acme import save
from distributions import script
from warm import python, run

ROI = "0,0,64,32"


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Parts of 64 x 64 pixels, spots at rows 8:16 of the bad ones; the lower half is clutter, now and then bright."""
    root = tmp_path_factory.mktemp("parts")
    rng = np.random.default_rng(0)
    for folder, count in {"train/good": 20, "test/good": 8, "test/spot": 8}.items():
        for index in range(count):
            image = rng.integers(90, 110, (64, 64, 3), np.uint8)
            image[32:] = rng.integers(85, 115, (32, 64, 3))
            if folder == "test/good":
                image[36:60, 4:60] = (0, 255, 255)
            if folder == "test/spot":
                image[8:16, 24:40] = 130
                mask = np.zeros((64, 64), np.uint8)
                mask[8:16, 24:40] = 255
                save(mask, root / "part/ground_truth/spot" / f"{index:03}_mask.png")
            save(image, root / "part" / folder / f"{index:03}.png")
    return root


def benchmark(root: Path, cwd: Path, *flags: str, command: str = "pyimgano-benchmark") -> dict[str, Any]:
    named = ("--dataset", "industrial_folder", "--root", f"{root}", "--category", "part")
    run(script(command), *named, "--model", "vision_pixel_mad_map", *flags, "--output", "report.json", cwd=cwd)
    report: dict[str, Any] = json.loads((cwd / "report.json").read_text(encoding="utf-8"))
    return report


@pytest.mark.parametrize("flags", [(), ("--tile-size", "32", "--tile-fit", "position"), ("--input-mode", "numpy")])
def test_clutter_outside_the_region_does_not_decide(parts: Path, tmp_path: Path, flags: tuple[str, ...]) -> None:
    everywhere = benchmark(parts, tmp_path, *flags)
    assert "roi" not in everywhere
    assert everywhere["results"]["auroc"] < 0.8
    inside = benchmark(parts, tmp_path, *flags, "--roi", ROI)
    assert inside["roi"] == ROI
    assert inside["results"]["auroc"] == 1.0


def test_each_category_has_its_own_region(parts: Path, tmp_path: Path) -> None:
    """The same parts once upright and once upside down: what is clutter in one is the part in the other."""
    for path in (parts / "part").rglob("*.png"):
        place = path.relative_to(parts / "part")
        image = cv2.imread(f"{path}", cv2.IMREAD_UNCHANGED)
        save(image, tmp_path / "all/upright" / place)
        save(image[::-1], tmp_path / "all/turned" / place)
    regions = {"upright": [0, 0, 64, 32], "turned": [[0, 32], [63, 32], [63, 63], [0, 63]]}
    (tmp_path / "regions.json").write_text(json.dumps(regions), encoding="utf-8")
    for name, rows in {"upright": slice(32), "turned": slice(32, 64)}.items():
        mask = np.zeros((64, 64), np.uint8)
        mask[rows] = 255
        save(mask, tmp_path / "masks" / f"{name}.png")

    def run_all(*flags: str, category: str = "all") -> dict[str, Any]:
        named = ("--dataset", "industrial_folder", "--root", "all", "--category", category)
        model = ("--model", "vision_pixel_mad_map", "--output", "report.json")
        run(script("pyimgano-benchmark"), *named, *model, *flags, cwd=tmp_path)
        report: dict[str, Any] = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
        return report

    for roi in ("regions.json", "masks"):
        report = run_all("--roi", roi)
        found = {name: one["results"]["auroc"] for name, one in report["per_category"].items()}
        assert found == {"upright": 1.0, "turned": 1.0}, roi
        pixels = run_all("--roi", roi, "--pixel", category="turned")["results"]["pixel_metrics"]
        assert pixels["pixel_auroc"] > 0.95
    mixed = run_all("--roi", ROI)["per_category"]
    assert mixed["upright"]["results"]["auroc"] == 1.0
    assert mixed["turned"]["results"]["auroc"] < 0.9


def test_pixel_metrics_and_the_pixel_threshold_count_what_lies_inside(parts: Path, tmp_path: Path) -> None:
    """A tenth of the normal pixels inside exceeds their quantile of 0.9; were the half outside counted, a twentieth."""
    flags = ("--pixel", "--pixel-segf1", "--pixel-normal-quantile", "0.9", "--resize", "64", "64")
    everywhere = benchmark(parts, tmp_path, *flags)["results"]["pixel_metrics"]
    assert everywhere["pixel_auroc"] < 0.9
    report = benchmark(parts, tmp_path, *flags, "--roi", ROI)
    found = report["results"]["pixel_metrics"]
    assert 0.08 < found["bg_fpr"] < 0.12
    assert found["pixel_auroc"] > 0.95
    assert found.keys() == everywhere.keys()
    official = report["official"]["metrics"]
    assert official["pixel_auroc"]["value"] == pytest.approx(found["pixel_auroc"], abs=1e-5)


def test_a_region_without_a_defect_has_no_pixel_metrics_and_says_so(parts: Path, tmp_path: Path) -> None:
    report = benchmark(parts, tmp_path, "--pixel", "--roi", "0,0,8,8")
    assert "pixel_metrics" not in report["results"]
    assert report["results"]["auroc"] < 1


@pytest.mark.parametrize("tiled", [(), ("--tile-size", "128", "--tile-fit", "position")])
def test_robust_benchmark_takes_a_region(parts: Path, tmp_path: Path, tiled: tuple[str, ...]) -> None:
    """It resizes the images to 256 x 256 pixels, and the region with them."""
    flags = (*tiled, "--roi", ROI, "--corruptions", "jpeg", "--severities", "1")
    report = benchmark(parts, tmp_path, *flags, command="pyimgano-robust-benchmark")
    assert report["roi"] == ROI
    assert report["robustness"]["clean"]["results"]["auroc"] == 1.0


def test_a_region_in_pixels_does_not_fit_resized_images_of_several_sizes(parts: Path, tmp_path: Path) -> None:
    shutil.copytree(parts, tmp_path / "parts")
    save(np.full((64, 80, 3), 100, np.uint8), tmp_path / "parts/part/train/good/wide.png")
    named = ("--dataset", "industrial_folder", "--root", "parts", "--category", "part", "--roi", ROI)
    model = ("--model", "vision_pixel_mad_map", "--input-mode", "numpy")
    done = run(script("pyimgano-benchmark"), *named, *model, check=False, cwd=tmp_path)
    assert done.returncode != 0
    assert "needs images of one size where they are resized; the images have 2, such as (64, 64) and (64, 80)" in (
        done.stderr
    )


# Every pixel map model that runs without torch, fitted twice on images that differ outside the region only.
TWICE = """
import warnings
from pathlib import Path
import numpy as np
from pyimgano.inference import infer
from pyimgano.models import create_model, list_models
from pyimgano_industrial.inference import RegionDetector
warnings.simplefilter("ignore")

def images(seed, outside):
    pixels = np.random.default_rng(outside).integers(0, 256, (8, 64, 64, 3), np.uint8)
    pixels[:, :32] = np.random.default_rng(seed).integers(90, 110, (8, 32, 64, 3))
    return list(pixels)

def score(name, outside):
    np.random.seed(0)
    detector = RegionDetector(create_model(name), roi=(0, 0, 64, 32)).fit(images(0, outside))
    results = infer(detector, images(1, outside + 1), include_maps=True)
    return detector.threshold_, [one.score for one in results], np.stack([one.anomaly_map for one in results])

for name in list_models(tags=["pixel_map"]):
    try:
        one, other = score(name, 10), score(name, 20)
    except Exception as error:
        print(name, "refused", str(error).splitlines()[0][:100])
    else:
        same = one[:2] == other[:2] and np.array_equal(one[2], other[2])
        print(name, "same" if same and np.isfinite(one[0]) else "different")
"""


def test_what_lies_outside_does_not_count_in_fit_either_whatever_the_model() -> None:
    found = [line.split(" ", 2) for line in python(TWICE).splitlines() if line.startswith("vision_")]
    assert [row for row in found if row[1] == "different"] == []
    assert {row[0] for row in found if row[1] == "same"} >= {
        "vision_industrial_filter_bank", "vision_logsad", "vision_phase_correlation_map", "vision_pixel_gaussian_map",
        "vision_pixel_mad_map", "vision_pixel_mean_absdiff_map", "vision_template_ncc_map",
    }  # fmt: skip
