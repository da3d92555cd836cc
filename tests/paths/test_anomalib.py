"""`pip install "pyimgano-industrial[anomalib]"`, then a checkpoint in the commands and the program."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from distributions import run
from paths.lines import Lines, extra_is_there

pytest.importorskip("anomalib")

MODEL = "vision_dinomaly_anomalib"
CHECKPOINT = """
import torch
from anomalib.models.image import Dinomaly

from pyimgano_industrial.models.anomalib.fitting import save
from pyimgano_industrial.models.anomalib.offline import without_weights

torch.manual_seed(0)
with without_weights():
    module = Dinomaly(encoder_name="vit_small_patch14_dinov2", evaluator=False, visualizer=False).eval()
save(module, "dinomaly.ckpt")
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Lines:
    scripts, folder = Path(sys.executable).parent, tmp_path_factory.mktemp("line")
    run(str(scripts / "python"), "-c", CHECKPOINT, cwd=folder)
    return Lines.in_folder(folder, scripts, "--model", MODEL, "--checkpoint-path", "dinomaly.ckpt", "--device", "cpu")


def test_the_extra_is_there(lines: Lines) -> None:
    assert extra_is_there(lines.command("pyimgano-industrial", "status"), "anomalib")


def test_benchmark_infer_and_evaluate_take_the_checkpoint(lines: Lines) -> None:
    report = lines.benchmark("mvtec_ad2", "can")
    assert 0 <= report["official"]["metrics"]["aupro@0.05"]["value"] <= 1
    assert np.isfinite(lines.infer_tiled("mvtec_loco/pushpins/test/logical_anomalies")).all()
    where = ("--dataset", "mvtec_ad2", "--root", "mvtec_ad2", "--category", "can")
    assert "AU-PRO 0.05" in lines.command("pyimgano-industrial", "evaluate", *where, *lines.model, "--output", "run")


def test_a_program_gets_the_plugin_s_tiling(lines: Lines) -> None:
    told = lines.program(MODEL, {"checkpoint_path": "dinomaly.ckpt", "device": "cpu"})
    assert told["torch"]
    assert np.isfinite(told["score"])
