"""Rows of text in columns, as the commands print them, folded where a terminal is too narrow."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Collection, Iterator, Sequence
from typing import TextIO

_GAP = "  "
_NARROWEST = 20  # columns for a text, below which folding it helps nobody


def terminal_width(stream: TextIO | None = None) -> int | None:
    """Return how many columns the terminal has that a stream, by default standard output, goes to; None elsewhere.

    The variable COLUMNS comes first, as in the standard library.
    """
    return shutil.get_terminal_size().columns if (stream or sys.stdout).isatty() else None


def aligned(
    rows: Sequence[Sequence[str]],
    *,
    left: Collection[int],
    keys: int = 1,
    width: int | None = None,
    ruled: Collection[int] = (),
) -> list[str]:
    """Return a line a row; the columns in `left` begin in one place, the others, of numbers, end in one.

    keys: how many columns name a row
    width: of a wider table the first of two or more keys stands on a line above its rows, and what is still too wide is
        cut into blocks with an empty line between them, each of which begins with the keys; None for any width.
        Nothing is shortened, so a block of one more column may still be wider.
    ruled: the numbers of the rows that have a rule above them

    >>> aligned([("model", "n"), ("mad", "10")], left={0})
    ['model   n', 'mad    10']
    >>> aligned([("model", "AP", "F1"), ("mad", "0.5", "0.7")], left={0}, width=12)
    ['model   AP', 'mad    0.5', '', 'model   F1', 'mad    0.7']
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    grouped = keys > 1 and width is not None and sum(widths) + len(_GAP) * (len(widths) - 1) > width
    first, indent = (1, _GAP) if grouped else (0, "")
    lines: list[str] = []
    for block in _blocks(widths, range(first, keys), width and width - len(indent)):
        shown = [
            _GAP.join(row[n].ljust(widths[n]) if n in left else row[n].rjust(widths[n]) for n in block).rstrip()
            for row in rows
        ]
        rule = "-" * max(map(len, shown))
        lines += [""] if lines else []
        for number, line in enumerate(shown):
            if grouped and number and rows[number][0] != rows[number - 1][0]:
                lines.append(rows[number][0])
            lines += [indent + one for one in ([rule, line] if number in ruled else [line])]
    return lines


def described(rows: Sequence[Sequence[str]], *, width: int | None = None) -> list[str]:
    """Return rows whose last cell is a text as lines, each indented by two.

    width: a longer text goes on below itself, broken at spaces but never at no-break spaces, which are printed as
        spaces; None for any width

    >>> described([("clip", "missing torch"), ("all", "there")], width=17)
    ['  clip  missing torch', '  all   there']
    """
    widths = [max(map(len, column)) for column in list(zip(*rows, strict=True))[:-1]]
    lines = []
    for *cells, text in rows:
        head = _GAP + "".join(f"{cell.ljust(wide)}{_GAP}" for cell, wide in zip(cells, widths, strict=True))
        room = None if width is None else max(width - len(head), _NARROWEST)
        folded = [text] if room is None else textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
        rest = [" " * len(head) + line for line in folded[1:]]
        lines += [line.replace("\u00a0", " ").rstrip() for line in (head + "".join(folded[:1]), *rest)]
    return lines


def folded(text: str, *, width: int | None = None) -> str:
    """Return a sentence over as many lines as it needs, the second and later ones indented; width: of the terminal."""
    if width is None:
        return text
    return textwrap.fill(text, width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


def _blocks(widths: Sequence[int], keys: range, width: int | None) -> Iterator[list[int]]:
    """Yield the columns of each block: the keys, and as many of those behind them as fit, one at the least."""
    block = list(keys)
    for column in range(keys.stop, len(widths)):
        wanted = sum(widths[n] + len(_GAP) for n in block) + widths[column]
        if width is not None and wanted > width and len(block) > len(keys):
            yield block
            block = list(keys)
        block.append(column)
    yield block
