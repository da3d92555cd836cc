"""`exec`: runs a host command with the plugins loaded, where start-up files are not processed."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from pyimgano_industrial import load
from pyimgano_industrial.cli import command
from pyimgano_industrial.core.errors import UnknownNameError, closest

_DESCRIPTION = """\
Runs a command of pyimgano with the plugins loaded. Needed only where Python does not process start-up files:
`python -S`, `pip install --target`, PYTHONPATH, frozen or zipped applications, or a policy that forbids .pth files.

  pyimgano-industrial exec pyimgano-benchmark --list-models
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = command.add(commands, "exec", help="run a host command with the plugins loaded", description=_DESCRIPTION)
    parser.add_argument("host_command", metavar="HOST_COMMAND", help="for example pyimgano-benchmark, or benchmark")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, metavar="...", help="its arguments")
    command.finish(parser, json=None)


def run(args: argparse.Namespace) -> int:
    """Run the host command in this process."""
    load()
    from pyimgano import root_cli

    modules = {name: module for name, (module, _) in root_cli._COMMANDS.items() if name != "industrial"}
    modules |= {"pyimgano": "pyimgano.root_cli", "pyim": "pyimgano.pyim_cli"}
    name = args.host_command.removeprefix("pyimgano-")
    if name not in modules:
        raise UnknownNameError(f"unknown host command {args.host_command!r}; {closest(name, modules)}")
    sys.argv = [args.host_command, *args.arguments]
    code: int = import_module(modules[name]).main(args.arguments) or 0
    return code
