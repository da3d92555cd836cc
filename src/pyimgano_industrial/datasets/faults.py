"""A broken rule of a data set folder, as data and as the error that carries it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pyimgano_industrial.core.errors import DatasetError

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Fault:
    """One broken rule.

    rule:     a short fixed name, for example "mask-size"
    message:  what must hold, what holds instead, and in which file
    remedy:   what the user can do about it
    file:     the file or folder at fault
    severity: "error" makes the data unusable or wrong, "warning" is likely a mistake, "note" is good to know
    """

    rule: str
    message: str
    remedy: str
    file: Path | None = None
    severity: Severity = "error"

    def __str__(self) -> str:
        return f"{self.message}; {self.remedy}" if self.remedy else self.message


class FaultError(DatasetError):
    """The error that a fault becomes when somebody asks for the data; `fault` says the same as data."""

    def __init__(self, fault: Fault, more: int = 0) -> None:
        super().__init__(fault, more)
        self.fault = fault
        self.more = more

    def __str__(self) -> str:
        if not self.more:
            return f"{self.fault}"
        others = "1 more fault" if self.more == 1 else f"{self.more} more faults"
        return f"{self.fault} (and {others}: `pyimgano-industrial check` lists them all)"


def fault_of(error: DatasetError, rule: str, file: Path) -> Fault:
    """Return the fault that a data-set error carries, or else one made from its text, "what; remedy"."""
    if isinstance(error, FaultError):
        return error.fault
    message, _, remedy = f"{error}".rpartition("; ")
    return Fault(rule, message, remedy, file) if message else Fault(rule, remedy, "", file)
