"""Progress of long work: a line on a terminal with an estimate or the time, and a count over images cut into tiles."""

from __future__ import annotations

import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

Progress = Callable[[int, int], None]


class TerminalProgress:
    """Prints "what  12/80  3 s left" on standard error, in place; silent when that is no terminal.

    As a context it shows what is being done from its beginning to its end, also before the first count and after the
    last, and a warning takes the place of the line, which comes again with the next count. Elsewhere the line goes when
    all is done. A lower count than before begins anew.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._shown = 0.0
        self._done = 0
        self._on = sys.stderr.isatty()
        self._stays = self._drawn = False

    def __enter__(self) -> TerminalProgress:
        self._stays = True
        self._show("...")
        self._warn = warnings.showwarning
        if self._on:
            warnings.showwarning = self._warned
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.clear()
        if self._on:
            warnings.showwarning = self._warn

    def __call__(self, done: int, total: int, *_: object) -> None:
        """Show that `done` of `total` are done; at most ten times a second."""
        if not self._on:
            return
        now = time.monotonic()
        if done < self._done:
            self._started = now
        self._done = done
        if done >= total:
            if self._stays:
                self._show(f"{done}/{total}")
            else:
                self.clear()
        elif now - self._shown >= 0.1:
            self._shown = now
            left = f"{(now - self._started) / done * (total - done):.0f} s left" if done else ""
            self._show(f"{done}/{total}  {left}")

    def clear(self) -> None:
        """Take the line away, so that something else can be printed."""
        if self._drawn:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
            self._drawn = False

    def _warned(self, *warning: Any, **options: Any) -> None:
        self.clear()
        self._warn(*warning, **options)

    def _show(self, text: str) -> None:
        if self._on:
            print(f"\r\x1b[K{self._what}  {text}", end="", file=sys.stderr, flush=True)
            self._drawn = True


@contextmanager
def running(what: str) -> Iterator[None]:
    """Show how many seconds the block has run, where there is nothing to count: "what  12 s", as TerminalProgress does.

    A block within a block shows nothing of its own.
    """
    global _running
    if _running or not sys.stderr.isatty():
        yield
        return
    over, started = threading.Event(), time.monotonic()
    with TerminalProgress(what) as progress:

        def tick() -> None:
            while not over.wait(0.5):
                progress._show(f"{time.monotonic() - started:.0f} s")

        clock = threading.Thread(target=tick, daemon=True)
        _running = True
        clock.start()
        try:
            yield
        finally:
            over.set()
            clock.join()
            _running = False


_running = False


class Meter:
    """Counts the tiles of a call's images; those of images still to come are taken to be as many as of the last one.

    progress: called with (tiles done, tiles in all). images: their number, None where it is not known.
    """

    def __init__(self, progress: Progress | None, images: int | None) -> None:
        self._progress, self._images = progress, images
        self._begun = self._before = self._done = self._tiles = 0

    def begin(self, tiles: int) -> None:
        """Begin an image of that many tiles."""
        self._before += self._tiles
        self._tiles = tiles
        self._begun += 1
        self._done = self._before

    def advance(self, tiles: int) -> None:
        """Count tiles as done."""
        self._done += tiles
        if self._progress is not None:
            to_come = max(0, (self._images or 0) - self._begun)
            self._progress(self._done, self._before + self._tiles * (1 + to_come))
