"""`completion`: what a shell needs to complete the commands, their flags, and the values that are a choice."""

from __future__ import annotations

import argparse
from typing import Any

from pyimgano_industrial.cli import command
from pyimgano_industrial.core.extras import require

_SHELLS = ("bash", "zsh", "fish")
_DESCRIPTION = """\
Prints a script that completes `pyimgano-industrial`, its commands, flags, choices and paths. In bash, for good:

  cd ~/.local/share/bash-completion/completions
  pyimgano-industrial completion bash > pyimgano-industrial

In zsh, a folder of $fpath, as _pyimgano-industrial; in fish, ~/.config/fish/completions/pyimgano-industrial.fish.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = command.add(
        commands, "completion", help="a script that completes all this in your shell", description=_DESCRIPTION
    )
    parser.add_argument("shell", choices=_SHELLS, metavar="SHELL", help=", ".join(_SHELLS))
    command.finish(parser, json=None)


def run(args: argparse.Namespace) -> int:
    """Print the script."""
    from pyimgano_industrial.cli.main import build_parser

    shtab: Any = require("shtab", extra="completion")
    parser = build_parser()
    for one in _parsers(parser):
        for action in one._actions:
            if action.metavar in ("DIR", "RUN"):
                action.complete = shtab.DIRECTORY  # type: ignore[attr-defined] # shtab reads it
            elif action.metavar in ("FILE", "PATH"):
                action.complete = shtab.FILE  # type: ignore[attr-defined] # as above
    print(shtab.complete(parser, shell=args.shell))
    return 0


def _parsers(parser: argparse.ArgumentParser) -> list[argparse.ArgumentParser]:
    found = [parser]
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            found += action.choices.values()
    return found
