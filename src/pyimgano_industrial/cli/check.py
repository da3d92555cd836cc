"""`check`: every fault of a data set folder at once, counts per split, near-duplicates between train and test."""

from __future__ import annotations

import argparse
import json
from itertools import groupby
from pathlib import Path

from pyimgano_industrial.cli import command
from pyimgano_industrial.core.columns import aligned
from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.core.progress import TerminalProgress
from pyimgano_industrial.datasets.faults import Fault
from pyimgano_industrial.datasets.report import Report

_SHOWN = 5  # rows a rule in the text; --all and --json show every one
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
    parser.add_argument("--all", action="store_true", help=f"list more than {_SHOWN} files for each rule")
    command.finish(parser)


def run(args: argparse.Namespace) -> int:
    """Print the report; the exit code is 1 when it holds an error."""
    from pyimgano_industrial.datasets.check import check
    from pyimgano_industrial.plugins.manager import plugins

    dataset_type = resolve(plugins().row("datasets", args.dataset))
    with TerminalProgress("checking") as progress:
        report = check(dataset_type, args.root, args.category, progress=progress)
    print(json.dumps(report.to_dict(), indent=2) if args.json else render(report, shown=None if args.all else _SHOWN))
    return 0 if report.ok else 1


def render(report: Report, *, shown: int | None) -> str:
    """Return the report as text; `shown` rows a rule, or all of them."""
    lines = [f"{report.dataset} in {report.root}", ""]
    lines += _counts(report)
    for severity in ("error", "warning", "note"):
        faults = sorted((fault for fault in report.faults if fault.severity == severity), key=lambda fault: fault.rule)
        for rule, group in groupby(faults, key=lambda fault: fault.rule):
            lines += ["", *_rule(severity, rule, list(group), shown)]
    if report.duplicates:
        lines += ["", *_duplicates(report, shown)]
    counted = {name: sum(fault.severity == name for fault in report.faults) for name in ("error", "warning", "note")}
    total = ", ".join(f"{number} {name}{'' if number == 1 else 's'}" for name, number in counted.items())
    return "\n".join([*lines, "", f"{total}, {len(report.duplicates)} near-duplicates of training images"])


def _counts(report: Report) -> list[str]:
    header = ("category", "split", "label", "type", "images")
    rows = [(c.category, c.split, c.label, c.anomaly_type or "", f"{c.images}") for c in report.counts]
    return aligned([header, *rows], left=range(4))


def _rule(severity: str, rule: str, faults: list[Fault], shown: int | None) -> list[str]:
    lines = [f"{severity}: {rule} ({len(faults)})"]
    lines += [f"  {fault.message}" for fault in faults[:shown]]
    if shown is not None and len(faults) > shown:
        lines.append(f"  ... and {len(faults) - shown} more; --all lists them")
    remedies = list(dict.fromkeys(fault.remedy for fault in faults if fault.remedy))
    return lines + [f"  -> {remedy}" for remedy in remedies[:1]]


def _duplicates(report: Report, shown: int | None) -> list[str]:
    lines = [f"warning: test images that are, or nearly are, training images ({len(report.duplicates)})"]
    for twin in report.duplicates[:shown]:
        apart = f"{twin.distance:.2f} < {twin.limit:.2f} grey levels from"
        near = "the same pixels as" if twin.kind == "exact" else apart
        lines.append(f"  {_below(twin.image, report.root)}: {near} {_below(twin.training_image, report.root)}")
    if shown is not None and len(report.duplicates) > shown:
        lines.append(f"  ... and {len(report.duplicates) - shown} more; --all lists them")
    return [*lines, "  -> take them out of the test split: a detector knows them by heart"]


def _below(path: Path, root: Path) -> Path:
    return path.relative_to(root) if root in path.parents else path
