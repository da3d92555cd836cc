"""Chains and the camera's profile in the host's catalogues, registry and commands."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from distributions import run, script
from pictures import part, photograph, stored
from pyimgano_industrial.presets import CHAINS, CameraProfile, Chain, PresetDetector, PresetError, ProfileStep

OWN = sorted(CHAINS)


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line")
    for name, seeds, gain in (("good", range(60), 1.0), ("today", range(900, 925), 0.7)):
        (folder / name).mkdir()
        for seed in seeds:
            cv2.imwrite(f"{folder / name / f'{seed:03}.png'}", stored(part(seed) * np.float32(gain))[..., ::-1])
    return folder


def records(line: Path, output: Path, *options: str) -> list[dict[str, Any]]:
    run(
        script("pyimgano-infer"), "--model", "vision_pixel_mean_absdiff_map", "--train-dir", str(line / "good"),
        "--input", str(line / "today"), "--save-jsonl", str(output), *options,
    )  # fmt: skip
    return [json.loads(row) for row in output.read_text(encoding="utf-8").splitlines()]


def test_every_chain_is_in_both_catalogues_and_a_value_of_preset() -> None:
    code = (
        "from pyimgano.presets.catalog import list_preprocessing_presets\n"
        "from pyimgano.preprocessing.catalog import list_preprocessing_schemes\n"
        "from pyimgano import cli, infer_cli, robust_cli\n"
        "import json, sys\n"
        "parsers = [m._build_parser() for m in (cli, infer_cli, robust_cli)]\n"
        "values = [set(a.choices) for p in parsers for a in p._actions if a.dest == 'preset']\n"
        "print(json.dumps([sorted(set.intersection(*values)), list_preprocessing_presets(),\n"
        "    [s.name for s in list_preprocessing_schemes(deployable_only=True)]]))\n"
        "print('pyimgano_industrial.presets.catalog' in sys.modules)"
    )
    printed = run(script("python"), "-c", code).stdout.splitlines()
    values, *schemes = json.loads(printed[0])
    assert set(OWN) <= set(values)
    for names in schemes:
        assert set(OWN) - set(names) == {"industrial-camera-robust"}  # a scheme cannot fit on variants
    assert "industrial-fast" in values


def test_create_model_puts_any_detector_behind_a_chain() -> None:
    from pyimgano.models import create_model

    inner = create_model("vision_pixel_mean_absdiff_map")
    model = create_model("industrial_preset", detector=inner, preset="industrial-clahe")
    assert isinstance(model, PresetDetector)
    images = [photograph(seed) for seed in range(6)]
    assert model.fit(images).decision_function(images).shape == (6,)
    assert model.score_and_map(images)[1][0].shape == (120, 160)


def test_the_profile_preset_takes_drift_out_and_the_records_carry_the_verdict(line: Path, tmp_path: Path) -> None:
    CameraProfile.fit(sorted((line / "good").iterdir())).save(tmp_path / "line.json")
    middle = ("--roi", "65,45,95,75")  # of the part, away from its edge, which lies elsewhere in every image
    plain = records(line, tmp_path / "a.jsonl", *middle, "--drift-profile", str(tmp_path / "line.json"))
    behind = records(line, tmp_path / "b.jsonl", "--preset", "industrial-camera-profile", *middle)
    assert np.mean([one["score"] for one in behind]) < 0.5 * np.mean([one["score"] for one in plain])
    assert all("drift" in one for one in plain)
    assert not any("drift" in one for one in behind)
    assert plain[0]["drift"]["action"] == "none"
    (moved,) = plain[-1]["drift"]["moved"]
    assert moved["property"] == "exposure"
    assert moved["shift"] == pytest.approx(-0.51, abs=0.05)
    assert moved["since"] <= 2
    assert plain[-1]["drift"]["action"] == "correct"


def test_a_chain_in_a_file_is_a_value_of_preset(line: Path, tmp_path: Path) -> None:
    profile = CameraProfile.fit(sorted((line / "good").iterdir()))
    Chain("line", (ProfileStep(profile),)).save(tmp_path / "chain.json")
    behind = records(line, tmp_path / "c.jsonl", "--preset", str(tmp_path / "chain.json"), "--roi", "40,20,120,100")
    assert len(behind) == 25


def test_a_chain_is_a_preprocessing_scheme_and_a_profile_in_it_is_fitted(line: Path, tmp_path: Path) -> None:
    scheme = records(line, tmp_path / "d.jsonl", "--preprocessing-preset", "industrial-camera-profile")
    preset = records(line, tmp_path / "e.jsonl", "--preset", "industrial-camera-profile")
    assert [one["score"] for one in scheme] == pytest.approx([one["score"] for one in preset], rel=1e-5)


def test_training_reads_and_writes_chains_and_refuses_a_profile_that_it_would_lose() -> None:
    import pickle

    from pyimgano.inference.preprocessing import PreprocessingDetector, parse_illumination_contrast_knobs
    from pyimgano.services.workbench_service import resolve_preprocessing_preset_payload
    from pyimgano.workbench.config_preprocessing_section_parser import _parse_preprocessing_config

    payload = resolve_preprocessing_preset_payload("industrial-clahe")
    parsed = _parse_preprocessing_config({"preprocessing": {"illumination_contrast": payload}})
    knobs = parse_illumination_contrast_knobs(payload)
    image = photograph(0)
    for one in (parsed.illumination_contrast, knobs, pickle.loads(pickle.dumps(knobs))):
        found = PreprocessingDetector(detector=None, illumination_contrast=one)._preprocess_item(image)
        np.testing.assert_array_equal(found, one.chain.apply(image))
        assert not np.array_equal(found, image)
    waiting = resolve_preprocessing_preset_payload("industrial-camera-profile")
    with pytest.raises(PresetError, match="'industrial-camera-profile' must name a file"):
        _parse_preprocessing_config({"preprocessing": {"illumination_contrast": waiting}})
    robust = {"enabled": True, "chain": "industrial-camera-robust"}
    for parse in (
        lambda: _parse_preprocessing_config({"preprocessing": {"illumination_contrast": robust}}),
        lambda: parse_illumination_contrast_knobs(robust),
    ):
        with pytest.raises(PresetError, match="a preprocessing scheme fits on no variants, which"):
            parse()


def test_a_missing_profile_is_an_error_of_the_command(line: Path) -> None:
    done = run(
        script("pyimgano-infer"), "--model", "vision_pixel_mean_absdiff_map", "--input", str(line / "today"),
        "--drift-profile", "none.json", check=False,
    )  # fmt: skip
    assert done.returncode == 2
    assert "profile not found: none.json" in done.stderr


def test_the_evaluation_command_puts_its_models_behind_a_chain() -> None:
    from pyimgano_industrial.evaluation.results import ModelSpec
    from pyimgano_industrial.host.evaluation import Maker

    spec = ModelSpec("any", "vision_pixel_mean_absdiff_map", preset="industrial-clahe")
    assert isinstance(Maker(0)(spec), PresetDetector)
    assert not isinstance(Maker(0)(ModelSpec("any", "vision_pixel_mean_absdiff_map")), PresetDetector)


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set in folders: good parts, and some with a scratch."""
    root = tmp_path_factory.mktemp("parts")
    for name, seeds in (("train/good", range(20)), ("test/good", range(50, 54)), ("test/bad", range(60, 64))):
        folder = root / "part" / name
        folder.mkdir(parents=True)
        for seed in seeds:
            image = stored(part(seed, scratch=name.endswith("bad")))
            cv2.imwrite(f"{folder / f'{seed:03}.png'}", image[..., ::-1])
    return root


