"""The scripts that shells complete with, tried in the shells themselves where they are installed."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pyimgano_industrial.cli.main import _COMMANDS, main


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    pytest.importorskip("shtab")
    assert main(["completion", shell]) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_command_and_its_flags_are_in_the_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    text = script(shell, capsys)
    for name in _COMMANDS:
        assert name in text
    for flag in ("threshold-method", "tile-map-reduce", "missing-masks"):
        assert flag in text


@pytest.mark.skipif(shutil.which("bash") is None or sys.platform == "win32", reason="there is no bash")
@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (["ev"], {"evaluate"}),
        (["evaluate", "--miss"], {"--missing-masks"}),
        (["evaluate", "--missing-masks", ""], {"error", "allow"}),
        (["submit", "--pixel-threshold-method", "me"], {"mean_sigma", "median_mad"}),
        (["check", "--root", "da"], {"data"}),
    ],
)
def test_bash_completes_commands_flags_choices_and_folders(
    typed: list[str], offered: set[str], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "dates.txt").touch()
    words = " ".join(f"'{word}'" for word in ["pyimgano-industrial", *typed])
    text = script("bash", capsys)
    name = text.rpartition(" -F ")[2].split()[0]
    program = f"{text}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed)}; {name}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    done = subprocess.run(["bash", "-c", program], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert set(done.stdout.split()) == offered


def test_without_shtab_the_cure_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: this needs 'shtab', which is not installed; ")
    assert 'pip install "pyimgano-industrial[completion]"' in told
