"""`pyimgano-benchmark --pixel` with the official numbers in its report, and without this package."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trees
from distributions import run

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noisy plates; in the bad ones a weak defect stands out of the noise by far."""
    root = tmp_path_factory.mktemp("plates")
    rng = np.random.default_rng(0)
    mask = np.zeros((96, 128), np.uint8)
    mask[40:52, 60:72] = 255
    for folder, count, bad in (("train/good", 6, 0), ("test/good", 6, 0), ("test/spot", 3, 1)):
        for number in range(count):
            pixels = rng.normal(128, 3, (96, 128, 3)) + bad * 60 * (mask > 0)[..., None]
            trees.write(root / "tile" / folder / f"{number:03}.png", pixels.clip(0, 255).astype(np.uint8))
            if bad:
                trees.write(root / "tile/ground_truth/spot" / f"{number:03}_mask.png", mask)
    return root


def report(root: Path, output: Path, **env: str) -> dict[str, Any]:
    run(
        sys.executable, "-m", "pyimgano", "benchmark", "--dataset", "mvtec", "--root", str(root), "--category", "tile",
        "--model", "vision_pixel_mad_map", "--pixel", "--pixel-postprocess", "--output", str(output), env=env,
    )  # fmt: skip
    found: dict[str, Any] = json.loads(output.read_text(encoding="utf-8"))
    return found


def test_maps_that_are_stretched_one_by_one_hide_what_the_official_numbers_show(root: Path, tmp_path: Path) -> None:
    alone = report(root, tmp_path / "alone.json", PYIMGANO_DISABLE_PLUGIN_AUTOLOAD="1")
    ours = report(root, tmp_path / "ours.json")
    stretched = alone["results"]["pixel_metrics"]["pixel_average_precision"]
    official = ours["official"]["metrics"]
    assert "official" not in alone
    assert stretched < 0.9
    assert official["pixel_ap"]["value"] > 0.99
    assert official["aupro@0.05"]["value"] > 0.95
    for name in ("image_auroc", "image_ap", "pixel_auroc", "pixel_ap", "aupro@0.3", "aupro@0.05", "seg_f1_best"):
        number = official[name]
        assert number["low"] - 1e-3 <= number["value"] <= number["high"] + 1e-3
    assert ours["results"].keys() == alone["results"].keys()
    assert ours["official"]["gaps"]["seg_f1"] == "there is no pixel threshold from normal images"
    assert ours["official"]["gaps"]["threshold"] == "there is no validation split"


def test_no_image_is_inferred_again_for_them(root: Path, tmp_path: Path) -> None:
    code = (
        "import json, sys\n"
        "from pyimgano import root_cli\n"
        "from pyimgano.models import pixel_stats_map\n"
        "made, kind = [], pixel_stats_map.VisionPixelMADMapDetector\n"
        "whole = kind.get_anomaly_map\n"
        "def counted(self, item):\n"
        "    made.append(str(item))\n"
        "    return whole(self, item)\n"
        "kind.get_anomaly_map = counted\n"
        "assert root_cli.main(sys.argv[1:]) == 0\n"
        "print(json.dumps([one for one in made if '/test/' in one]))\n"
    )
    options = ("--dataset", "mvtec", "--root", f"{root}", "--category", "tile", "--model", "vision_pixel_mad_map")
    counts = []
    for off in ("1", "0"):
        output = run(
            sys.executable, "-c", code, "benchmark", *options, "--pixel", "--output", f"{tmp_path / off}.json",
            env={"PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": off},
        ).stdout  # fmt: skip
        counts.append(len(json.loads(output.splitlines()[-1])))
    assert counts[0] == counts[1] > 0
    assert (
        json.loads((tmp_path / "0.json").read_text(encoding="utf-8"))["official"]["metrics"]["pixel_ap"]["value"] > 0.9
    )