def test_chains_and_tiles_go_together_in_the_evaluation_command(parts: Path, tmp_path: Path) -> None:
    common = ("--dataset", "industrial_folder", "--root", str(parts), "--category", "part", "--bootstrap", "0")
    both = ("--preset", "industrial-camera-robust", "--tile-size", "60", "--tile-fit", "position")
    model = ("--model", "vision_pixel_mean_absdiff_map")
    run(
        script("pyimgano-industrial"), "evaluate", *common, *model, *both, "--missing-masks", "allow",
        "--output", "run", cwd=tmp_path,
    )  # fmt: skip
    (found,) = json.loads((tmp_path / "run/results.json").read_text(encoding="utf-8"))["rows"]
    assert found["state"] == "done"
    assert found["metrics"]["image_auroc"]["value"] == 1.0


def test_a_scheme_chosen_in_training_is_exported_and_applied_by_inference(parts: Path, tmp_path: Path) -> None:
    """As a user does it: pyimgano-train exports infer_config.json, and pyimgano-infer scores with it."""
    CameraProfile.fit(sorted((parts / "part/train/good").iterdir())).save(tmp_path / "line.json")
    files = {"step": "camera_profile", "profile": "line.json", "tolerance": [0, 0]}
    own = {"name": "own", "steps": [files, {"step": "gamma", "gamma": 1.5}]}
    config = {
        "recipe": "industrial-adapt",
        "dataset": {"name": "industrial_folder", "root": str(parts), "category": "part", "input_mode": "paths"},
        "model": {"name": "vision_ecod"},
        "adaptation": {"save_maps": False},
        "preprocessing": {"illumination_contrast": {"enabled": True, "chain": own}},
        "training": {"enabled": True},
        "output": {"save_run": True},
    }
    scores = {}
    for name, flags in (("own", ()), ("clahe", ("--preprocessing-preset", "industrial-clahe"))):
        config["output"] = {"save_run": True, "output_dir": str(tmp_path / name)}
        (tmp_path / "train.json").write_text(json.dumps(config), encoding="utf-8")
        run(script("pyimgano-train"), "--config", "train.json", "--export-infer-config", *flags, cwd=tmp_path)
        exported = tmp_path / name / "artifacts/infer_config.json"
        kept = json.loads(exported.read_text(encoding="utf-8"))["preprocessing"]["illumination_contrast"]["chain"]
        assert kept["steps"][-1]["step"] == {"own": "gamma", "clahe": "clahe"}[name]
        elsewhere = tmp_path / f"{name}.line"
        elsewhere.mkdir()
        run(
            script("pyimgano-infer"), "--infer-config", str(exported), "--input", str(parts / "part/test"),
            "--save-jsonl", "out.jsonl", cwd=elsewhere,
        )  # fmt: skip
        rows = [json.loads(row) for row in (elsewhere / "out.jsonl").read_text(encoding="utf-8").splitlines()]
        scores[name] = {Path(row["input"]).as_posix(): row["score"] for row in rows}
        report = next((tmp_path / name).rglob("per_image.jsonl")).read_text(encoding="utf-8").splitlines()
        trained = {Path(row["input"]).as_posix(): row["score"] for row in map(json.loads, report)}
        assert scores[name] == pytest.approx(trained, rel=1e-5)
        assert len(trained) == 8
    assert [*scores["own"].values()] != pytest.approx([*scores["clahe"].values()])
