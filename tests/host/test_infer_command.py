"""pyimgano-infer with broken files, regions, deep and turned images, and a profile, in real processes."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from acme import save
from distributions import script
from warm import python, run

SIZE = (48, 64)


def plain(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(90, 110, (*SIZE, 3), np.uint8)


@pytest.fixture
def line(tmp_path: Path) -> Path:
    """Normal images in good/, and in check/ two good ones, one with a scratch at rows 20:30, columns 30:40."""
    for index in range(8):
        save(plain(index), tmp_path / "good" / f"{index:03}.png")
    for index in range(2):
        save(plain(20 + index), tmp_path / "check" / f"ok{index}.png")
    scratched = plain(30)
    scratched[20:30, 30:40] = 240
    save(scratched, tmp_path / "check/scratch.png")
    return tmp_path


def infer(line: Path, *flags: object, model: str = "vision_pixel_mad_map") -> CompletedProcess[str]:
    (line / "out.jsonl").unlink(missing_ok=True)
    command = (script("pyimgano-infer"), "--model", model, "--train-dir", "good", "--input", "check")
    return run(*command, "--save-jsonl", "out.jsonl", *map(str, flags), cwd=line, check=False)


def records(line: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(text) for text in (line / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    return {Path(record["input"]).name: record for record in found}


def break_files(line: Path) -> None:
    (line / "check/empty.png").write_bytes(b"")
    content = (line / "check/ok0.png").read_bytes()
    (line / "check/cut.png").write_bytes(content[: len(content) // 2])


def test_a_broken_file_stops_the_run_and_says_how_to_go_on(line: Path) -> None:
    break_files(line)
    done = infer(line)
    assert done.returncode != 0
    assert "cut.png: the file (" in done.stderr
    assert "replace it or take it out of the data set; --on-error report goes on with the others" in done.stderr


def test_on_error_report_goes_on_and_names_the_file(line: Path) -> None:
    break_files(line)
    done = infer(line, "--on-error", "report")
    assert done.returncode == 1
    assert "2 of 5 images have no result; first: cannot read check/cut.png" in done.stderr.replace("\\", "/")
    found = records(line)
    assert {name for name, record in found.items() if record["status"] == "error"} == {"empty.png", "cut.png"}
    assert found["empty.png"]["error"]["type"] == "ImageError"
    assert "empty.png: the file is empty" in found["empty.png"]["error"]["message"]
    assert found["scratch.png"]["score"] > found["ok0.png"]["score"]


def test_max_errors_stops_after_so_many(line: Path) -> None:
    break_files(line)
    infer(line, "--on-error", "report", "--max-errors", 1)
    assert list(records(line)) == ["cut.png"]


def test_a_broken_image_to_fit_on_is_an_error(line: Path) -> None:
    (line / "good/003.png").write_bytes(b"")
    done = infer(line, model="vision_knn")
    assert done.returncode != 0
    assert "003.png: the file is empty" in done.stderr


def test_a_turned_photo_and_a_deep_file_score_as_their_upright_8_bit_twins(line: Path) -> None:
    scratched = cv2.imread(str(line / "check/scratch.png"))
    assert cv2.imwrite(str(line / "check/deep.png"), scratched.astype(np.uint16) * 16)
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(np.rot90(scratched)).save(line / "check/phone.png", exif=turned)
    assert infer(line).returncode == 0
    found = records(line)
    for name in ("deep.png", "phone.png"):  # sums of float32 in another order end in another last digit
        assert found[name]["score"] == pytest.approx(found["scratch.png"]["score"], rel=1e-6)


@pytest.mark.parametrize(("model", "tiled"), [("vision_pixel_mad_map", ("--tile-size", 32)), ("vision_knn", ())])
def test_a_stated_depth_holds_for_every_image_of_the_command(line: Path, model: str, tiled: tuple[object, ...]) -> None:
    """Images of 14 bits, some of which use 12, score as the same images of 8 bits: fitted, calibrated and scored."""
    for path in (line / "good").iterdir():
        save(cv2.imread(f"{path}") // 4, path)
    found = []
    for flags in ((), ("--u16-max", 16383)):
        done = infer(line, *tiled, *flags, "--calibrate-on", "train", model=model)
        assert done.returncode == 0, done.stderr
        found.append(
            {name: (one["score"], one["threshold_provenance"]["threshold"]) for name, one in records(line).items()}
        )
        for path in [*(line / "good").iterdir(), *(line / "check").iterdir()]:
            assert cv2.imwrite(f"{path}", cv2.imread(f"{path}").astype(np.uint16) * 64)
    assert found[0] == found[1]


def test_a_depth_that_is_none_is_an_error(line: Path) -> None:
    done = infer(line, "--u16-max", 255)
    assert done.returncode == 2
    assert "argument --u16-max: u16_max must be in 256..65535, the largest 16-bit sample; got 255" in done.stderr


def test_a_region_leaves_out_what_lies_outside(line: Path) -> None:
    scores = {}
    for roi in ("25,15,45,35", "0,0,20,48"):
        assert infer(line, "--roi", roi, "--include-maps", "--save-maps", "maps").returncode == 0
        scores[roi] = {name: record["score"] for name, record in records(line).items()}
    assert scores["25,15,45,35"]["scratch.png"] > 10 * scores["25,15,45,35"]["ok0.png"]
    assert scores["0,0,20,48"]["scratch.png"] < 2 * scores["0,0,20,48"]["ok0.png"]
    assert all((np.load(path)[:, 20:] == 0).all() for path in (line / "maps").glob("*.npy"))


@pytest.mark.parametrize("tiled", [(), ("--tile-size", 16, "--tile-stride", 16)])
def test_a_polygon_a_mask_and_a_folder_of_masks_are_the_box(line: Path, tiled: tuple[object, ...]) -> None:
    mask = np.zeros(SIZE, np.uint8)
    mask[15:35, 25:45] = 255
    for path in (*(line / "good").iterdir(), *(line / "check").iterdir()):
        save(mask, line / "masks" / path.name)
    found = []
    for roi in ("25,15,45,35", "25,15,44,15,44,34,25,34", "masks/ok0.png", "masks"):
        done = infer(line, "--roi", roi, *tiled)
        assert done.returncode == 0, done.stderr
        found.append({name: record["score"] for name, record in records(line).items()})
    assert found[0] == found[1] == found[2]
    assert found[3]["scratch.png"] > 3 * found[3]["ok0.png"]
    if not tiled:
        assert found[0] == found[3]


@pytest.mark.parametrize("tiled", [(), ("--tile-size", 16, "--tile-stride", 16)])
def test_one_image_and_one_folder_may_have_regions_of_their_own(line: Path, tiled: tuple[object, ...]) -> None:
    """A folder of masks in folders and a JSON file name the same regions: no scratch lies in that of ok1.png."""
    right, left = np.zeros(SIZE, np.uint8), np.zeros(SIZE, np.uint8)
    right[15:35, 25:45], left[:, :20] = 255, 255
    shutil.copy(line / "check/scratch.png", line / "check/ok1.png")
    for name, mask in {"good": right, "check": right, "check/ok1": left}.items():
        save(mask, line / "masks" / f"{name}.png")
    regions = {"good": [25, 15, 45, 35], "check": "masks/check.png", "ok1": [[0, 0], [19, 0], [19, 47], [0, 47]]}
    (line / "regions.json").write_text(json.dumps(regions), encoding="utf-8")
    scores, labels = [], []
    for roi in ("masks", "regions.json"):
        done = infer(line, "--roi", roi, *tiled)
        assert done.returncode == 0, done.stderr
        scores.append({name: record["score"] for name, record in records(line).items()})
        labels.append({name: record["label"] for name, record in records(line).items()})
    assert scores[0] == scores[1]
    assert scores[0]["scratch.png"] > 3 * scores[0]["ok1.png"]
    assert labels[0]["scratch.png"] == 1


@pytest.fixture
def conveyor(tmp_path: Path) -> Path:
    """A line of 20 good images whose lower half, the conveyor, is different every time."""
    for index in range(26):
        image = plain(index)
        image[24:] = np.random.default_rng(100 + index).integers(0, 256, (24, 64, 3))
        folder = "good" if index < 20 else "check"
        if index == 25:
            image[8:16, 8:24] = 160
        save(image, tmp_path / folder / f"{index:03}.png")
    return tmp_path


def test_the_threshold_is_that_of_the_region(conveyor: Path) -> None:
    """Of 20 good images 4 are kept back, whose highest score inside the region is what 0.25 asks for."""
    flags = ("--threshold-method", "conformal", "--target-fpr", 0.25, "--threshold-report", "report.json")
    assert infer(conveyor, "--roi", "0,0,64,24", *flags).returncode == 0
    report = json.loads((conveyor / "report.json").read_text(encoding="utf-8"))
    code = f"""
