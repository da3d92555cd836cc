"""What `submit` prints: the objects that were written, and what a check found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pyimgano_industrial.cli.fault_lines import SHOWN, counted, fault_lines
from pyimgano_industrial.core.columns import aligned

if TYPE_CHECKING:
    from pyimgano_industrial.evaluation.submission import Written
    from pyimgano_industrial.evaluation.submission_check import SubmissionReport


def render(report: SubmissionReport, *, shown: int | None, width: int | None = None) -> str:
    """Return a check's report as text; `shown` faults a rule, or all of them; width: of the terminal."""
    lines = [f"{report.source}, checked against {report.root}", ""]
    header = ("object", "split", "maps", "thresholded", "wanted")
    rows = [
        (one.object, one.split, f"{one.maps}", f"{one.masks}" if report.thresholded else "-", f"{one.wanted}")
        for one in report.counts
    ]
    lines += aligned([header, *rows], left=range(2), keys=2, width=width)
    lines += fault_lines(report.faults, shown=shown)
    errors = sum(one.severity == "error" for one in report.faults)
    return "\n".join([*lines, "", f"{counted(errors, 'error')}, {counted(len(report.faults) - errors, 'warning')}"])


def table(done: Sequence[Written], failed: Mapping[str, str], *, width: int | None = None) -> str:
    """Return the objects that were written, and those that failed, as a table; width: of the terminal."""
    header = ("object", "images", "failed", "float16", "threshold", "flagged")
    rows = [
        (
            one.object,
            f"{one.images}",
            f"{len(one.failed)}",
            "as it is" if one.scale == "plain" else "shared out",
            "-" if one.threshold is None else f"{one.threshold:.6g}",
            "-" if one.flagged is None else f"{100 * one.flagged:.3g} %",
        )
        for one in done
    ]
    lines = aligned([header, *rows, *((name, "-", "all", "-", "-", "-") for name in failed)], left={0}, width=width)
    lines += [f"{one.object}: float16 values are shared out: {one.reason}" for one in done if one.reason]
    return "\n".join(lines)


def outcome(
    target: Path,
    report: SubmissionReport | None,
    done: Sequence[Written],
    failed: Mapping[str, str],
) -> str:
    """Return the last words: packed, or why not."""
    if report is None:
        why = "it needs all eight objects" if not failed and not lacks(done) else "what failed is missing"
        return f"\nNot packed: {why}. The same command goes on where this one ended."
    if not report.ok:
        return f"\n{render(report, shown=SHOWN)}\n\nNot packed: see the faults above."
    warned = "" if not report.faults else f"\n{render(report, shown=SHOWN)}\n"
    files = sum(one.maps + one.masks for one in report.counts)
    return f"{warned}\n{files} files checked: no fault. Packed: {target} ({target.stat().st_size / 2**20:.1f} MiB)"


def line(one: Written, *, kept: bool) -> str:
    """Return what became of one object."""
    if kept:
        return f"kept    {one.object}, written before"
    lines = [f"done    {one.object}: {one.images} images{'. ' + one.said if one.said else ''}"]
    lines += [f"failed  {name}: {why}" for name, why in list(one.failed.items())[:SHOWN]]
    if len(one.failed) > SHOWN:
        lines.append(f"        ... and {len(one.failed) - SHOWN} more, listed in submission.json")
    return "\n".join(lines)


def lacks(done: Sequence[Written]) -> bool:
    """Return whether an image has no map."""
    return any(one.failed for one in done)
