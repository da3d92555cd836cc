"""Progress is shown on a terminal only, and counts the tiles of all images of a call."""

from __future__ import annotations

import io
import sys
import threading
import time
import warnings

import pytest

from pyimgano_industrial.core.progress import Meter, TerminalProgress, running


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_shows_a_line_with_an_estimate_and_clears_it(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 2.0, 2.01, 4.0])
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    progress = TerminalProgress("tiles")
    progress(10, 40)
    progress(11, 40)  # too soon to be shown
    assert terminal.getvalue() == "\r\x1b[Ktiles  10/40  6 s left"
    progress(40, 40)
    assert terminal.getvalue().endswith("left\r\x1b[K")


def test_a_warning_has_a_line_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("warnings.showwarning", lambda message, *_: print(f"warning: {message}", file=sys.stderr))
    shown = warnings.showwarning
    with TerminalProgress("fitting") as progress:
        warnings.warn("few images", UserWarning, stacklevel=1)
        progress(1, 2)
    assert warnings.showwarning is shown
    before, after = terminal.getvalue().split("warning: few images")
    assert before.startswith("\r\x1b[Kfitting  ...\r\x1b[K")
    assert "fitting" not in before.removeprefix("\r\x1b[Kfitting")
    assert "\r\x1b[Kfitting  1/2" in after


def test_a_warning_that_is_caught_is_caught_under_a_line_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", Terminal())
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with TerminalProgress("fitting"):
            warnings.warn("few images", UserWarning, stacklevel=1)
    assert [f"{one.message}" for one in caught] == ["few images"]


def test_a_count_that_falls_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 5.0, 10.0, 11.0])
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    progress = TerminalProgress("tiles")
    progress(4, 8)
    progress(1, 8)
    progress(2, 8)
    assert terminal.getvalue().endswith("tiles  2/8  3 s left")


def test_a_file_gets_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with TerminalProgress("tiles") as progress:
        progress(1, 2)
    assert capsys.readouterr().err == ""


def test_images_to_come_count_as_much_as_the_last() -> None:
    seen: list[tuple[int, int]] = []
    meter = Meter(lambda done, total: seen.append((done, total)), 3)
    for tiles in (4, 6, 1):
        meter.begin(tiles)
        meter.advance(tiles)
    assert seen == [(4, 12), (10, 16), (11, 11)]


def test_without_a_known_number_of_images_those_begun_count() -> None:
    seen: list[tuple[int, int]] = []
    meter = Meter(lambda done, total: seen.append((done, total)), None)
    for tiles in (4, 6):
        meter.begin(tiles)
        meter.advance(tiles)
    assert seen == [(4, 4), (10, 10)]


def test_as_a_context_the_line_stays_from_beginning_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with TerminalProgress("fitting") as progress:
        assert terminal.getvalue() == "\r\x1b[Kfitting  ..."
        progress(2, 2)
        assert terminal.getvalue().endswith("\r\x1b[Kfitting  2/2")
        progress.clear()
        progress.clear()
        assert terminal.getvalue().endswith("fitting  2/2\r\x1b[K")
    assert terminal.getvalue().endswith("fitting  2/2\r\x1b[K")  # what is gone is not taken away again


def test_what_cannot_be_counted_says_how_long_it_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stderr", terminal)
    with running("benchmark"):
        with running("within"):
            pass
        while " s" not in terminal.getvalue():
            time.sleep(0.01)
    shown = terminal.getvalue()
    assert shown.startswith("\r\x1b[Kbenchmark  ...\r\x1b[Kbenchmark  ")
    assert shown.endswith(" s\r\x1b[K")
    assert "within" not in shown


def test_the_time_is_shown_on_a_terminal_only_and_ends_with_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with running("benchmark"):
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr", Terminal())
    with pytest.raises(KeyboardInterrupt), running("benchmark"):
        raise KeyboardInterrupt
    assert [thread for thread in threading.enumerate() if thread.name.endswith("(tick)")] == []
