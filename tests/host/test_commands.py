"""Every host command in a subprocess, with a third party's plugin installed beside ours and no flag passed."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import acme
from distributions import run, script


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return acme.install(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def bolts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return acme.write_bolts(tmp_path_factory.mktemp("bolts"))


@pytest.fixture(scope="module")
def mvtec(tmp_path_factory: pytest.TempPathFactory, bolts: Path) -> Path:
    return acme.write_mvtec(tmp_path_factory.mktemp("mvtec"), bolts=bolts)


def command(name: str, *arguments: object, site: Path, cwd: Path, check: bool = True) -> str:
    return run(script(name), *map(str, arguments), path=site, cwd=cwd, check=check).stdout


def test_benchmark_runs_a_third_party_s_data_set_model_and_preset(site: Path, bolts: Path, tmp_path: Path) -> None:
    command(
        "pyimgano-benchmark", "--dataset", "acme_bolts", "--root", bolts, "--category", "line3",
        "--model", "acme_gauge", "--preset", "acme-coarse", "--pixel",
        "--output", "report.json", site=site, cwd=tmp_path,
    )  # fmt: skip
    results = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))["results"]
    assert results["auroc"] == 1.0
    assert results["pixel_metrics"]["pixel_auroc"] > 0.95


def test_benchmark_lists_models_and_categories(site: Path, bolts: Path, tmp_path: Path) -> None:
    assert "acme_gauge" in command("pyimgano-benchmark", "--list-models", site=site, cwd=tmp_path).split()
    listed = command(
        "pyimgano-benchmark", "--list-categories", "--dataset", "acme_bolts", "--root", bolts, site=site, cwd=tmp_path
    )
    assert listed.split() == ["line3"]


def test_infer_scores_and_maps_with_a_third_party_s_model(site: Path, bolts: Path, tmp_path: Path) -> None:
    command(
        "pyimgano-infer", "--model", "acme_gauge", "--preset", "acme-coarse",
        "--train-dir", bolts / "line3" / "fit" / "fine",
        "--input", bolts / "line3" / "check", "--include-maps", "--save-maps", "maps", "--save-jsonl", "out.jsonl",
        site=site, cwd=tmp_path,
    )  # fmt: skip
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    scores = {("reject" in record["input"]): record["score"] for record in records}
    assert len(records) == 8
    assert scores[True] > scores[False]
    assert np.load(next((tmp_path / "maps").glob("*.npy"))).shape == (60, 80)


def test_robust_benchmark_accepts_new_data_sets(site: Path, mvtec: Path, tmp_path: Path) -> None:
    command(
        "pyimgano-robust-benchmark", "--dataset", "industrial_folder", "--root", mvtec, "--category", "bolt",
        "--model", "acme_gauge", "--corruptions", "jpeg", "--severities", "1", "--output", "report.json",
        site=site, cwd=tmp_path,
    )  # fmt: skip
    report = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert report["robustness"]["clean"]["results"]["auroc"] == 1.0


def test_train_and_bundle_run_a_third_party_s_model(site: Path, mvtec: Path, tmp_path: Path) -> None:
    config = {
        "recipe": "industrial-adapt",
        "dataset": {"name": "industrial_folder", "root": str(mvtec), "category": "bolt", "resize": [60, 80]},
        "model": {"name": "acme_gauge"},
        "output": {"save_run": True, "output_dir": str(tmp_path / "run")},
    }
    (tmp_path / "train.json").write_text(json.dumps(config), encoding="utf-8")
    exports = ("--export-infer-config", "--export-deploy-bundle")
    command("pyimgano-train", "--config", "train.json", *exports, site=site, cwd=tmp_path)
    exported = json.loads((tmp_path / "run" / "artifacts" / "infer_config.json").read_text(encoding="utf-8"))
    assert exported["model"]["name"] == "acme_gauge"
    assert json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))["results"]["auroc"] == 1.0
    images = mvtec / "bolt" / "test"
    command(
        "pyimgano-bundle", "run", tmp_path / "run" / "deploy_bundle", "--image-dir", images, "--output-dir", "bundled",
        site=site, cwd=tmp_path,
    )  # fmt: skip
    assert len((tmp_path / "bundled" / "results.jsonl").read_text(encoding="utf-8").splitlines()) == 8


def test_evaluate_runs_new_data_sets(site: Path, mvtec: Path, tmp_path: Path) -> None:
    config = {
        "output_dir": str(tmp_path / "out"),
        "datasets": [{"name": "industrial_folder", "root": str(mvtec)}],
        "models": {"include": ["acme_gauge"]},
    }
    (tmp_path / "evaluate.json").write_text(json.dumps(config), encoding="utf-8")
    printed = command("pyimgano-evaluate", "--config", "evaluate.json", site=site, cwd=tmp_path)
    assert "entries_succeeded=1" in printed
    assert "entries_failed=0" in printed


def test_doctor_profiles_a_third_party_s_data_set_and_knows_its_model(site: Path, bolts: Path, tmp_path: Path) -> None:
    printed = command("pyimgano-doctor", "--dataset-target", bolts, "--json", site=site, cwd=tmp_path, check=False)
    profile = json.loads(printed)["dataset_profile"]
    assert (profile["train_count"], profile["test_count"], profile["test_anomaly_count"]) == (6, 8, 4)
    assert profile["has_masks"]
    about = command("pyimgano-doctor", "--for-model", "acme_gauge", "--json", site=site, cwd=tmp_path, check=False)
    assert "acme_gauge" in about
    unknown = run(script("pyimgano-doctor"), "--for-model", "acme_gauge", check=False, cwd=tmp_path)
    assert unknown.returncode != 0


def test_datasets_lists_detects_and_imports(site: Path, mvtec: Path, bolts: Path, tmp_path: Path) -> None:
    listed = command("pyimgano-datasets", "list", site=site, cwd=tmp_path)
    assert all(f"- {name} " in listed for name in ("acme_bolts", "mvtec_loco", "ksdd2", "industrial_folder"))
    assert "detected: industrial_folder" in command("pyimgano-datasets", "detect", mvtec, site=site, cwd=tmp_path)
    assert "detected: acme_bolts" in command("pyimgano-datasets", "detect", bolts, site=site, cwd=tmp_path)
    printed = command(
        "pyimgano-datasets", "import", "--root", mvtec, "--dataset", "industrial_folder", "--category", "bolt",
        "--include-masks", "--out", "manifest.jsonl", site=site, cwd=tmp_path,
    )  # fmt: skip
    assert "record_count: 14" in printed
    records = [json.loads(line) for line in (tmp_path / "manifest.jsonl").read_text(encoding="utf-8").splitlines()]
    assert sum("mask_path" in record for record in records) == 4
    command("pyimgano-datasets", "lint", "manifest.jsonl", site=site, cwd=tmp_path)


def test_features_extracts_beside_the_plugin(site: Path, mvtec: Path, tmp_path: Path) -> None:
    assert "hog" in command("pyimgano-features", "--list-extractors", site=site, cwd=tmp_path)
    command(
        "pyimgano-features", "--root", mvtec / "bolt" / "train", "--extractor", "color_hist", "--output", "f.npy",
        site=site, cwd=tmp_path,
    )  # fmt: skip
    assert len(np.load(tmp_path / "f.npy")) == 6


def test_pyim_lists_models_and_presets(site: Path, tmp_path: Path) -> None:
    listed = json.loads(command("pyim", "--list", "--json", site=site, cwd=tmp_path))
    assert "acme_gauge" in listed["models"]
    assert {"mvtec_loco", "acme_bolts"} <= {found["name"] for found in listed["datasets"]}


def test_the_root_command_carries_ours(site: Path, tmp_path: Path) -> None:
    assert "industrial" in command("pyimgano", "--help", site=site, cwd=tmp_path)
    assert "acme_gauge" in command("pyimgano", "industrial", "status", site=site, cwd=tmp_path)
    done = run(script("python"), "-m", "pyimgano", "benchmark", "--list-models", path=site, cwd=tmp_path)
    assert "acme_gauge" in done.stdout.split()


def test_exec_runs_a_host_command_where_start_up_files_are_not_processed(site: Path, tmp_path: Path) -> None:
    folders = run(script("python"), "-c", "import sys; print(*sys.path, sep='\\n')").stdout.split("\n")
    code = (
        f"import sys; sys.path[:0] = {[str(site), *filter(None, folders)]!r}\n"
        "import pyimgano.models; assert 'acme_gauge' not in pyimgano.models.list_models()\n"
        "from pyimgano_industrial.cli.main import main\n"
        "raise SystemExit(main(['exec', 'pyimgano-benchmark', '--list-models']))"
    )
    done = run(script("python"), "-S", "-c", code, cwd=tmp_path)
    assert "acme_gauge" in done.stdout.split()


def test_exec_offers_the_closest_host_command(tmp_path: Path) -> None:
    done = run(script("pyimgano-industrial"), "exec", "pyimgano-bench", check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "unknown host command 'pyimgano-bench'; did you mean 'benchmark'?" in done.stderr
