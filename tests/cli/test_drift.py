from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from pictures import part, stored
from pyimgano_industrial.cli.main import main


def write(folder: Path, seeds: range, *, gain: float = 1.0) -> Path:
    folder.mkdir(exist_ok=True)
    for seed in seeds:
        cv2.imwrite(f"{folder / f'{seed:04}.png'}", stored(part(seed) * np.float32(gain))[..., ::-1])
    return folder


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("line")
    write(folder / "good", range(40))
    write(folder / "steady", range(1000, 1012))
    write(write(folder / "today", range(1000, 1012)), range(1012, 1036), gain=0.75)
    assert main(["drift", "--profile", f"{folder / 'line.json'}", "--fit", f"{folder / 'good'}"]) == 0
    return folder


def test_fitting_says_what_it_made(line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "good", range(12))
    cv2.imwrite(f"{tmp_path / 'good' / 'black.png'}", np.zeros((120, 160, 3), np.uint8))
    assert main(["drift", "--profile", f"{tmp_path / 'new.json'}", "--fit", f"{tmp_path / 'good'}"]) == 0
    said = capsys.readouterr().out
    assert "new.json: 12 good images of" in said
    assert "left out, since they look like no other (1):" in said
    assert "black.png" in said
    assert {path.name for path in line.iterdir()} >= {"line.json", "line.npz"}


def test_fitting_prints_json_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = write(tmp_path / "good", range(12))
    assert main(["drift", "--profile", f"{tmp_path / 'new.json'}", "--fit", f"{good}", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said == {"profile": f"{tmp_path / 'new.json'}", "fit": f"{good}", "good": 12, "left_out": []}


def test_a_steady_folder_is_quiet(line: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["drift", "--profile", f"{line / 'line.json'}", "--input", f"{line / 'steady'}"]) == 0
    assert capsys.readouterr().out.endswith("nothing has moved\n")


def test_drift_is_named_with_its_beginning_and_drawn_and_taken_out(
    line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    code = main(
        ["drift", "--profile", f"{line / 'line.json'}", "--input", f"{line / 'today'}",
         "--plot", f"{tmp_path / 'drift.png'}", "--corrected", f"{tmp_path / 'out'}"]
    )  # fmt: skip
    said = capsys.readouterr().out
    assert code == 1
    assert re.search(r"exposure moved by -0\.4\d stops since 10(0[89]|1\d)\.png", said), said
    assert "action: correct: the profile takes this out" in said
    assert cv2.imread(f"{tmp_path / 'drift.png'}") is not None
    written = sorted((tmp_path / "out").iterdir())
    assert len(written) == 36
    corrected = cv2.imread(f"{written[-1]}")[..., ::-1].astype(float)
    assert np.abs(corrected - stored(part(1035))).mean() < 2


def test_json_holds_every_image_and_what_could_not_be_read(
    line: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "mixed", range(1000, 1004))
    (folder / "1004.png").write_bytes(b"no image")
    cv2.imwrite(f"{folder / '1005.png'}", np.full((120, 160, 3), 255, np.uint8))
    cv2.imwrite(f"{folder / '1006.png'}", np.full((4, 4, 3), 99, np.uint8))
    assert main(["drift", "--profile", f"{line / 'line.json'}", "--input", f"{folder}", "--json"]) == 1
    said = json.loads(capsys.readouterr().out)
    assert said["images"] == 7
    assert [Path(one["image"]).name for one in said["errors"]] == ["1004.png", "1006.png"]
    assert "must have 16 x 16 pixels" in said["errors"][1]["message"]
    assert [Path(one["image"]).name for one in said["rejected"]] == ["1005.png"]
    assert len(said["verdicts"]) == 5
    assert abs(said["verdicts"][0]["measured"]["exposure"]) < 0.1
    assert main(["drift", "--profile", f"{line / 'line.json'}", "--input", f"{folder}"]) == 1
    text = capsys.readouterr().out
    assert "could not be read (2):" in text
    assert "1005.png: the image is saturated: it shows no light" in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "drift needs --profile FILE, and --fit DIR to make it or --input DIR to compare with it"),
        (["--profile", "none.json", "--input", "{line}/steady"], "profile not found: none.json"),
        (["--profile", "{line}/line.json", "--input", "{line}/empty"], "a folder of images is needed"),
        (["--profile", "{line}/line.json", "--input", "{line}/none"], "cannot read the folder"),
        (
            ["--profile", "{line}/line.json", "--input", "{line}/steady", "--run-length", "2"],
            "run_length must be at least",
        ),
        (
            ["--profile", "{line}/line.json", "--input", "{line}/steady", "--plot", "drift.xyz"],
            "--plot must end in .png, .pdf, .svg; got drift.xyz",
        ),
        (["--profile", "{line}/line.json", "--input", "{line}/steady", "--corrected", "{line}/line.json"], "a folder"),
    ],
)
def test_what_cannot_be_is_an_error(
    line: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    (line / "empty").mkdir(exist_ok=True)
    assert main(["drift", *(one.format(line=line) for one in arguments)]) == 2
    assert said in capsys.readouterr().err
