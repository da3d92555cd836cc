"""`pyimgano-industrial`: the parser, the dispatch, and errors as one sentence."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Sequence
from importlib import import_module

from pyimgano_industrial import __version__
from pyimgano_industrial.cli import command
from pyimgano_industrial.core.errors import IndustrialError

# Command -> the module with add_parser(subparsers) and run(args); imported for help and use only.
_COMMANDS = ("status", "check", "demo", "evaluate", "report", "compare", "submit", "drift", "exec", "completion")

_EPILOG = """\
examples:
  pyimgano-industrial status
  pyimgano-industrial check --dataset mvtec_loco --root DIR
  pyimgano-industrial demo --small
  pyimgano-industrial evaluate --dataset mvtec_loco --root DIR --category all \\
      --model vision_industrial_filter_bank --output RUN
  pyimgano-industrial report RUN
  pyimgano-industrial compare RUN RUN
  pyimgano-industrial submit --root DIR --maps DIR --output DIR
  pyimgano-industrial drift --profile line.json --input DIR
  pyimgano-industrial exec benchmark --list-models
  pyimgano-industrial completion bash

exit codes: 0 done, 1 the command found a fault, 2 wrong arguments or input, 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = build_parser(next((one for one in arguments if not one.startswith("-")), None))
    args = parser.parse_args(arguments)
    if args.command is None:
        parser.print_help()
        return 0
    try:
        code: int = import_module(f"pyimgano_industrial.cli.{args.command}").run(args)
    except IndustrialError as error:
        return _failed(f"{error}", debug=args.debug)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # `... | head` has closed our output; the interpreter would complain when it flushes it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        return _failed(_told(error), debug=args.debug)
    return code


def _failed(message: str, *, debug: bool) -> int:
    if debug:
        traceback.print_exc()
    else:
        print(f"error: {message}", file=sys.stderr)
    return 2


def _told(error: OSError) -> str:
    """Return a sentence and a remedy for what the system refused: a path that cannot be read, made or written."""
    if error.filename is None:
        return f"the system refused: {error}; --debug before the command shows where"
    remedies = {
        FileNotFoundError: "see that the path is right and its folder exists",
        PermissionError: "get the rights to it, or name another path",
        FileExistsError: "a folder is needed where this file is; name another path",
        NotADirectoryError: "a folder is needed where a file is; name another path",
        IsADirectoryError: "a file is needed where this folder is; name another path",
    }
    remedy = remedies.get(type(error), "--debug before the command shows where")
    return f"{error.filename}: {error.strerror}; {remedy}"


def build_parser(chosen: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of all commands, or of the chosen one alone, so that the flags of others cost no import."""
    parser = argparse.ArgumentParser(
        prog="pyimgano-industrial",
        description="Industrial inspection for pyimgano: data sets, presets and models for every host command.",
        epilog=_EPILOG,
        formatter_class=command.Formatter,
    )
    parser.add_argument("-V", "--version", action="version", version=f"pyimgano-industrial {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name in (chosen,) if chosen in _COMMANDS else _COMMANDS:
        import_module(f"pyimgano_industrial.cli.{name}").add_parser(commands)
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
