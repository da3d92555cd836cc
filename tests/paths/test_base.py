"""`pip install pyimgano pyimgano-industrial` in a fresh environment; then commands and program, without torch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from distributions import pip, run
from paths.lines import Lines, distributions, extra_is_there

if TYPE_CHECKING:
    from paths.conftest import Environment

MODEL = "vision_industrial_filter_bank"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def lines(environment: Environment, archives: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lines]:
    (wheel,) = archives.glob("*.whl")
    pip("install", str(wheel), python=environment.python)
    yield Lines.in_folder(tmp_path_factory.mktemp("line"), environment.scripts, "--model", MODEL)
    pip("uninstall", "-y", "pyimgano-industrial", python=environment.python)


def test_the_base_install_brings_no_torch_and_lacks_nothing(lines: Lines) -> None:
    installed = distributions(lines.scripts)
    assert installed["pyimgano-industrial"] == "0.1.0"
    assert {"torch", "torchvision", "open_clip_torch", "open-clip-torch", "anomalib"}.isdisjoint(installed)
    run(str(lines.scripts / "python"), "-m", "pip", "check")


def test_benchmark_reads_every_channel_and_gives_the_official_numbers(lines: Lines) -> None:
    report = lines.benchmark("mvtec_loco", "pushpins")
    assert report["results"]["auroc"] > 0.9
    assert 0 < report["official"]["metrics"]["au_spro@0.05"]["value"] <= 1


def test_infer_tiles_and_writes_maps(lines: Lines) -> None:
    good = lines.infer_tiled("mvtec_loco/pushpins/test/good")
    bad = lines.infer_tiled("mvtec_loco/pushpins/test/logical_anomalies")
    assert max(good) < min(bad)


@pytest.mark.parametrize("industrial", [("pyimgano", "industrial"), ("pyimgano-industrial",)])
def test_status_lists_what_is_there_and_the_cure_for_what_is_not(industrial: tuple[str, ...], lines: Lines) -> None:
    shown = lines.command(*industrial, "status")
    assert MODEL in shown
    for extra in ("clip", "anomalib"):
        assert not extra_is_there(shown, extra)
        assert f'pip install "pyimgano-industrial[{extra}]"' in shown


def test_the_demo_runs(lines: Lines) -> None:
    assert "overview.png shows some" in lines.command("pyimgano-industrial", "demo", "--small", "--pictures", "4")
    assert (lines.folder / "industrial_demo" / "overview.png").exists()


def test_evaluate_submit_and_drift_run(lines: Lines) -> None:
    where = ("--dataset", "mvtec_ad2", "--root", "mvtec_ad2", "--category", "can")
    assert "AU-PRO 0.05" in lines.command("pyimgano", "industrial", "evaluate", *where, *lines.model, "--output", "run")
    mad = ("--model", "vision_pixel_mad_map", "--output", "submission")
    assert "no fault. Packed" in lines.command("pyimgano", "industrial", "submit", "--root", "mvtec_ad2", *mad)
    profile = ("--profile", "line.json", "--fit", "line3/good")
    assert "60 good images" in lines.command("pyimgano", "industrial", "drift", *profile)


def test_a_program_gets_the_plugin_s_tiling(lines: Lines) -> None:
    told = lines.program(MODEL, {})
    assert not told["torch"]
    assert 90 <= told["y"] < 140
    assert 130 <= told["x"] < 180
