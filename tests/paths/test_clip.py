"""`pip install "pyimgano-industrial[clip]"`, then the commands and the program, with random weights."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from distributions import run
from paths.lines import Lines, extra_is_there

pytest.importorskip("open_clip")

MODEL = "vision_openclip_few_shot"
KEYWORDS = {"class_name": "pushpin", "openclip_model_name": "ViT-B-32", "openclip_pretrained": None}

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    scripts = Path(sys.executable).parent
    model = ("--model", MODEL, "--model-kwargs", json.dumps(KEYWORDS))
    return Lines.in_folder(tmp_path_factory.mktemp("line"), scripts, *model)


def test_the_extra_is_there_and_what_it_brings_fits(lines: Lines) -> None:
    assert extra_is_there(lines.command("pyimgano-industrial", "status"), "clip")
    run(str(lines.scripts / "python"), "-m", "pip", "check")


def test_benchmark_evaluate_and_infer_run(lines: Lines) -> None:
    report = lines.benchmark("mvtec_loco", "pushpins")
    assert 0 < report["official"]["metrics"]["au_spro@0.05"]["value"] <= 1
    assert len(lines.infer_tiled("mvtec_loco/pushpins/test/logical_anomalies")) == 2
    where = ("--dataset", "mvtec_ad2", "--root", "mvtec_ad2", "--category", "can")
    assert "AU-PRO 0.05" in lines.command("pyimgano-industrial", "evaluate", *where, *lines.model, "--output", "run")


def test_a_program_gets_the_plugin_s_tiling(lines: Lines) -> None:
    told = lines.program(MODEL, KEYWORDS)
    assert told["torch"]
    assert 60 <= told["y"] < 160
    assert 100 <= told["x"] < 200
