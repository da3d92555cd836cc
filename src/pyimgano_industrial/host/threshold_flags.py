"""The flags of the host's commands that say how a threshold is made from normal images."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.host import settings
from pyimgano_industrial.inference.calibrator import Calibrator
from pyimgano_industrial.inference.holdout import HOWS
from pyimgano_industrial.inference.thresholds import METHODS, Method

_DEFAULT = "tolerance, or quantile where --calibration-quantile is given"

# Flag -> what it sets, and how it is parsed.
_FLAGS: dict[str, tuple[str, dict[str, Any]]] = {
    "--threshold-method": ("method", {"choices": METHODS, "help": f"How. In pyimgano-infer, default: {_DEFAULT}"}),
    "--target-fpr": (
        "target_fpr",
        {
            "type": float,
            "metavar": "SHARE",
            "help": "Good images that may be flagged. Default: the model's contamination",
        },
    ),
}
_FIT_FLAGS: dict[str, tuple[str, dict[str, Any]]] = {
    "--calibrate-on": (
        "how",
        {"choices": HOWS, "help": "Images of --train-dir whose scores give the threshold. Default: held-out, a fifth"},
    ),
    "--threshold-report": (
        "report",
        {"type": Path, "metavar": "FILE", "help": "Write what the threshold promises, and its images, as JSON"},
    ),
}


class ThresholdFlagError(IndustrialError, ValueError):
    """Threshold flags that do not go together, or that nothing would listen to."""


def add(parser: argparse.ArgumentParser) -> None:
    """Add the flags to a command that calibrates, which one with --calibration-quantile does."""
    own = {option: action for action in parser._actions for option in action.option_strings}
    if "--calibration-quantile" not in own:
        return
    own["--calibration-quantile"].type = _quantile
    group = parser.add_argument_group("thresholds from normal images (pyimgano-industrial)")
    for flag, (name, options) in {**_FLAGS, **(_FIT_FLAGS if "--train-dir" in own else {})}.items():
        group.add_argument(flag, action=settings.Store, dest=settings.threshold_dest(name), **options)


def _quantile(text: str) -> float:
    """Parse the host's own flag, and remember that it was given: its default is not told apart later."""
    settings.thresholds["quantile"] = value = float(text)
    return value


def given() -> bool:
    """Return whether one of our flags was given."""
    return bool(settings.thresholds.keys() - {"quantile"})


def calibrator(quantile: float, *, otherwise: Method = "tolerance") -> Calibrator:
    """Return what the flags ask for; quantile: the host's, of which 1 - quantile is the target where none was given."""
    flags = settings.thresholds
    if "quantile" in flags and "target_fpr" in flags:
        raise ThresholdFlagError(
            f"--target-fpr {flags['target_fpr']} and --calibration-quantile {flags['quantile']} both say how many good "
            f"images may be flagged; give one of them"
        )
    method: Method = flags.get("method") or ("quantile" if "quantile" in flags else otherwise)
    return Calibrator(method=method, target_fpr=flags.get("target_fpr", round(1 - quantile, 12)))
