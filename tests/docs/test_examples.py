"""Every program in docs/examples runs in an empty folder and leaves what it says."""

from __future__ import annotations

import json
import re
import struct
from pathlib import Path

import numpy as np
import pytest

from distributions import run, script
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


NEEDS = {"anomalib_checkpoint.py": "anomalib", "zero_shot.py": "open_clip"}  # tox environments of their own
CHECKS = {
    "anomalib_checkpoint.py": check_anomalib_checkpoint,
    "infer_arrays.py": check_infer_arrays,
    "threshold.py": check_threshold,
    "tiling_4k.py": check_tiling_4k,
    "zero_shot.py": check_zero_shot,
}


def test_every_example_has_a_check() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == CHECKS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_an_example_runs_and_writes_its_files(name: str, tmp_path: Path) -> None:
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    done = run(script("python"), str(EXAMPLES / name), cwd=tmp_path)
    CHECKS[name](tmp_path, done.stdout)
