"""What `drift` found: as text, as plain data, and drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pyimgano_industrial.core.columns import aligned
from pyimgano_industrial.core.extras import require
from pyimgano_industrial.core.files import written
from pyimgano_industrial.presets.drift import ACTIONS, DriftMonitor, Moved, Verdict
from pyimgano_industrial.presets.measurement import PROPERTIES, UNITS

_SHOWN = 5
_HEADER = ("property", "unit", "good, 5 to 95 %", "now", "shift", "since", "action")


class Report:
    """The verdicts on a folder of images, in order."""

    def __init__(self, profile: Path, folder: Path, monitor: DriftMonitor) -> None:
        self.profile, self.folder, self.monitor = profile, folder, monitor
        self.seen: list[tuple[Path, Verdict]] = []
        self.failed: list[tuple[Path, Exception]] = []

    def add(self, path: Path, verdict: Verdict) -> None:
        """Add the verdict on an image."""
        self.seen.append((path, verdict))

    def fail(self, path: Path, error: Exception) -> None:
        """Add an image that could not be read or measured."""
        self.failed.append((path, error))

    @property
    def moved(self) -> tuple[Moved, ...]:
        """What has moved by the last image."""
        return self.seen[-1][1].moved if self.seen else ()

    @property
    def rejected(self) -> list[tuple[Path, Verdict]]:
        """Images that are black or saturated."""
        return [(path, one) for path, one in self.seen if one.measured is not None and not one.measured.usable]

    @property
    def quiet(self) -> bool:
        """Whether nothing has moved and every image was of use."""
        return not (self.moved or self.rejected or self.failed or not self.seen)

    @property
    def action(self) -> str:
        """The strongest action at the last image."""
        return max((one.action for one in self.moved), key=ACTIONS.index, default="none")

    def render(self, *, width: int | None = None) -> str:
        """Return the report as text; width: of the terminal."""
        profile = self.monitor.profile
        lines = [
            f"{self.profile}: {len(profile.good)} good images",
            f"{self.folder}: {len(self.seen) + len(self.failed)} images",
            "",
            *aligned([_HEADER, *map(self._row, self.monitor.watched)], left=range(len(_HEADER)), width=width),
            "",
        ]
        lines += _listed("could not be read", [f"{error}" for _, error in self.failed])
        lines += _listed("rejected", [f"{self._name(path)}: {one.reason}" for path, one in self.rejected])
        if not self.moved:
            return "\n".join([*lines, "nothing has moved"])
        for one in self.moved:
            lines.append(f"{one.property} moved by {one.shift:+.2f} {one.unit} since {self._name(self._path(one))}")
        return "\n".join([*lines, f"action: {_ADVICE[self.action]}"])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "profile": f"{self.profile}",
            "input": f"{self.folder}",
            "images": len(self.seen) + len(self.failed),
            "action": self.action,
            "moved": [
                {**said, "since_image": f"{self._path(one)}"}
                for one, said in zip(self.moved, self.seen[-1][1].to_dict()["moved"] if self.seen else (), strict=True)
            ],
            "rejected": [{"image": f"{path}", "reason": one.reason} for path, one in self.rejected],
            "errors": [{"image": f"{path}", "message": f"{error}"} for path, error in self.failed],
            "verdicts": [
                {
                    "image": f"{path}",
                    "action": one.action,
                    "reason": one.reason,
                    "measured": None if one.measured is None else one.measured.to_dict(),
                }
                for path, one in self.seen
            ],
        }

    def plot(self, path: Path) -> None:
        """Draw each property over the images, with the range of good ones; needs the extra "report"."""
        figure_class = require("matplotlib.figure", extra="report").Figure
        names = self.monitor.watched
        figure = figure_class(figsize=(9, 1.25 * len(names)), layout="constrained")
        moved = {one.property: one for one in self.moved}
        usable = [
            (index, one.measured) for index, (_, one) in enumerate(self.seen) if one.measured and one.measured.usable
        ]
        for axes, name in zip(np.atleast_1d(figure.subplots(len(names), 1, sharex=True)), names, strict=True):
            low, high = self._range(name)
            axes.axhspan(low, high, color="tab:green", alpha=0.2, lw=0)
            colour = "tab:red" if name in moved else "tab:blue"
            axes.plot([i for i, _ in usable], [getattr(one, name) for _, one in usable], ".", ms=3, color=colour)
            if name in moved:
                axes.axvline(moved[name].since, color="tab:red", lw=1)
            axes.set_ylabel(f"{name}\n{UNITS[name]}", rotation=0, ha="right", va="center", fontsize=8)
            axes.tick_params(labelsize=7)
        axes.set_xlabel("image; green: 5 to 95 % of the good ones; red: moved, from the line on", fontsize=8)
        with written(path) as spare:
            figure.savefig(spare, dpi=110, format=path.suffix[1:].lower())

    def _row(self, name: str) -> tuple[str, ...]:
        low, high = self._range(name)
        shift = self.monitor.shift(name)
        moved = next((one for one in self.moved if one.property == name), None)
        since = "" if moved is None else self._name(self._path(moved))
        now = self.monitor.middle[name] + shift
        action = "" if moved is None else moved.action
        shown = _number(moved.shift if moved else shift, sign="+")
        return (name, UNITS[name], f"{_number(low)} .. {_number(high)}", _number(now), shown, since, action)

    def _range(self, name: str) -> tuple[float, float]:
        low, high = np.quantile(self.monitor.profile.good[:, PROPERTIES.index(name)], (0.05, 0.95))
        return float(low), float(high)

    def _path(self, moved: Moved) -> Path:
        return self.seen[moved.since][0]

    def _name(self, path: Path) -> str:
        return f"{path.relative_to(self.folder)}"


_ADVICE = {
    "correct": "correct: the profile takes this out (preset camera_profile, or --corrected DIR)",
    "warn": "warn: the profile does not take this out; look at the lamp, the lens and the camera's settings",
    "reject": "reject: these images are too far from the profile to be judged",
}


def _number(value: float, *, sign: str = "") -> str:
    """Return a number with three decimals, and no minus before zero."""
    return f"{round(value, 3) + 0.0:{sign}.3f}"


def _listed(what: str, found: Sequence[str]) -> list[str]:
    if not found:
        return []
    more = [f"  ... and {len(found) - _SHOWN} more; --json lists them"] if len(found) > _SHOWN else []
    return [f"{what} ({len(found)}):", *(f"  {one}" for one in found[:_SHOWN]), *more, ""]
