"""Faults as the commands print them: by severity and rule, a few files each, and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from pyimgano_industrial.datasets.faults import Fault

SHOWN = 5  # faults a rule in the text; --all and --json show every one


def fault_lines(faults: Iterable[Fault], *, shown: int | None) -> list[str]:
    """Return the faults as lines, a blank one before each rule; `shown` faults a rule, or all of them."""
    ordered = sorted(faults, key=lambda fault: (_SEVERITIES.index(fault.severity), fault.rule))
    lines = []
    for (severity, rule), group in groupby(ordered, key=lambda fault: (fault.severity, fault.rule)):
        some = list(group)
        lines += ["", f"{severity}: {rule} ({len(some)})", *(f"  {fault.message}" for fault in some[:shown])]
        lines += more(len(some), shown)
        lines += [
            f"  -> {remedy}" for remedy in list(dict.fromkeys(fault.remedy for fault in some if fault.remedy))[:1]
        ]
    return lines


def more(count: int, shown: int | None) -> list[str]:
    """Return the line that says how many are not shown; none where all are."""
    return [] if shown is None or count <= shown else [f"  ... and {count - shown} more; --all lists them"]


def counted(number: int, what: str) -> str:
    """Return a number of things.

    >>> counted(1, "error"), counted(0, "warning")
    ('1 error', '0 warnings')
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


_SEVERITIES: Sequence[str] = ("error", "warning", "note")
