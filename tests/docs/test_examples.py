"""Every program in docs/examples runs in an empty folder and leaves what it says."""

from __future__ import annotations

import json
import re
import struct
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile

from distributions import run, script
from pyimgano_industrial.evaluation.submission import OBJECTS
from pyimgano_industrial.inference import Calibration

EXAMPLES = Path(__file__).parent.parent.parent / "docs" / "examples"


def check_tiling_4k(folder: Path, shown: str) -> None:
    """Its three dents and nothing else stand out of the map, and the pictures are as large as the page shows them."""
    assert {path.name for path in folder.iterdir()} == {"map.npy", "tiling-map.png", "tiling-seams.png"}
    assert "defective: True" in shown
    anomaly_map = np.load(folder / "map.npy")
    assert anomaly_map.shape == (2160, 3840)
    found = anomaly_map > 0.5 * anomaly_map.max()
    for y, x in ((410, 700), (1300, 1490), (1730, 3100)):
        around = np.s_[y - 60 : y + 60, x - 60 : x + 60]
        assert found[around].any()
        found[around] = False
    assert not found.any()
    for name, size in {"tiling-map.png": (1280, 404), "tiling-seams.png": (1280, 364)}.items():
        assert struct.unpack(">II", (folder / name).read_bytes()[16:24]) == size


def check_threshold(folder: Path, shown: str) -> None:
    """The promise from parts that were kept back holds on 5,000 new ones; the one by heart flags every part."""
    assert {path.name for path in folder.iterdir()} == {"calibration.json", "infer_config.json"}
    kept, by_heart = (float(share) for share in re.findall(r"flagged: ([\d.]+)%", shown))
    assert kept <= 5
    assert by_heart == 100
    assert "it knows them by heart, 300 of them score 0" in shown
    assert shown.count("It promises at most 5 % of good images") == 2
    assert "It aims at 0.1 % of good images flagged and extrapolates" in shown
    config = json.loads((folder / "infer_config.json").read_text(encoding="utf-8"))
    assert Calibration.from_infer_config(config) is not None
    assert Calibration.from_infer_config(config, level="pixel") is not None


def check_infer_arrays(folder: Path, shown: str) -> None:
    """Its two dents are found, the clamp is not, the damaged file is named, and the map shows the dent."""
    assert {path.name for path in folder.iterdir()} == {"part.png", "broken.png", "map.npy"}
    assert [line.endswith("defective: True") for line in shown.splitlines()[:4]] == [False, True, False, True]
    assert "cannot read broken.png" in shown.splitlines()[4]
    anomaly_map = np.load(folder / "map.npy")
    assert anomaly_map.shape == (480, 640)
    assert not anomaly_map[:40].any()
    y, x = np.unravel_index(anomaly_map.argmax(), anomaly_map.shape)
    assert (y - 200) // 24 == (x - 300) // 24 == 0


def check_anomalib_checkpoint(folder: Path, shown: str) -> None:
    """The dented part is found where its dent is, from a checkpoint that the example wrote."""
    assert {path.name for path in folder.iterdir()} == {"padim.ckpt", "map.npy"}
    assert shown.splitlines()[0] == "Padim"
    assert [line.rpartition(" ")[2] for line in shown.splitlines()[-2:]] == ["False", "True"]
    anomaly_map = np.load(folder / "map.npy")
    assert anomaly_map.shape == (240, 320)
    y, x = np.unravel_index(anomaly_map.argmax(), anomaly_map.shape)
    assert 90 <= y < 142
    assert 170 <= x < 222


def check_zero_shot(folder: Path, shown: str) -> None:
    """It says that its weights are random, and the dent at the right end stands out of the few-shot map."""
    assert {path.name for path in folder.iterdir()} == {"map.npy"}
    assert "it says: ViT-B-32 has random weights: its scores mean nothing" in shown
    anomaly_map = np.load(folder / "map.npy")
    assert anomaly_map.shape == (120, 320)
    y, x = np.unravel_index(anomaly_map.argmax(), anomaly_map.shape)
    assert 20 <= y <= 100
    assert x >= 255


