"""Errors are one sentence, exit codes are kept, help reads as one page."""

from __future__ import annotations

from pathlib import Path

import pytest

from distributions import run, script
from pyimgano_industrial.cli.main import main


def test_help_is_one_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    text = capsys.readouterr().out
    assert len(text.splitlines()) < 40
    assert all(command in text for command in ("status", "check", "demo", "exec", "exit codes"))


def test_an_error_is_one_sentence_and_exit_code_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["check", "--dataset", "mvtec_loko", "--root", str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: unknown dataset 'mvtec_loko'; did you mean 'mvtec_loco'?")
    assert "Traceback" not in told


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    command = (script("pyimgano-industrial"), "--debug", "check", "--dataset", "mvtec_loko", "--root", str(tmp_path))
    done = run(*command, check=False)
    assert done.returncode == 1
    assert "Traceback" in done.stderr
