"""Drift: which property of a stream of images has left the profile, by how much, since when, and what to do."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from pyimgano_industrial.presets.measurement import PHOTOMETRIC, PROPERTIES, UNITS, Measurement
from pyimgano_industrial.presets.pixels import Image, PresetError
from pyimgano_industrial.presets.profile import LEAST, CameraProfile
from pyimgano_industrial.presets.sequential import Watch

Action = Literal["none", "correct", "warn", "reject"]
ACTIONS: tuple[Action, ...] = ("none", "correct", "warn", "reject")
RUN_LENGTH = 10_000
_RECENT = 50  # images that a shift is taken over
_BACK = 10  # images that must be back before a property counts as steady again

# Property -> (shift up to which the profile corrects it, shift from which images are of no use), in its own unit.
LIMITS: dict[str, tuple[float, float]] = {
    "exposure": (1.0, 2.0),
    "red": (0.7, 1.5),
    "blue": (0.7, 1.5),
    "contrast": (0.7, 1.5),
    "illumination": (1.2, 2.5),
    "glare": (0.0, 0.25),
    "noise": (0.0, 20.0),
    "sharpness": (0.0, 3.0),
    "compression": (0.0, 3.0),
}


@dataclass(frozen=True)
class Moved:
    """A property that has left the profile.

    shift: median of the last 50 images at most since it moved, less the median of the good images; unit: of it
    deviations: the shift in standard deviations of good images
    since: index of the image at which it probably began; evidence: log10 of the winnings against "nothing moved"
    """

    property: str
    shift: float
    unit: str
    deviations: float
    since: int
    evidence: float
    action: Action


@dataclass(frozen=True)
class Verdict:
    """What a monitor says of one image and of the stream up to it.

    action: "none"; "correct": the profile takes the drift out; "warn": it cannot, or it is large; "reject": the image
    is black or saturated, or a property is beyond use. reason: one sentence, empty where nothing has moved.
    """

    index: int
    action: Action
    moved: tuple[Moved, ...] = ()
    measured: Measurement | None = field(default=None, repr=False)
    reason: str = ""

    @property
    def drifting(self) -> bool:
        return bool(self.moved)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "action": self.action,
            "reason": self.reason,
            "moved": [
                {
                    "property": one.property,
                    "shift": round(one.shift, 4),
                    "unit": one.unit,
                    "deviations": round(one.deviations, 2),
                    "since": one.since,
                    "evidence_log10": round(one.evidence, 2),
                    "action": one.action,
                }
                for one in self.moved
            ],
        }


class DriftMonitor:
    """Watches a stream of images beside a profile.

    run_length: images that go by on average before a false alarm, at least, while the stream is like the good images
                (exchangeable with them, see `sequential`); higher means later alarms
    limits:     property -> (shift up to which "correct" does, shift from which "reject" is right); see LIMITS
    seed:       of the numbers that break ties between equal measurements

    An alarm needs the evidence and a shift of half a standard deviation of good images at least, and one that can be
    seen. It ends when ten images in a row are back.

    >>> images = [np.full((32, 32), 90 + k % 4, np.uint8) + np.arange(32, dtype=np.uint8) for k in range(40)]
    >>> monitor = DriftMonitor(CameraProfile.fit(images))
    >>> [monitor.observe(image).action for image in images[:2]]
    ['none', 'none']
    """

    def __init__(
        self,
        profile: CameraProfile,
        *,
        run_length: int = RUN_LENGTH,
        limits: Mapping[str, tuple[float, float]] | None = None,
        seed: int = 0,
    ) -> None:
        if run_length < 10:
            raise PresetError(f"run_length must be at least 10 images between false alarms; got {run_length}")
        unknown = sorted(set(limits or ()) - set(PROPERTIES))
        if unknown:
            raise PresetError(f"limits are of {', '.join(PROPERTIES)}; got {unknown[0]!r}")
        self.profile = profile
        self.run_length = run_length
        self.limits = {**LIMITS, **(limits or {})}
        # A property that no image can show (the colour of grey ones) is not watched.
        self.watched = [name for name in PROPERTIES if profile.channels == 3 or name not in ("red", "blue")]
        columns = {name: profile.good[:, PROPERTIES.index(name)] for name in self.watched}
        self._watches = {name: Watch(columns[name], seed=seed + place) for place, name in enumerate(self.watched)}
        self.middle = {name: float(np.median(column)) for name, column in columns.items()}
        self.spread = {
            name: max(1.4826 * float(np.median(np.abs(column - self.middle[name]))), LEAST[PROPERTIES.index(name)] / 2)
            for name, column in columns.items()
        }
        self._recent: dict[str, deque[tuple[int, float]]] = {name: deque(maxlen=_RECENT) for name in self.watched}
        self._alarms: dict[str, tuple[int, float]] = {}  # property -> since, evidence at its height
        self.seen = 0

    @property
    def threshold(self) -> float:
        """The evidence that is an alarm: the run length, shared by the properties and the two directions of each."""
        return self.run_length * 2.0 * len(self.watched)

    def observe(self, image: Image | Measurement, *, name: str = "an image") -> Verdict:
        """Return the verdict on the next image of the stream, or on its measurement; errors as in `measure`."""
        measured = image if isinstance(image, Measurement) else self.profile.measure(image, name=name)
        index, self.seen = self.seen, self.seen + 1
        if not measured.usable:
            what = "black" if measured.exposure < 0 else "saturated"
            return Verdict(index, "reject", self._moved(), measured, f"the image is {what}: it shows no light")
        for one in self.watched:
            if measured.comparable or one in PHOTOMETRIC or one == "glare":
                self._watch(one, getattr(measured, one), index)
        moved = self._moved()
        action: Action = max((one.action for one in moved), key=ACTIONS.index, default="none")
        return Verdict(index, action, moved, measured, _reason(moved))

    def reset(self) -> None:
        """Begin anew: after the lamp was changed, say. The profile stays."""
        for name in self.watched:
            self._watches[name].start_again()
            self._recent[name].clear()
        self._alarms.clear()

    def shift(self, name: str, *, since: int = 0) -> float:
        """Return the median of a property over the last images, at most 50, less that of the good ones; 0 for none."""
        values = [value for index, value in self._recent[name] if index >= since]
        return float(np.median(values)) - self.middle[name] if values else 0.0

    def _watch(self, name: str, value: float, index: int) -> None:
        watch, recent = self._watches[name], self._recent[name]
        watch.observe(value, index=index)
        recent.append((index, value))
        rising, falling = watch.evidence
        evidence = max(rising, falling)
        since = watch.since(rising=rising >= falling)
        if name in self._alarms:
            began, highest = self._alarms[name]
            self._alarms[name] = began, max(highest, evidence)
            last = [abs(value - self.middle[name]) for _, value in list(recent)[-_BACK:]]
            if len(last) == _BACK and index >= began + _BACK and float(np.median(last)) < self._least(name) * 2:
                del self._alarms[name]
                watch.start_again()
        elif evidence >= self.threshold and abs(self.shift(name, since=since)) >= self._least(name):
            self._alarms[name] = since, evidence
            watch.steady = False

    def _least(self, name: str) -> float:
        """Return the smallest shift that is drift, in the property's own unit."""
        least: float = LEAST[PROPERTIES.index(name)].item()
        half = 0.5 * self.spread[name]
        return least if least > half else half

    def _moved(self) -> tuple[Moved, ...]:
        found = []
        for name, (since, evidence) in self._alarms.items():
            shift = self.shift(name, since=since)
            correctable, useless = self.limits[name]
            size = abs(shift)
            action: Action = "correct" if size <= correctable else "warn" if size < useless else "reject"
            deviations = shift / self.spread[name]
            found.append(Moved(name, shift, UNITS[name], deviations, since, float(np.log10(evidence)), action))
        return tuple(sorted(found, key=lambda one: -abs(one.deviations)))


def _reason(moved: tuple[Moved, ...]) -> str:
    parts = [f"{one.property} {one.shift:+.2f} {one.unit} since image {one.since}" for one in moved]
    return "; ".join(parts)
