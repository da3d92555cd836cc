"""The host's own commands with our models, as a user runs them; random weights of a real model."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from distributions import run, script

CLIP = {"openclip_model_name": "ViT-B-32", "openclip_pretrained": None}


def write(folder: Path, count: int) -> None:
    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for index in range(count):
        cv2.imwrite(str(folder / f"{index:03}.png"), generator.integers(90, 120, (80, 160, 3), np.uint8))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "more", "flags"),
    [
        ("prompt_patch", {"class_name": "metal nut"}, []),
        ("few_shot", {"class_name": "metal nut", "lighting": True}, ["--tile-size", "80", "--tile-stride", "80"]),
        ("batch", {}, []),
    ],
)
def test_infer_writes_scores_and_maps(name: str, more: dict[str, object], flags: list[str], tmp_path: Path) -> None:
    write(tmp_path / "good", 4)
    write(tmp_path / "parts", 2)
    run(
        script("pyimgano-infer"),
        *("--model", f"vision_openclip_{name}", "--model-kwargs", json.dumps(CLIP | more), "--train-dir", "good"),
        *("--input", "parts", "--include-maps", "--save-jsonl", "out.jsonl", "--save-maps", "maps", *flags),
        cwd=tmp_path,
        env={"PYIMGANO_INDUSTRIAL_CACHE": str(tmp_path / "cache")},
    )
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(rows) == 2
    assert all(np.isfinite(row["score"]) for row in rows)
    maps = [np.load(path) for path in (tmp_path / "maps").rglob("*.npy")]
    assert [one.shape for one in maps] == [(80, 160)] * 2
