"""`pyimgano-industrial evaluate` with real models of pyimgano, as a user runs it."""

from __future__ import annotations

import json
import math
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import trees
from distributions import run
from pyimgano_industrial.cli.main import main
from pyimgano_industrial.demo.layouts import Counts, write_loco
from pyimgano_industrial.evaluation.folder import RunFolder

MODEL = "vision_pixel_mad_map"
COMMAND = (sys.executable, "-m", "pyimgano_industrial.cli.main", "evaluate")
slow = pytest.mark.slow


def evaluate(*arguments: object, check: bool = True) -> subprocess.CompletedProcess[str]:
    return run(*COMMAND, *map(str, arguments), check=check)


@pytest.fixture(scope="module")
def loco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("loco")
    write_loco(root, counts=Counts(fit=4, validation=3, good=3, bad=3), height=192)
    return root


@pytest.fixture(scope="module")
def done(loco: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """One run of two models, one of them in tiles, with maps."""
    output = tmp_path_factory.mktemp("run")
    return output, evaluate(
        "--dataset", "mvtec_loco", "--root", loco, "--category", "all", "--output", output / "run", "--bootstrap", 50,
        "--export-maps", output / "maps", "--model-kwargs", '{"color": "gray"}',
        "--model", MODEL, "--model", MODEL, "--label", "tiled", "--tile-size", 64, "--tile-fit", "position",
    )  # fmt: skip


def finite(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(finite, value.values()))
    if isinstance(value, list):
        return all(map(finite, value))
    return not isinstance(value, float) or math.isfinite(value)


@slow
def test_the_table_shows_the_headline_and_results_json_has_what_repeats_it(
    done: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    output, process = done
    head, first, second = process.stdout.splitlines()[:3]
    assert head.split()[:4] == ["model", "category", "AU-sPRO", "0.05"]
    assert head.endswith("SegF1 (best)  seconds")
    assert first.split()[:2] == [MODEL, "tray"]
    assert second.split()[:2] == ["tiled", "tray"]
    assert "By kind of anomaly" in process.stdout
    assert "logical_anomalies" in process.stdout

    data = json.loads((output / "run/results.json").read_text(encoding="utf-8"))
    assert finite(data)
    whole, tiled = data["models"]
    assert whole["kwargs"]["color"] == tiled["kwargs"]["color"] == "gray"
    assert whole["tiling"] == {}
    assert tiled["tiling"] == {"tile_size": 64, "fit_mode": "position"}
    assert {"python", "numpy", "pyimgano", "pyimgano-industrial"} <= data["versions"].keys()
    assert data["settings"]["seed"] == 0
    assert data["finished"] is not None
    assert "--export-maps" in data["command"]

    folder = RunFolder(output / "run")
    cell = folder.load_cell(folder.load().row(MODEL, "tray"))
    assert cell.metrics["au_spro@0.05"].value > 0.5
    number = cell.metrics["au_spro@0.05"]
    assert number.low is not None
    assert number.high is not None
    assert 0 <= number.low <= number.value + 0.02
    assert number.bound <= 1e-5
    assert cell.threshold is not None
    assert cell.threshold.source == "validation"
    assert cell.cost is not None
    assert cell.cost.test > 0
    assert (cell.cost.peak_mib or 1) > 0
    assert {"image_roc", "pixel_roc", "pro", "spro/logical_anomalies"} <= set(cell.curves)
    curves = folder.load_curves(folder.load().row(MODEL, "tray"))
    assert all(one[0].tolist() == [0, 0] and one[-1].tolist() == [1, 1] for one in curves.values())


@slow
def test_maps_have_their_images_sizes(done: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    import cv2

    maps = sorted((done[0] / "maps").rglob("*.tiff"))
    assert len(maps) == 2 * 9
    assert {cv2.imread(str(path), cv2.IMREAD_UNCHANGED).shape for path in maps} == {(192, 256)}
    assert (done[0] / "maps/tiled/tray/test/structural_anomalies/000.tiff") in maps


def assert_same_numbers(rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> None:
    """Every value is the same; ends of intervals are products of matrices, which threads of BLAS may sum otherwise."""
    assert len(rows) == len(others)
    for row, other in zip(rows, others, strict=True):
        assert row["metrics"].keys() == other["metrics"].keys()
        for name, one in row["metrics"].items():
            wanted = other["metrics"][name]
            for part, value in one.items():
                assert value == (pytest.approx(wanted[part], abs=1e-9) if part in ("low", "high") else wanted[part])


@slow
def test_processes_give_the_same_numbers_and_what_is_done_is_kept(
    loco: Path, done: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    arguments = ("--dataset", "mvtec_loco", "--root", loco, "--category", "tray", "--output", tmp_path / "run",
                 "--json", "--model-kwargs", '{"color": "gray"}', "--model", MODEL, "--bootstrap", 50,
                 "--model", MODEL, "--label", "tiled", "--tile-size", 64, "--tile-fit", "position")  # fmt: skip
    parallel = json.loads(evaluate(*arguments, "--jobs", 2).stdout)
    alone = json.loads((done[0] / "run/results.json").read_text(encoding="utf-8"))
    assert_same_numbers(parallel["rows"], alone["rows"])
    again = evaluate(*arguments)
    assert again.stderr.count("kept ") == 2
    assert json.loads(again.stdout)["rows"] == parallel["rows"]


@slow
def test_a_dask_cluster_gives_the_same_numbers(
    loco: Path, done: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None) as cluster:
        process = evaluate(
            "--dataset", "mvtec_loco", "--root", loco, "--category", "tray", "--output", tmp_path / "run", "--json",
            "--model-kwargs", '{"color": "gray"}', "--bootstrap", 50, "--dask", cluster.scheduler_address,
            "--model", MODEL, "--model", MODEL, "--label", "tiled", "--tile-size", 64, "--tile-fit", "position",
        )  # fmt: skip
    alone = json.loads((done[0] / "run/results.json").read_text(encoding="utf-8"))
    found = json.loads(process.stdout)
    assert_same_numbers(found["rows"], alone["rows"])


@slow
def test_the_host_has_the_command_and_a_broken_image_ends_with_one(tmp_path: Path) -> None:
    folder = trees.btad(tmp_path / "data")
    trees.image(folder / "test/ok/0002.bmp", 200)
    (folder / "test/ok/0003.bmp").write_bytes(b"BM broken")
    process = run(
        sys.executable, "-m", "pyimgano", "industrial", "evaluate", "--dataset", "btad",
        "--root", str(tmp_path / "data"), "--category", "all", "--model", MODEL, "--output", str(tmp_path / "run"),
        "--bootstrap", "0", check=False,
    )  # fmt: skip
    assert process.returncode == 1, process.stderr
    assert "done    vision_pixel_mad_map 01" in process.stderr
    assert "1 of 4 test images failed" in process.stderr
    assert "1 of 4 test images failed and count in no number" in process.stdout
    folder_of_run = RunFolder(tmp_path / "run")
    (broken,) = folder_of_run.load_cell(folder_of_run.load().rows[0]).failures
    assert broken.file == "01/test/ok/0003.bmp"
    assert "0003.bmp" in (broken.error or "")


@slow
def test_the_benchmark_carries_the_same_numbers_in_its_own_report(
    loco: Path, done: tuple[Path, subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    run(
        sys.executable, "-m", "pyimgano", "benchmark", "--dataset", "mvtec_loco", "--root", str(loco),
        "--category", "tray", "--model", MODEL, "--model-kwargs", '{"color": "gray"}', "--pixel",
        "--output", str(tmp_path / "report.json"),
    )  # fmt: skip
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    official = report["official"]["metrics"]
    folder = RunFolder(done[0] / "run")
    ours = folder.load_cell(folder.load().row(MODEL, "tray")).metrics
    assert {name: number["value"] for name, number in official.items()} == pytest.approx(
        {name: number.value for name, number in ours.items()}, abs=1e-6
    )
    assert report["official"]["gaps"] == {}
    assert report["official"]["errors"] == {}
    assert 0 <= report["results"]["auroc"] <= 1
    assert report["official"]["threshold"]["source"] == "validation"


@slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_an_interrupt_ends_with_130_and_leaves_what_is_done(tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (700, 700, 3), dtype=np.uint8)
    image = tmp_path / "image.png"
    cv2.imwrite(f"{image}", pixels)
    for category, count in (("a", 5), ("b", 300), ("c", 5)):  # the second lasts until the signal comes
        for split in ("train/good", "test/good", "test/bad"):
            folder = tmp_path / "data" / category / split
            folder.mkdir(parents=True)
            for number in range(count):
                (folder / f"{number}.png").hardlink_to(image)
    command = (
        *COMMAND, "--dataset", "industrial_folder", "--root", f"{tmp_path / 'data'}", "--category", "all",
        "--model", MODEL, "--output", f"{tmp_path / 'run'}",
    )  # fmt: skip
    heard = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)  # a shell's background job would ignore it
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard
    ) as process:
        assert process.stderr is not None
        while not (line := process.stderr.readline()).startswith("done"):
            assert line, "it ended before a category was done"
        process.send_signal(signal.SIGINT)
        printed, told = process.communicate(timeout=120)
    assert process.returncode == 130
    assert printed == ""
    assert told.endswith("interrupted\n")
    assert "Traceback" not in told
    left = RunFolder(tmp_path / "run").load()
    assert left.rows[0].state == "done"
    assert left.rows[-1].state == "waiting"
    assert left.finished is None


def wrong(capsys: pytest.CaptureFixture[str], tmp_path: Path, *arguments: str) -> str:
    root = tmp_path / "data"
    if not root.exists():
        trees.mvtec(root)
    defaults = {"--dataset": "mvtec_ad", "--root": str(root), "--category": "bottle", "--output": str(tmp_path / "run")}
    stated = [part for pair in defaults.items() if pair[0] not in arguments for part in pair]
    assert main(["evaluate", *stated, *arguments]) == 2
    assert not (tmp_path / "run").exists()
    return capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "an evaluation needs a model; got none: add --model NAME"),
        (("--model", "vision_pixel_mad"), "unknown model 'vision_pixel_mad'; did you mean 'vision_pixel_mad_map'"),
        (("--model", MODEL, "--model-kwargs", '{"colour": "gray"}'), "does not accept model-kwargs: ['colour']"),
        (("--model", MODEL, "--tile-stride", "3"), "need --tile-size"),
        (("--model", MODEL, "--category", "botle"), "did you mean 'bottle'"),
        (("--model", MODEL, "--dataset", "mvtec_loko"), "unknown dataset 'mvtec_loko'; did you mean 'mvtec_loco'"),
        (("--model", MODEL, "--root", "nowhere"), "a data set's root must be a folder"),
        (("--model", MODEL, "--limits", "0.3,2"), "limits of the false positive rate must be above 0 and up to 1"),
        (("--model", MODEL, "--target-fpr", "1.5"), "target_fpr must be in (0, 1)"),
        (("--model", MODEL, "--holdout", "0"), "--holdout must be in (0, 1)"),
        (("--model", MODEL, "--bootstrap", "-1"), "--bootstrap must be 0 or more"),
        (("--model", MODEL, "--model", MODEL, "--label", MODEL), "is there twice: see --label"),
        (("--model", MODEL, "--jobs", "0"), "jobs must be 1 or more"),
        (("--model", "vision_onnx_ecod", "--preset", "industrial-fst"), "industrial-fst"),
        (("--model", MODEL, "--manifest-path", "x.jsonl"), "--manifest-path belongs to --dataset manifest"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_anything_is_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    assert message in wrong(capsys, tmp_path, *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--label", "x", "--model", MODEL), "--label belongs after the --model that it names"),
        (("--model", MODEL, "--model-kwargs", "{"), "must be JSON"),
        (("--model", MODEL, "--model-kwargs", "[1]"), "must be a JSON object"),
        (("--model", MODEL, "--limits", "high"), "--limits: must be numbers such as 0.3,0.05; got 'high'"),
        (("--model", MODEL, "--sizes", "2.5"), "--sizes: must be whole numbers such as 281,5000; got '2.5'"),
    ],
)
def test_flags_that_make_no_sense_end_the_parser(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(SystemExit):
        main(["evaluate", "--dataset", "mvtec_ad", "--root", ".", "--category", "a", "--output", "o", *arguments])
    assert message in capsys.readouterr().err
