"""`report`: the page of a run, written anew from its folder."""

from __future__ import annotations

import argparse
from pathlib import Path

from pyimgano_industrial.cli import command
from pyimgano_industrial.core.progress import running

_DESCRIPTION = """\
Writes report.html of a run that `evaluate` has left: tables with intervals, curves, histograms, pictures, and what is
missing and why. It is one file that needs no network; `evaluate` writes it too, at its end. A run that is not finished
is shown as far as it is.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = command.add(
        commands, "report", help="the page of a run: tables, curves, pictures", description=_DESCRIPTION
    )
    parser.add_argument("run", type=Path, metavar="RUN", help="the folder that `evaluate --output` wrote")
    parser.add_argument("--output", type=Path, metavar="FILE", help="default: RUN/report.html")
    command.finish(parser, json=None)


def run(args: argparse.Namespace) -> int:
    """Write the page and say where it is."""
    from pyimgano_industrial.evaluation.report import write_report

    with running("writing"):
        page = write_report(args.run, args.output)
    print(page)
    return 0
