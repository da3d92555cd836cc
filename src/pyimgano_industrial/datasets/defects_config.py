"""MVTec LOCO AD's defects_config.json: what each pixel value of a ground-truth channel means."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyimgano_industrial.datasets.faults import Fault, FaultError


@dataclass(frozen=True)
class Defect:
    """One entry.

    threshold: pixels, or a share of the defect's area in (0, 1] where `relative`
    """

    name: str
    pixel_value: int
    threshold: float
    relative: bool

    def saturation_area(self, area: int) -> int:
        """Return the pixels that must be found of a defect of `area` pixels for a full score, at least 1.

        >>> Defect("scratch", 250, 0.5, relative=True).saturation_area(7)
        3
        """
        return max(int(self.threshold * area), 1) if self.relative else min(int(self.threshold), area)


def read_defects_config(path: Path) -> dict[int, Defect]:
    """Return the entries by pixel value; raises FaultError, naming the file and the entry, for a malformed one."""
    try:
        rows = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise _fault(path, f"be readable JSON; {path} is not: {error}") from error
    if not isinstance(rows, list) or not rows:
        raise _fault(
            path, f"be a list of defects; {path} holds {'an empty list' if rows == [] else type(rows).__name__}"
        )
    defects: dict[int, Defect] = {}
    for position, row in enumerate(rows):
        defect = _defect(path, position, row)
        if defect.pixel_value in defects:
            raise _fault(path, f"name each pixel_value once; entry {position} of {path} repeats {defect.pixel_value}")
        defects[defect.pixel_value] = defect
    return defects


def _defect(path: Path, position: int, row: Any) -> Defect:
    where = f"entry {position} of {path}"
    keys = ("defect_name", "pixel_value", "saturation_threshold", "relative_saturation")
    if not isinstance(row, dict) or (absent := [key for key in keys if key not in row]):
        lack = ", ".join(absent) if isinstance(row, dict) else f"all of them: it is {row!r}"
        raise _fault(path, f"give each defect the keys {', '.join(keys)}; {where} lacks {lack}")
    name, value, threshold, relative = (row[key] for key in keys)
    if not isinstance(name, str) or not name:
        raise _fault(path, f"have text as defect_name; {where} has {name!r}")
    if type(value) is not int or not 1 <= value <= 255:
        raise _fault(path, f"have whole numbers in 1..255 as pixel_value; {where} has {value!r}")
    if type(relative) is not bool:
        raise _fault(path, f"have true or false as relative_saturation; {where} has {relative!r}")
    if relative and not (type(threshold) in (int, float) and 0 < threshold <= 1):
        raise _fault(path, f"have a relative saturation_threshold above 0 and up to 1; {where} has {threshold!r}")
    if not relative and not (type(threshold) is int and threshold >= 1):
        raise _fault(
            path, f"have whole pixels, 1 or more, as an absolute saturation_threshold; {where} has {threshold!r}"
        )
    return Defect(name, value, threshold, relative)


def _fault(path: Path, rule: str) -> FaultError:
    return FaultError(
        Fault("defects-config", f"defects_config.json must {rule}", "copy the original data set's file", path)
    )
