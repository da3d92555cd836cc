"""Errors are one sentence, exit codes are kept, help reads as one page."""

from __future__ import annotations

import contextlib
import inspect
import shutil
import sys
from importlib import import_module
from pathlib import Path

import cv2
import numpy as np
import pytest

from pyimgano_industrial.cli.main import _COMMANDS, main


def test_help_is_one_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) < 40
    listed, examples = text.split("examples:")
    commands = ("status", "check", "demo", "evaluate", "report", "compare", "submit", "drift", "exec", "completion")
    for command in commands:
        assert listed.count(f"\n    {command} ") == 1
        assert examples.count(f"pyimgano-industrial {command}") == 1
    assert "exit codes" in examples


@pytest.mark.parametrize("command", ["", *_COMMANDS])
def test_help_fits_a_terminal_of_80_columns(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main([*command.split(), "--help"])
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) > 5
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("command", ["status", "check", "demo", "evaluate", "compare", "submit", "drift"])
def test_every_command_that_prints_a_table_has_json_and_shows_progress(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "--json" in capsys.readouterr().out
    text = inspect.getsource(import_module(f"pyimgano_industrial.cli.{command}"))
    assert "with TerminalProgress(" in text or "with running(" in text


def test_an_error_is_one_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["check", "--dataset", "mvtec_loko", "--root", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: unknown dataset 'mvtec_loko'; did you mean 'mvtec_loco'?")
    assert "Traceback" not in told


def test_debug_shows_the_traceback_and_keeps_the_exit_code(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["--debug", "check", "--dataset", "mvtec_loko", "--root", str(tmp_path)]) == 2
    assert "Traceback" in capsys.readouterr().err


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """A folder of images, and beside it a file named `file`, which is in the way of every folder below it."""
    for number in range(12):
        part = np.random.default_rng(number).integers(0, 255, (32, 32, 3), dtype=np.uint8)
        path = tmp_path / "images" / f"{number:02}.png"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(cv2.imencode(".png", part)[1].tobytes())
    (tmp_path / "file").write_text("no folder", encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "drift --profile file/line.json --fit images",
        "demo --small --output file",
        "submit --root images --model vision_pixel_mad_map --output file",
        "evaluate --dataset industrial_folder --root data --category part --model vision_pixel_mad_map --output file",
    ],
)
def test_a_file_where_a_folder_is_needed_is_one_sentence(
    command: str, images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(images)
    for folder in ("train/good", "test/good", "test/scratch"):
        shutil.copytree("images", f"data/part/{folder}")
    assert main(command.split()) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert told[0].startswith("error: ")
    assert "file" in told[0]
    assert "name another path" in told[0]


@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied", "locked"), OSError("odd")])
def test_what_the_system_refuses_has_a_remedy(
    error: OSError, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object) -> int:
        raise error

    monkeypatch.setattr("pyimgano_industrial.cli.status.run", refused)
    assert main(["status"]) == 2
    told = capsys.readouterr().err
    if error.filename:
        assert told == "error: locked: Permission denied; get the rights to it, or name another path\n"
    else:
        assert told == "error: the system refused: odd; --debug before the command shows where\n"


@pytest.mark.parametrize(
    "command",
    [
        "status",
        "check --dataset industrial_folder --root data",
        "check --dataset industrial_folder --root nowhere",
        "drift --profile line.json --fit images --input images",
        "--help",
    ],
)
def test_nothing_is_coloured_and_off_a_terminal_no_escape_code_is_printed(
    command: str, images: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(images)
    monkeypatch.delenv("NO_COLOR", raising=False)
    for folder in ("train/good", "test/good", "test/scratch"):
        shutil.copytree("images", f"data/part/{folder}")
    with contextlib.suppress(SystemExit):  # of --help
        main(command.split())
    printed = capsys.readouterr()
    assert printed.out or printed.err
    assert "\x1b" not in printed.out + printed.err
    # On a terminal, the line of progress is erased and drawn anew: no code but that one.
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with contextlib.suppress(SystemExit):
        main(command.split())
    printed = capsys.readouterr()
    assert "\x1b" not in (printed.out + printed.err).replace("\x1b[K", "")