def check_production_loop(folder: Path, shown: str) -> None:
    """Every file has one line in the log, in order: the damaged one with its error, the others with score and drift."""
    assert {path.name for path in folder.iterdir()} == {"incoming", "line.json", "line.npz", "log.jsonl"}
    assert "It promises at most 10 % of good images flagged, with 90 % confidence." in shown
    records = [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [record["file"] for record in records] == [f"{number:04}.png" for number in range(40)]
    (damaged,) = (record for record in records if "error" in record)
    assert (damaged["file"], damaged["score"], damaged["decision"]) == ("0008.png", None, "reject")
    for record in records:
        if record is not damaged:
            assert record["decision"] == ("reject" if record["score"] > record["threshold"] else "accept")
    assert [records[number]["decision"] for number in (5, 11)] == ["reject", "reject"]
    assert sum(record["decision"] == "reject" for record in records[:20]) <= 5  # three, and two false alarms of 17
    assert not any(record["drift"]["moved"] for record in records[:20] if record is not damaged)
    assert records[-1]["drift"]["moved"][0]["property"] == "exposure"
    assert "exposure has moved since 00" in shown


def check_benchmark_loco(folder: Path, shown: str) -> None:
    """It shows the table of LOCO's own metric, for both kinds of anomaly, and leaves the run."""
    assert {path.name for path in folder.iterdir()} == {"loco", "run"}
    assert shown.startswith("loco/tray: 24 images")
    title, first, second = shown.splitlines()[1:4]
    assert title.split()[:4] == ["model", "category", "AU-sPRO", "0.05"]
    (run,) = folder.glob("run/results.json")
    rows = json.loads(run.read_text(encoding="utf-8"))["rows"]
    assert [row["model"] for row in rows] == [first.split()[0], second.split()[0]]
    for row, line in zip(rows, (first, second), strict=True):
        assert line.split()[2] == f"{row['metrics']['au_spro@0.05']['value']:.3f}"
    assert shown.count("logical_anomalies") == shown.count("structural_anomalies") == 2


def check_camera_profile(folder: Path, shown: str) -> None:
    """The alarm comes after the light sank and names the exposure; the corrected tray is again as it was set up."""
    assert {path.name for path in folder.iterdir()} == {"corrected.png", "line.json", "line.npz"}
    (alarm,) = re.findall(r"the alarm came at image (\d+)", shown)
    assert 25 <= int(alarm) < 50
    assert f"image {alarm}: exposure -0.2" in shown
    pictures = cv2.imread(f"{folder / 'corrected.png'}").astype(np.float32)
    assert pictures.shape == (240, 960, 3)
    good, taken, corrected = np.split(pictures, 3, axis=1)
    assert np.abs(corrected - good).mean() < 2 < 10 < np.abs(taken - good).mean()


def check_ad2_submission(folder: Path, shown: str) -> None:
    """All eight objects are packed, every map at its image's own size and in float16, and the last check is clean."""
    assert {path.name for path in folder.iterdir()} == {"mvtec_ad2", "run", "submission"}
    assert "160 files checked: no fault. Packed: " in shown
    assert "0 errors, 0 warnings\n\nsubmission/submission.tar.gz: 160 files" in shown.replace("\\", "/")
    assert (folder / "run" / "report.html").exists()
    with tarfile.open(folder / "submission" / "submission.tar.gz") as packed:
        names = packed.getnames()
    for name in OBJECTS:
        assert re.search(rf"^{name} +threshold [\d.]+, [\d.]+ % of the pixels above it$", shown, re.MULTILINE)
        for split in ("test_private", "test_private_mixed"):
            images = sorted((folder / "mvtec_ad2" / name / split).glob("*.png"))
            assert len(images) == 5
            for image in images:
                tiff = f"anomaly_images/{name}/{split}/{image.stem}.tiff"
                assert tiff in names
                found = tifffile.imread(folder / "submission" / "submission" / tiff)
                assert (found.shape, found.dtype) == ((192, 256), np.float16)
                assert np.ptp(found) > 0


NEEDS = {"anomalib_checkpoint.py": "anomalib", "zero_shot.py": "open_clip"}  # tox environments of their own
CHECKS = {
    "ad2_submission.py": check_ad2_submission,
    "anomalib_checkpoint.py": check_anomalib_checkpoint,
    "benchmark_loco.py": check_benchmark_loco,
    "camera_profile.py": check_camera_profile,
    "infer_arrays.py": check_infer_arrays,
    "production_loop.py": check_production_loop,
    "threshold.py": check_threshold,
    "tiling_4k.py": check_tiling_4k,
    "zero_shot.py": check_zero_shot,
}


def test_every_example_has_a_check() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == CHECKS.keys()


def test_every_example_is_on_the_page_with_what_it_needs() -> None:
    text = (EXAMPLES.parent / "pages/how-to/examples.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([^`]+)` \|[^|]*\| (.*?) ?\| \[", text, re.MULTILINE))
    assert rows.keys() == {path.name for path in EXAMPLES.glob("*.py")} | {"acme-bolts/"}
    assert {name for name, needs in rows.items() if needs} == NEEDS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_an_example_runs_and_writes_its_files(name: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    done = run(script("python"), str(EXAMPLES / name), cwd=tmp_path)
    CHECKS[name](tmp_path, done.stdout)
