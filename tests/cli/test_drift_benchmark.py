"""`drift --benchmark` with a model of pyimgano on a small data set."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import acme
from pyimgano_industrial.cli.main import main


@pytest.fixture(scope="module")
def bolts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("bolts")
    return acme.write_mvtec(root / "mvtec", bolts=acme.write_bolts(root / "bolts", fit=20))


def benchmark(root: Path, *flags: str) -> int:
    model = ("--model", "vision_pixel_mad_map", "--drifts", "gain", "--strengths", "1,4")
    return main(["drift", "--benchmark", "--root", f"{root}", "--category", "bolt", *model, *flags])


def test_it_prints_a_row_for_each_way(bolts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark(bolts, "--ways", "profile,variants-mild") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in lines] == ["way", "---", "none", "profile", "variants-mild"]
    assert "AUROC" in lines[0]


def test_json_holds_every_score(bolts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark(bolts, "--ways", "none", "--json") == 0
    [none] = json.loads(capsys.readouterr().out)
    assert none["way"] == "none"
    assert [(one["drift"], one["strength"]) for one in none["conditions"]] == [("clean", 0), ("gain", 1), ("gain", 4)]
    assert len({len(one["good"]) for one in none["conditions"]}) == 1
    assert all(0 <= one["auroc"] <= 1 for one in none["conditions"])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--root", "parts"], "drift --benchmark needs --root DIR and --category NAME"),
        (["--root", "parts", "--category", "bolt", "--ways", "profil"], "unknown way 'profil'; did you mean 'profile'"),
        (["--root", "parts", "--category", "bolt", "--drifts", "gains"], "unknown drift 'gains'; did you mean 'gain'"),
        (["--root", "parts", "--category", "bolt", "--model", "vision_nothing"], "vision_nothing"),
    ],
)
def test_what_cannot_be_measured_is_an_error(
    flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["drift", "--benchmark", *flags]) == 2
    assert message in capsys.readouterr().err


def test_a_strength_that_does_not_exist_is_an_error(bolts: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert benchmark(bolts, "--strengths", "7") == 2
    assert "--strengths must be numbers in 1..5, separated by commas; got '7'" in capsys.readouterr().err


@pytest.mark.parametrize("kwargs", ["{", "[1]"])
def test_keyword_arguments_that_are_no_object_end_the_parser(kwargs: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["drift", "--benchmark", "--model-kwargs", kwargs])
    assert end.value.code == 2
    assert f"must be JSON such as {{\"k\": 5}}; got '{kwargs}'" in capsys.readouterr().err.replace(
        "a JSON object", "JSON"
    )
