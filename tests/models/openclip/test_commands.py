"""The host's and our own commands with the OpenCLIP models, as a user runs them; a tiny model, random weights."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from distributions import run, script
from models.openclip.tiny import write_config
from pyimgano_industrial.evaluation.folder import RunFolder

pytestmark = pytest.mark.slow
MODELS: dict[str, dict[str, Any]] = {
    "vision_openclip_prompt_patch": {"class_name": "metal nut"},
    "vision_openclip_few_shot": {"class_name": "metal nut", "lighting": True},
    "vision_openclip_batch": {},
}
SIZE = (80, 160)


def command(name: str, *arguments: object, folder: Path) -> str:
    env = {"PYIMGANO_INDUSTRIAL_CACHE": str(folder / "cache"), "HF_HUB_OFFLINE": "1"}
    return run(script(name), *map(str, arguments), cwd=folder, env=env).stdout


def kwargs(name: str, folder: Path) -> str:
    return json.dumps({"openclip_model_name": str(write_config(folder)), "openclip_pretrained": None, **MODELS[name]})


def write(folder: Path, count: int, *, spot: bool = False) -> None:
    folder.mkdir(parents=True)
    generator = np.random.default_rng(len(folder.name))
    for index in range(count):
        image = generator.integers(90, 120, (*SIZE, 3), np.uint8)
        if spot:
            image[20:50, 100:150] = (30, 20, 250)
        cv2.imwrite(str(folder / f"{index:03}.png"), image)


@pytest.fixture
def nuts(tmp_path: Path) -> Path:
    """A data set in MVTec AD's layout."""
    folder = tmp_path / "nuts" / "nut"
    write(folder / "train/good", 5)
    write(folder / "test/good", 3)
    write(folder / "test/stain", 3, spot=True)
    mask = np.zeros(SIZE, np.uint8)
    mask[20:50, 100:150] = 255
    (folder / "ground_truth/stain").mkdir(parents=True)
    for index in range(3):
        cv2.imwrite(str(folder / f"ground_truth/stain/{index:03}_mask.png"), mask)
    return tmp_path


@pytest.mark.parametrize(
    ("name", "flags"),
    [
        ("vision_openclip_prompt_patch", ["--preset", "industrial-gray-world"]),
        ("vision_openclip_few_shot", ["--tile-size", "80", "--tile-stride", "80"]),
        ("vision_openclip_batch", []),
    ],
)
def test_infer_writes_scores_and_maps(name: str, flags: list[str], tmp_path: Path) -> None:
    write(tmp_path / "good", 4)
    write(tmp_path / "parts", 2)
    command(
        "pyimgano-infer",
        *("--model", name, "--model-kwargs", kwargs(name, tmp_path), "--train-dir", "good", "--input", "parts"),
        *("--include-maps", "--save-jsonl", "out.jsonl", "--save-maps", "maps", *flags),
        folder=tmp_path,
    )
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 2
    assert all(np.isfinite(row["score"]) for row in rows)
    assert {row["label"] for row in rows} <= {0, 1}, "fit() has set a threshold"
    maps = [np.load(path) for path in (tmp_path / "maps").rglob("*.npy")]
    assert [one.shape for one in maps] == [SIZE] * 2
    assert all(np.isfinite(one).all() and one.std() > 0 for one in maps)


@pytest.mark.parametrize("name", MODELS)
def test_benchmark_measures_images_and_pixels(name: str, nuts: Path) -> None:
    command(
        "pyimgano-benchmark",
        *("--dataset", "mvtec_ad", "--root", "nuts", "--category", "nut", "--model", name),
        *("--model-kwargs", kwargs(name, nuts), "--pixel", "--output", "r.json"),
        folder=nuts,
    )
    results = json.loads((nuts / "r.json").read_text(encoding="utf-8"))["results"]
    assert np.isfinite(results["auroc"])
    assert np.isfinite(results["pixel_metrics"]["pixel_auroc"])
    if name != "vision_openclip_prompt_patch":  # random weights know no words; patches they tell apart
        assert results["pixel_metrics"]["pixel_auroc"] > 0.9


def test_evaluate_measures_all_three_in_one_command(nuts: Path) -> None:
    models = [word for name in MODELS for word in ("--model", name, "--model-kwargs", kwargs(name, nuts))]
    command(
        "pyimgano-industrial",
        *("evaluate", "--dataset", "mvtec_ad", "--root", "nuts", "--category", "nut", "--output", "run"),
        *("--bootstrap", 20, *models),
        folder=nuts,
    )
    folder = RunFolder(nuts / "run")
    for name in MODELS:
        cell = folder.load_cell(folder.load().row(name, "nut"))
        assert cell.state == "done", cell.reason
        assert all(math.isfinite(cell.metrics[one].value or math.nan) for one in ("image_auroc", "pixel_auroc"))
        if name != "vision_openclip_prompt_patch":
            assert cell.metrics["pixel_auroc"].value > 0.9
