"""Tables fold where a terminal is too narrow, and lose nothing."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.core.columns import aligned, described, terminal_width

_ROWS = [
    ("model", "category", "AU-PRO 0.3", "SegF1 (best)", "seconds"),
    ("filter_bank", "bolt", "0.912", "0.513 (0.601)", "12.0"),
    ("mad", "bolt", "0.500", "0.100 (0.200)", "1.5"),
    ("mad", "mean", "0.706", "0.307 (0.401)", ""),
]
_CELLS = st.text("ab1.", min_size=1, max_size=9)
_TABLES = st.integers(2, 6).flatmap(lambda wide: st.lists(st.tuples(*[_CELLS] * wide), min_size=1, max_size=4))


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_that_fits_is_one_block() -> None:
    whole = aligned(_ROWS, left={0, 1}, keys=2)
    assert aligned(_ROWS, left={0, 1}, keys=2, width=max(map(len, whole))) == whole
    assert whole[0] == "model        category  AU-PRO 0.3   SegF1 (best)  seconds"


def test_in_a_wider_table_the_first_key_stands_above_its_rows() -> None:
    assert aligned(_ROWS, left={0, 1}, keys=2, width=50, ruled={3}) == [
        "  category  AU-PRO 0.3   SegF1 (best)  seconds",
        "filter_bank",
        "  bolt           0.912  0.513 (0.601)     12.0",
        "mad",
        "  bolt           0.500  0.100 (0.200)      1.5",
        "  --------------------------------------------",
        "  mean           0.706  0.307 (0.401)",
    ]


def test_what_is_still_too_wide_is_cut_into_blocks_that_begin_with_the_keys() -> None:
    assert aligned(_ROWS, left={0, 1}, keys=2, width=40, ruled={3}) == [
        "  category  AU-PRO 0.3   SegF1 (best)",
        "filter_bank",
        "  bolt           0.912  0.513 (0.601)",
        "mad",
        "  bolt           0.500  0.100 (0.200)",
        "  -----------------------------------",
        "  mean           0.706  0.307 (0.401)",
        "",
        "  category  seconds",
        "filter_bank",
        "  bolt         12.0",
        "mad",
        "  bolt          1.5",
        "  -----------------",
        "  mean",
    ]


@given(rows=_TABLES, width=st.integers(1, 60))
def test_every_cell_is_printed_once_and_keys_in_every_block(rows: list[tuple[str, ...]], width: int) -> None:
    lines = aligned(rows, left={0}, width=width)
    blocks = "\n".join(lines).split("\n\n")
    for number, row in enumerate(rows):
        found = [block.splitlines()[number].split() for block in blocks]
        assert [cells[0] for cells in found] == [row[0]] * len(blocks)
        assert [cell for cells in found for cell in cells[1:]] == list(row[1:])
    # a block of several columns fits
    assert all(
        len(block.split("\n")[0].split()) == 2 or len(line) <= width for block in blocks for line in block.split("\n")
    )


def test_a_text_is_folded_below_itself_and_a_command_is_not_broken() -> None:
    rows = [("clip", "missing torch, open_clip_torch: pip\u00a0install\u00a0x[clip]"), ("large", "installed")]
    assert described(rows) == [
        "  clip   missing torch, open_clip_torch: pip install x[clip]",
        "  large  installed",
    ]
    assert described(rows, width=40) == [
        "  clip   missing torch, open_clip_torch:",
        "         pip install x[clip]",
        "  large  installed",
    ]


def test_only_a_terminal_has_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "72")
    assert terminal_width(io.StringIO()) is None
    assert terminal_width(Terminal()) == 72
    monkeypatch.setattr("sys.stdout", Terminal())
    assert terminal_width() == 72
