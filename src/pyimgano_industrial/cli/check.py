"""`check`: every fault of a data set folder at once, counts per split, near-duplicates between train and test."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from pyimgano_industrial.cli import command
from pyimgano_industrial.cli.fault_lines import SHOWN, counted, fault_lines, more
from pyimgano_industrial.core.columns import aligned, terminal_width
from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.core.progress import TerminalProgress
from pyimgano_industrial.datasets.report import Report

_DESCRIPTION = """\
Reads every image and mask of a data set once and lists all that is wrong with it. The exit code is 1 when there is
an error; warnings and notes are for you to judge.
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = command.add(commands, "check", help="list every fault of a data set folder", description=_DESCRIPTION)
    parser.add_argument("--dataset", required=True, metavar="NAME", help="for example mvtec_loco or industrial_folder")
    parser.add_argument("--root", required=True, metavar="DIR", help="the folder that holds the categories")
    parser.add_argument("--category", metavar="NAME", help="one category; default: all")
    parser.add_argument("--all", action="store_true", help=f"list more than {SHOWN} files for each rule")
    command.finish(parser)


def run(args: argparse.Namespace) -> int:
    """Print the report; the exit code is 1 when it holds an error."""
    from pyimgano_industrial.datasets.check import check
    from pyimgano_industrial.plugins.manager import plugins

    dataset_type = resolve(plugins().row("datasets", args.dataset))
    with TerminalProgress("checking") as progress:
        report = check(dataset_type, args.root, args.category, progress=progress)
    if args.json:
        print(json.dumps(report.to_dict(), indent=2))
    else:
        print(render(report, shown=None if args.all else SHOWN, width=terminal_width()))
    return 0 if report.ok else 1


def render(report: Report, *, shown: int | None, width: int | None = None) -> str:
    """Return the report as text; `shown` rows a rule, or all of them; width: of the terminal."""
    lines = [f"{report.dataset} in {report.root}", ""]
    lines += _counts(report, width)
    lines += fault_lines(report.faults, shown=shown)
    if report.duplicates:
        lines += ["", *_duplicates(report, shown)]
    severities = ("error", "warning", "note")
    total = ", ".join(counted(sum(fault.severity == name for fault in report.faults), name) for name in severities)
    return "\n".join([*lines, "", f"{total}, {len(report.duplicates)} near-duplicates of training images"])


def _counts(report: Report, width: int | None) -> list[str]:
    header = ("category", "split", "label", "type", "images")
    rows = [(c.category, c.split, c.label, c.anomaly_type or "", f"{c.images}") for c in report.counts]
    return aligned([header, *rows], left=range(4), keys=2, width=width)


def _duplicates(report: Report, shown: int | None) -> list[str]:
    lines = [f"warning: test images that are, or nearly are, training images ({len(report.duplicates)})"]
    for twin in report.duplicates[:shown]:
        apart = f"{twin.distance:.2f} < {twin.limit:.2f} grey levels from"
        near = "the same pixels as" if twin.kind == "exact" else apart
        lines.append(f"  {_below(twin.image, report.root)}: {near} {_below(twin.training_image, report.root)}")
    lines += more(len(report.duplicates), shown)
    return [*lines, "  -> take them out, or out of the training split: a detector knows them by heart"]


def _below(path: Path, root: Path) -> Path:
    return path.relative_to(root) if root in path.parents else path
