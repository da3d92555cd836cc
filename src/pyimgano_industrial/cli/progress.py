"""A progress line with an estimate, on a terminal only."""

from __future__ import annotations

import sys
import time
from types import TracebackType


class Progress:
    """Prints "what  12/80  3 s left" on standard error, in place; silent when that is no terminal."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._started = time.monotonic()
        self._shown = 0.0
        self._on = sys.stderr.isatty()

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._on and self._shown:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def __call__(self, done: int, total: int, *_: object) -> None:
        """Show that `done` of `total` are done; at most ten times a second."""
        now = time.monotonic()
        if not self._on or (now - self._shown < 0.1 and done < total):
            return
        self._shown = now
        left = (now - self._started) / done * (total - done) if done else 0.0
        print(f"\r\x1b[K{self._what}  {done}/{total}  {left:.0f} s left", end="", file=sys.stderr, flush=True)
