"""`check` lists every fault at once, and its exit code says whether there is an error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import acme
from pyimgano_industrial.cli.main import main


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return acme.write_mvtec(tmp_path / "mvtec", bolts=acme.write_bolts(tmp_path / "bolts"))


def check(root: Path, *arguments: str) -> int:
    return main(["check", "--dataset", "industrial_folder", "--root", str(root), *arguments])


def test_a_sound_folder_is_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(folder) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines if line.startswith("bolt")] == [
        ["bolt", "train", "normal", "good", "6"],
        ["bolt", "test", "normal", "good", "4"],
        ["bolt", "test", "anomalous", "spot", "4"],
    ]
    assert lines[-1] == "0 errors, 0 warnings, 0 notes, 0 near-duplicates of training images"


def test_every_fault_is_listed_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "bolt/train/good/000.png").write_bytes(b"")
    (folder / "bolt/ground_truth/spot/001_mask.png").unlink()
    acme.save(np.full((9, 9), 255, np.uint8), folder / "bolt/ground_truth/spot/002_mask.png")
    twin = np.asarray(Image.open(folder / "bolt/train/good/003.png"))
    acme.save(twin, folder / "bolt/test/good/003.png")
    assert check(folder, "--json") == 1
    report = json.loads(capsys.readouterr().out)
    files = {Path(fault["file"]).name for fault in report["faults"] if fault["severity"] == "error"}
    assert files == {"000.png", "001.png", "002_mask.png"}
    assert [(twin["kind"], Path(twin["image"]).name) for twin in report["duplicates"]] == [("exact", "003.png")]
    assert check(folder) == 1
    text = capsys.readouterr().out
    assert "000.png: the file is empty" in text
    assert "the same pixels as" in text
    assert text.splitlines()[-1].startswith("3 errors, ")


def test_long_lists_are_cut_and_all_shows_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in [*(folder / "bolt/ground_truth/spot").iterdir(), *(folder / "bolt/train/good").iterdir()]:
        path.write_bytes(b"")
    assert check(folder) == 1
    assert "more; --all lists them" in capsys.readouterr().out
    assert check(folder, "--all") == 1
    assert "more; --all lists them" not in capsys.readouterr().out


def test_a_data_set_without_any_mask_is_one_warning(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in (folder / "bolt/ground_truth/spot").iterdir():
        path.unlink()
    assert check(folder) == 0
    text = capsys.readouterr().out
    assert "warning: no-masks (1)" in text
    assert text.splitlines()[-1].startswith("0 errors, 1 warning, ")


def test_a_category_folder_as_root_is_told_what_to_pass(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(folder / "bolt") == 2
    assert f"is itself a category folder: pass root={folder} and category='bolt'" in capsys.readouterr().err
