"""How a command is described: its help reads top to bottom, what is needed first, and `-h` last."""

from __future__ import annotations

import argparse
import textwrap
from typing import Any


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Fills paragraphs, keeps indented lines, and gives flags the room that lets most share a line with their help."""

    def __init__(self, prog: str, **options: Any) -> None:
        super().__init__(prog, max_help_position=30, **options)

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = textwrap.dedent(text).split("\n\n")
        return "\n\n".join(
            textwrap.indent(one if "\n  " in f"\n{one}" else textwrap.fill(one, width - len(indent)), indent)
            for one in paragraphs
        )


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    *,
    help: str,
    description: str | None = None,
    usage: str | None = None,
) -> argparse.ArgumentParser:
    """Add a command; `usage` is what follows its name, for those whose flags would fill a page."""
    return commands.add_parser(
        name,
        help=help,
        description=description,
        formatter_class=Formatter,
        usage=usage and f"pyimgano-industrial {name} {usage}",
        add_help=False,
    )


def finish(group: argparse._ArgumentGroup | argparse.ArgumentParser, *, json: str | None = "print JSON") -> None:
    """Add what nearly every command has to its last group; json: the help of --json, None where there is no table."""
    if json is not None:
        group.add_argument("--json", action="store_true", help=json)
    group.add_argument("-h", "--help", action="help", help="show this page and exit")
