"""A third party's presets of every kind, in the host's catalogues and commands."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import acme
from distributions import Distribution, build_wheels, pip, run, script

HOOKS = """
from pyimgano_industrial import Entry, hookimpl

@hookimpl
def pyimgano_presets():
    return [
        Entry("line3-mad", "line3_values:MODEL", "MAD for line 3", tags=("classical",), metadata={"preset": "model"}),
        Entry("line3-defects", "line3_values:DEFECTS", "Defects of line 3", metadata={"preset": "defects"}),
        Entry("line3-light", "line3_values:LIGHT", "Light of line 3", metadata={
            "preset": "preprocessing", "config_key": "preprocessing.illumination_contrast"}),
        Entry("line3-options", "line3_values:OPTIONS", "Any model", metadata={"preset": "options"}),
    ]
"""
VALUES = """
MODEL = {"model": "vision_pixel_mad_map", "kwargs": {"resize_hw": [32, 32]}}
DEFECTS = {"pixel_threshold_strategy": "normal_pixel_quantile", "pixel_normal_quantile": 0.99, "min_area": 7}
LIGHT = {"enabled": True, "white_balance": "max_rgb"}
OPTIONS = {"vision_pixel_mad_map": {"resize_hw": [16, 16]}}
"""
LINE3 = Distribution(
    "line3", {"line3_hooks": HOOKS, "line3_values": VALUES}, {"pyimgano.presets": {"x": "line3_hooks"}}
)
WRONG = Distribution(
    "wrong-kind",
    {"wrong_hooks": HOOKS.replace('"preset": "model"', '"preset": "modle"').replace("line3", "wrong")},
    {"pyimgano.presets": {"x": "wrong_hooks"}},
)


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return build_wheels([LINE3, WRONG], tmp_path_factory.mktemp("presets"))


@pytest.fixture(scope="module")
def site(wheels: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheels["line3"]))
    return folder


def test_every_catalogue_lists_them_and_imports_none(site: Path) -> None:
    code = (
        "import sys\n"
        "from pyimgano.presets.catalog import list_defects_presets, list_model_presets, list_preprocessing_presets\n"
        "from pyimgano.preprocessing.catalog import list_preprocessing_schemes, resolve_preprocessing_scheme\n"
        "print('line3-mad' in list_model_presets(), 'line3-mad' in list_model_presets(tags=['classical']),\n"
        "      'line3-defects' in list_defects_presets(), 'line3-light' in list_preprocessing_presets(),\n"
        "      'line3-light' in [s.name for s in list_preprocessing_schemes(deployable_only=True)])\n"
        "print('line3_values' in sys.modules, resolve_preprocessing_scheme('line3-light').payload['white_balance'])"
    )
    done = run(script("python"), "-c", code, path=site)
    assert done.stdout.split() == ["True"] * 5 + ["False", "max_rgb"]


def test_pyim_shows_them(site: Path) -> None:
    for kind, name in (
        ("model-presets", "line3-mad"),
        ("defects-presets", "line3-defects"),
        ("preprocessing", "line3-light"),
    ):
        assert name in run(script("pyim"), "--list", kind, path=site).stdout


def test_infer_uses_them(site: Path, tmp_path: Path) -> None:
    bolts = acme.write_bolts(tmp_path / "bolts") / "line3"
    common = (
        "--train-dir",
        str(bolts / "fit"),
        "--input",
        str(bolts / "check" / "reject"),
        "--save-jsonl",
        "out.jsonl",
    )
    run(
        script("pyimgano-infer"), "--model-preset", "line3-mad", "--defects-preset", "line3-defects",
        "--preprocessing-preset", "line3-light", "--include-maps", *common, path=site, cwd=tmp_path,
    )  # fmt: skip
    records = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines()]
    assert len(records) == 4
    assert all(record["defects"]["regions"] for record in records)
    run(
        script("pyimgano-infer"),
        "--model",
        "vision_pixel_mad_map",
        "--preset",
        "line3-options",
        *common,
        path=site,
        cwd=tmp_path,
    )


def test_a_preset_for_another_model_says_so(site: Path, tmp_path: Path) -> None:
    bolts = acme.write_bolts(tmp_path / "bolts")
    done = run(
        script("pyimgano-benchmark"), "--dataset", "acme_bolts", "--root", str(bolts), "--category", "line3",
        "--model", "vision_pixel_gaussian_map", "--preset", "line3-options", path=acme.install(tmp_path / "site2"),
        check=False, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 2
    assert "invalid choice: 'line3-options'" in done.stderr  # line3 is not installed beside acme here
    code = (
        "from pyimgano.services.model_options import resolve_preset_kwargs as resolve\n"
        "print(resolve('line3-options', 'vision_pixel_mad_map'), resolve('line3-mad', 'vision_pixel_mad_map'))\n"
        "resolve('line3-options', 'vision_ecod')"
    )
    done = run(script("python"), "-c", code, path=site, check=False)
    assert done.stdout.strip() == "{'resize_hw': [16, 16]} {'resize_hw': [32, 32]}"
    assert "configures vision_pixel_mad_map; got model 'vision_ecod'" in done.stderr


def test_an_unknown_kind_is_an_error_that_names_the_row(wheels: dict[str, Path], tmp_path: Path) -> None:
    pip("install", "--no-deps", "--no-index", "--target", str(tmp_path), str(wheels["wrong-kind"]))
    done = run(script("python"), "-c", "import pyimgano.presets.catalog", path=tmp_path, check=False)
    assert "preset row 'wrong-mad' of wrong-kind 1.0 must say metadata={'preset': ...}, one of model, " in done.stderr
    assert "got 'modle'" in done.stderr
