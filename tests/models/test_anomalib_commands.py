"""The page's way from anomalib's training to a thresholded, tiled detector, and the host's commands with Dinomaly."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from distributions import run, script

pytest.importorskip("anomalib")
import cv2

from models.anomalib_tiny import checkpoint, pictures, write

PAGE = Path(__file__).parent.parent.parent / "docs/pages/how-to/anomalib.md"
# The page trains Dinomaly, which fetches its weights and takes hours; this is a model that takes seconds.
INSTEAD = {
    "--model Dinomaly": "--model Padim --model.backbone resnet18 --model.layers [layer1] --model.n_features 16 "
    "--model.pre_trained false --trainer.accelerator cpu",
    "vision_dinomaly_anomalib": "vision_padim_anomalib",
    "results/Dinomaly": "results/Padim",
    "--tile-size 448 --tile-stride 392": "--tile-size 64 --tile-stride 32 --tile-calibration holdout",
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return AD2, with a small object "can"."""
    root = tmp_path / "AD2" / "can"
    for split, count in (("train/good", 24), ("validation/good", 4), ("test_public/good", 3), ("test_public/bad", 2)):
        images = pictures(count, seed=len(split))
        for image in images if split.endswith("bad") else ():
            image[30:50, 30:60] = 250
        for index, file in enumerate(write(images, root / split)):
            Path(file).rename(Path(file).with_name(f"{index:03}_regular.png"))
    mask = np.zeros((80, 96), np.uint8)
    mask[30:50, 30:60] = 255
    masks = root / "test_public/ground_truth/bad"
    masks.mkdir(parents=True)
    for index in range(2):
        cv2.imwrite(str(masks / f"{index:03}_regular_mask.png"), mask)
    return root.parent


@pytest.mark.slow
def test_the_page_s_four_commands_lead_from_training_to_a_tiled_detector(data: Path) -> None:
    (block,) = re.findall(r"```sh\n(anomalib train.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    for words, others in INSTEAD.items():
        assert words in block
        block = block.replace(words, others)
    commands = block.replace("\\\n", " ").splitlines()
    assert len(commands) == 4
    for command in commands:
        name, *words = shlex.split(command)
        run(script(name), *words, cwd=data.parent)
    rows = json.loads((data.parent / "runs/can/results.json").read_text(encoding="utf-8"))["rows"]
    assert rows[0]["metrics"]["image_auroc"]["value"] == pytest.approx(1)
    for lines, maps in (("scores.jsonl", "maps"), ("tiled.jsonl", "tiled")):
        records = [json.loads(line) for line in (data.parent / lines).read_text(encoding="utf-8").splitlines()]
        assert [record["label"] for record in records] == [1, 1]
        for file in (data.parent / maps).glob("*.npy"):
            found = np.load(file)
            assert found.shape == (80, 96)
            assert found[30:50, 30:60].mean() > found.mean()


@pytest.mark.slow
def test_host_commands_run_a_dinomaly_checkpoint(data: Path, tmp_path: Path) -> None:
    path, _ = checkpoint("Dinomaly", tmp_path)
    model = ["--model", "vision_dinomaly_anomalib", "--checkpoint-path", str(path), "--device", "cpu"]
    for file in sorted((data / "can/train/good").iterdir())[3:]:
        file.unlink()
    report = tmp_path / "r.json"
    run(
        script("pyimgano-benchmark"), "--dataset", "mvtec_ad2", "--root", str(data), "--category", "can",
        *model, "--pixel", "--output", str(report),
    )  # fmt: skip
    assert "pixel_auroc" in report.read_text(encoding="utf-8")
    lines = tmp_path / "out.jsonl"
    run(
        script("pyimgano-infer"), *model, "--train-dir", str(data / "can/train/good"), "--input",
        str(data / "can/test_public/bad"), "--include-maps", "--save-maps", str(tmp_path / "maps"),
        "--save-jsonl", str(lines),
    )  # fmt: skip
    assert len(lines.read_text(encoding="utf-8").splitlines()) == 2
    assert {np.load(file).shape for file in (tmp_path / "maps").glob("*.npy")} == {(80, 96)}
