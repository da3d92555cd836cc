"""Every program in docs/examples runs in an empty folder and leaves what it says."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from distributions import run, script

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


CHECKS = {"tiling_4k.py": check_tiling_4k, "infer_arrays.py": check_infer_arrays}


def test_every_example_has_a_check() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == CHECKS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("name", CHECKS)
def test_an_example_runs_and_writes_its_files(name: str, tmp_path: Path) -> None:
    done = run(script("python"), str(EXAMPLES / name), cwd=tmp_path)
    CHECKS[name](tmp_path, done.stdout)