from pathlib import Path
from pyimgano.models import create_model
from pyimgano_industrial.inference import RegionDetector
kept = {report["names"]!r}
others = [str(path) for path in sorted(Path("good").iterdir()) if str(path) not in kept]
detector = RegionDetector(create_model("vision_pixel_mad_map"), roi=(0, 0, 64, 24)).fit(others)
print(len(others), max(detector.decision_function(kept)), max(detector.detector.decision_function(kept)))
"""
    count, inside, everywhere = (float(part) for part in python(code, cwd=conveyor).split())
    assert count == 16
    assert report["threshold"] == pytest.approx(inside)
    assert report["threshold"] != pytest.approx(everywhere)
    found = records(conveyor)
    assert found["025.png"]["label"] == 1
    assert found["025.png"]["score"] == max(record["score"] for record in found.values())


def test_the_pixel_threshold_counts_the_region_only(conveyor: Path) -> None:
    """Outside the maps are 0: nine tenths of the image outside would make the median 0."""
    for path in (conveyor / "good").iterdir():
        mask = np.zeros(SIZE, np.uint8)
        mask[:24, :12] = 255
        save(mask, conveyor / "masks" / path.name)
    for path in (conveyor / "check").iterdir():
        save(mask, conveyor / "masks" / path.name)
    found = []
    for roi in ("0,0,12,24", "masks"):
        flags = ("--defects", "--pixel-threshold-strategy", "normal_pixel_quantile", "--pixel-normal-quantile", 0.5)
        done = infer(conveyor, "--roi", roi, *flags)
        assert done.returncode == 0, done.stderr
        found.append(next(iter(records(conveyor).values()))["defects"]["pixel_threshold"])
    assert found[0] == found[1] > 0


@pytest.mark.parametrize("tiled", [(), ("--tile-size", 24)])
def test_a_threshold_of_whole_images_is_not_used_in_a_region(line: Path, tiled: tuple[object, ...]) -> None:
    model = {"name": "vision_pixel_mad_map", "device": "cpu", "contamination": 0.1, "model_kwargs": {}}
    config = {"model": model, "adaptation": {}, "threshold": 0.0}
    (line / "infer_config.json").write_text(json.dumps(config), encoding="utf-8")
    command = (script("pyimgano-infer"), "--infer-config", "infer_config.json", "--train-dir", "good")
    flags = ("--input", "check", "--save-jsonl", "out.jsonl", *map(str, tiled), "--roi", "0,0,30,30")
    done = run(*command, *flags, cwd=line)
    assert "the threshold 0 of the run is not used: it belongs to whole images, and --roi changes" in done.stderr
    assert all(record["threshold_provenance"]["threshold"] > 0 for record in records(line).values())


def test_a_region_needs_maps_or_tiles(line: Path) -> None:
    done = infer(line, "--roi", "0,0,40,40", model="vision_knn")
    assert done.returncode != 0
    assert "a VisionKNN has none: tile it (TiledDetector(roi=...), --tile-size in the commands)" in done.stderr
    assert infer(line, "--roi", "0,0,40,40", "--tile-size", 16, model="vision_knn").returncode == 0


@pytest.mark.parametrize(
    ("roi", "message"),
    [
        ("no.png", r"error: --roi must be a box .* or a polygon .* in pixels, .* or a JSON file .*; got 'no.png'"),
        ("0,0,500,500", r"a box must satisfy 0 <= x0 < x1 <= 64 .*; got \(0, 0, 500, 500\); the image is good"),
    ],
)  # fmt: skip
def test_a_region_that_does_not_fit_is_an_error(line: Path, roi: str, message: str) -> None:
    done = infer(line, "--roi", roi)
    assert done.returncode == 2
    assert re.search(message, done.stderr)


def test_the_profile_says_how_long_an_image_takes(line: Path) -> None:
    done = infer(line, "--profile", "--profile-json", "profile.json", "--batch-size", 1)
    pattern = r"profile: per image warm_up=[\d.]+ms p50=[\d.]+ms p99=[\d.]+ms images=3 batch=1\n"
    assert re.search(pattern, done.stdout + done.stderr)
    found = json.loads((line / "profile.json").read_text(encoding="utf-8"))["latency_seconds"]
    assert set(found) == {"warm_up", "p50", "p99", "images", "largest_batch"}
    assert 0 < found["p50"] <= found["p99"]


def test_a_profile_of_one_batch_says_what_it_is(line: Path) -> None:
    done = infer(line, "--profile", "--on-error", "report")
    assert "batch=3 (one batch: p50 and p99 are the warm-up's; see --batch-size)" in done.stdout + done.stderr


def test_images_of_mixed_sizes_have_maps_of_their_own_size(line: Path) -> None:
    save(np.full((30, 90, 3), 100, np.uint8), line / "check/wide.png")
    done = infer(line, "--include-maps", model="vision_patchcore_lite")
    assert done.returncode == 0, done.stderr
    assert len(records(line)) == 4
