"""One change of a threshold: what it was, what it became, how, from which images, and when."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timezone
from typing import Any

from pyimgano_industrial.core.errors import IndustrialError, closest


class ThresholdChangeError(IndustrialError, ValueError):
    """Data that are no record of a change."""


@dataclass(frozen=True)
class ThresholdChange:
    """A line of the log that every threshold carries.

    date:   ISO 8601 in UTC, to the second
    old:    the threshold before, None where there was none; new: the threshold since
    method: of `Calibrator`, or "stated" where somebody has set a number
    level:  "image" or "pixel"
    source: where the scores came from, as in `Calibration`; None of a stated one
    images: the number of normal images that it rests on; names: theirs, where they were given

    >>> print(ThresholdChange("2025-03-01T06:00:00+00:00", old=1.5, new=1.25, method="tolerance", images=60))
    2025-03-01T06:00:00+00:00 image threshold 1.5 -> 1.25 (tolerance, 60 good images)
    """

    date: str
    old: float | None
    new: float
    method: str
    level: str = "image"
    source: str | None = None
    images: int = 0
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        old = "none" if self.old is None else f"{self.old:.6g}"
        basis = f", {self.images} good images" if self.images else ""
        return f"{self.date} {self.level} threshold {old} -> {self.new:.6g} ({self.method}{basis})"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {**asdict(self), "names": list(self.names)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> ThresholdChange:
        """Return the change that `to_dict` wrote; raises ThresholdChangeError naming what is missing or unknown."""
        known = {field.name for field in fields(cls)}
        for name in data:
            if name not in known:
                raise ThresholdChangeError(f"a change of a threshold has no entry {name!r}; {closest(name, known)}")
        missing = sorted({"date", "old", "new", "method"} - data.keys())
        if missing:
            raise ThresholdChangeError(f"a change of a threshold needs {', '.join(missing)}; they are missing")
        return cls(**{**data, "names": tuple(data.get("names", ()))})


def stated(new: float, *, old: float | None = None, level: str = "image") -> ThresholdChange:
    """Return the record of a threshold that somebody has set, as of now."""
    return ThresholdChange(now(), old, new, "stated", level)


def followed(earlier: Iterable[ThresholdChange], last: ThresholdChange) -> tuple[ThresholdChange, ...]:
    """Return a log with one more change; where the threshold is what it was, made the same way, the log as it is."""
    log = tuple(earlier)
    if not log:
        return (last,)
    if (log[-1].new, log[-1].method, log[-1].names) == (last.new, last.method, last.names):
        return log
    return (*log, replace(last, old=log[-1].new))


def now() -> str:
    """Return the date as the log has it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")
