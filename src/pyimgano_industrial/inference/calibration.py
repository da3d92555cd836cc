"""A threshold together with what it promises: printed, pickled, written as JSON and into the host's infer_config."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

from pyimgano_industrial.core.errors import IndustrialError, closest
from pyimgano_industrial.core.tolerance import smallest_rate
from pyimgano_industrial.inference.changes import ThresholdChange, followed, stated
from pyimgano_industrial.inference.thresholds import METHODS, PROMISES, Method, Promise

Source = Literal["held-out", "validation", "out-of-fold", "train"]
SOURCES: tuple[Source, ...] = get_args(Source)
Level = Literal["image", "pixel"]
Per = Literal["images", "pixels"]

_SCORED = {
    "held-out": "that were kept back from fitting",
    "validation": "of the validation split",
    "out-of-fold": "each scored by a detector fitted on the others",
    "train": "that the detector was fitted on",
}


class CalibrationError(IndustrialError, ValueError):
    """Scores or settings from which no threshold can be made."""


@dataclass(frozen=True)
class Calibration:
    """A threshold and the promise that goes with it; rates are shares, 0..1.

    threshold:    what is above it is flagged; a pixel threshold also holds where pixels equal to it are flagged
    method, target_fpr, confidence: how it was made, and which share of false alarms was asked for
    promise:      "proven" with that confidence, "on average", "estimated", "extrapolated" or "refused"
    expected_fpr: the share that the method expects; fpr_low, fpr_high: bounds that each hold with that confidence
                  whatever the distribution of the scores
    images:       the number of normal images that it rests on; names: theirs, where they were given
    source:       where the scores came from: "held-out", "validation", "out-of-fold" or "train"
    level:        what the threshold is for, an "image" score or a "pixel" of a map; per: whether the rate counts
                  "images" or "pixels"; area: flagged pixels that a normal image may have, where a pixel threshold
                  counts images
    caveats:      what was warned of
    changes:      the log, oldest first: each threshold before this one, and this one, with date, method and images

    `print(calibration)` says it in a sentence or two.
    """

    threshold: float
    method: Method
    target_fpr: float
    confidence: float
    promise: Promise
    expected_fpr: float
    fpr_low: float
    fpr_high: float
    images: int
    source: Source
    level: Level = "image"
    per: Per = "images"
    area: int = 0
    names: tuple[str, ...] = ()
    caveats: tuple[str, ...] = ()
    changes: tuple[ThresholdChange, ...] = field(default=(), compare=False)

    @property
    def provable_fpr(self) -> float:
        """The smallest share of false alarms that this number of images can show, whatever the threshold."""
        return smallest_rate(self.images, confidence=self.confidence)

    def __str__(self) -> str:
        said = "".join(f" But {caveat}." for caveat in self.caveats)
        return f"{self._rests_on()} {self._promises()} {self._expects()}{said}"

    def after(self, earlier: Calibration | float | None) -> Calibration:
        """Return this calibration with the log going on from an earlier one, or from a bare threshold."""
        if earlier is None or not self.changes:
            return self
        log, old = ((), earlier) if isinstance(earlier, (int, float)) else (earlier.changes, earlier.threshold)
        return replace(self, changes=followed(log, replace(self.changes[-1], old=float(old))))

    def at(self, threshold: float) -> Calibration:
        """Return this calibration with another threshold, in the log, too."""
        log = self.changes and (*self.changes[:-1], replace(self.changes[-1], new=threshold))
        return replace(self, threshold=threshold, changes=log)

    def apply(self, detector: Any) -> None:
        """Set `threshold_` of a detector, and leave this with its log as `calibration_`; for image scores only."""
        if self.level != "image":
            raise CalibrationError("apply sets the threshold of image scores; this one is for the pixels of a map")
        detector.calibration_ = self.after(in_force(detector))
        detector.threshold_ = self.threshold

    # JSON, and the host's infer_config.

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON; `from_dict` reads it back."""
        lists = {"names": list(self.names), "caveats": list(self.caveats)}
        return {**asdict(self), **lists, "changes": [one.to_dict() for one in self.changes]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Calibration:
        """Return the calibration that `to_dict` wrote; raises CalibrationError naming what is missing or unknown."""
        known = {field.name for field in fields(cls)}
        unknown = sorted(data.keys() - known)
        if unknown:
            raise CalibrationError(f"a calibration has no entry {unknown[0]!r}; {closest(unknown[0], known)}")
        missing = sorted(_REQUIRED - data.keys())
        if missing:
            raise CalibrationError(f"a calibration needs the entries {', '.join(missing)}; they are missing")
        for name, choices in _CHOICES.items():
            if data.get(name, choices[0]) not in choices:
                raise CalibrationError(f"{name} must be one of {', '.join(choices)}; got {data[name]!r}")
        lists = {name: tuple(data.get(name, ())) for name in ("names", "caveats")}
        log = tuple(ThresholdChange.from_dict(one) for one in data.get("changes", ()))
        return cls(**{**data, **lists, "changes": log})

    def provenance(self) -> dict[str, Any]:
        """Return what the host calls a threshold's provenance, with all of this under "calibration"."""
        return {
            "method": self.method,
            "source": self.source,
            "quantile": 1 - self.target_fpr,
            "calibration_count": self.images,
            "calibration": self.to_dict(),
        }

    def into(self, infer_config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the host's infer_config, what infer_config.json holds, with this threshold, its provenance and log."""
        found = copy.deepcopy(dict(infer_config))
        place, name = (found, "threshold") if self.level == "image" else (found.get("defects") or {}, "pixel_threshold")
        provenance = self.after(self.from_infer_config(found, level=self.level) or place.get(name)).provenance()
        if self.level == "pixel":
            found["defects"] = {
                **place, "pixel_threshold": self.threshold, "pixel_threshold_provenance": provenance
            }  # fmt: skip
            _set_in(found, "pixel_threshold", {"threshold": self.threshold})
            return found
        found.update(threshold=self.threshold, threshold_provenance=provenance)
        _set_in(found, "image_threshold", {"threshold": self.threshold, "provenance": provenance})
        return found

    @classmethod
    def from_infer_config(cls, infer_config: Mapping[str, Any], *, level: Level = "image") -> Calibration | None:
        """Return the calibration that `into`, or pyimgano-train, left in an infer_config; None where there is none."""
        place = infer_config if level == "image" else infer_config.get("defects") or {}
        name = "threshold_provenance" if level == "image" else "pixel_threshold_provenance"
        provenance = place.get(name) or {}
        # pyimgano-train passes on its summary of the scores, and ours with it.
        data = provenance.get("calibration") or (provenance.get("score_summary") or {}).get("calibration")
        return None if data is None else cls.from_dict(data)

    # The sentences of __str__.

    def _rests_on(self) -> str:
        what = "Threshold" if self.level == "image" else "Pixel threshold"
        return f"{what} {self.threshold:.6g} ({self.method}), from {self.images} good images {_SCORED[self.source]}."

    def _promises(self) -> str:
        share = f"{percent(self.target_fpr)} of {self._counted()} flagged"
        asked = f"at most {share}"
        sure = f"{percent(self.confidence)} confidence"
        if self.promise == "refused":
            return f"It does not promise {asked}."
        return {
            "proven": f"It promises {asked}, with {sure}.",
            "on average": f"It promises {asked} on average over many such sets of images, not for this one.",
            "estimated": f"It aims at {share} and does not promise it.",
            "extrapolated": f"It aims at {share} and extrapolates: it holds if the scores have the assumed shape.",
        }[self.promise]

    def _expects(self) -> str:
        return (
            f"Expected {percent(self.expected_fpr)}; at least {percent(self.fpr_low)} and at most "
            f"{percent(self.fpr_high)}, each with {percent(self.confidence)} confidence."
        )

    def _counted(self) -> str:
        if self.per == "pixels":
            return "the pixels of good images"
        few = f" with more than {self.area} such pixels" if self.area else " with any such pixel"
        return "good images" if self.level == "image" else f"good images{few}"


_REQUIRED = {field.name for field in fields(Calibration)} - {"level", "per", "area", "names", "caveats", "changes"}
_CHOICES: dict[str, tuple[str, ...]] = {
    "level": get_args(Level),
    "per": get_args(Per),
    "method": METHODS,
    "promise": PROMISES,
    "source": SOURCES,
}


def in_force(detector: Any) -> Calibration | float | None:
    """Return what a detector's threshold rests on, else the bare threshold, else None."""
    threshold = getattr(detector, "threshold_", None)
    if threshold is None or not math.isfinite(threshold):
        return None
    known = getattr(detector, "calibration_", None)
    if isinstance(known, Calibration):
        if known.threshold == threshold:
            return known
        log = (*known.changes, stated(float(threshold), old=known.threshold))  # somebody has set it since
        return replace(known, threshold=float(threshold), changes=log)
    return float(threshold)


def percent(rate: float) -> str:
    """Return a share in percent for people.

    >>> percent(0.05), percent(0.00123)
    ('5 %', '0.123 %')
    """
    return f"{100 * rate:.3g} %"


def _set_in(infer_config: dict[str, Any], name: str, values: Mapping[str, Any]) -> None:
    """Keep the host's second copy of the threshold, under "postprocess", like the first where it has one."""
    place = (infer_config.get("postprocess") or {}).get(name)
    if place is not None:
        place.update(values)
