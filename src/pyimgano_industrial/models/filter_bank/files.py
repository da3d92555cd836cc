"""A fitted filter bank as two files: PATH.npz with its arrays and PATH.json with its options; neither is a pickle."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from pyimgano_industrial.core.files import written
from pyimgano_industrial.models.filter_bank.detector import FilterBank, FilterBankError
from pyimgano_industrial.models.filter_bank.level import Level
from pyimgano_industrial.models.filter_bank.memory import Whitening
from pyimgano_industrial.models.filter_bank.place import Places
from pyimgano_industrial.models.filter_bank.scores import Normal

_FORMAT = "pyimgano-industrial filter bank 2"
_OPTIONS = ("configuration", "mode", "contamination", "folds", "seed")
_PLACES = ("mean", "spread", "examples")
_FITTED = ("mode_", "explained_", "threshold_")


def save(detector: FilterBank, path: Path) -> None:
    """Write both files, each in one step, so that an interrupted run leaves the former ones."""
    if detector._normal is None:
        raise FilterBankError("a filter bank must be fitted before it is saved; call fit with normal images")
    arrays: dict[str, Any] = {
        "scores": detector.decision_scores_,
        "normal.mean": detector._normal.mean,
        "normal.spread": detector._normal.spread,
    }
    if detector.roi is not None:
        arrays["roi"] = np.asarray(detector.roi)
    for number, level in enumerate(detector._levels):
        arrays |= {
            f"{number}.centre": level.whitening.centre,
            f"{number}.projection": level.whitening.projection,
            f"{number}.usual": level.usual,
        }
        if isinstance(level.normal, Places):
            arrays |= {f"{number}.{name}": getattr(level.normal, name) for name in _PLACES}
            arrays[f"{number}.examples"] = level.normal.examples.astype(np.float16)
        else:
            arrays[f"{number}.bank"] = level.normal
    told = {
        "format": _FORMAT,
        "options": {name: getattr(detector, name) for name in _OPTIONS},
        "fitted": {name: getattr(detector, name) for name in _FITTED},
        "levels": [{"side": level.side} for level in detector._levels],
    }
    npz, text = _paths(path)
    with written(npz) as spare, spare.open("wb") as file:
        np.savez_compressed(file, **arrays)
    with written(text) as spare:
        spare.write_text(json.dumps(told, indent=2), encoding="utf-8")


def load(path: Path) -> FilterBank:
    """Read both files; raises FilterBankError, naming the file, when one is missing or not from `save`."""
    npz, text = _paths(path)
    try:
        told = json.loads(text.read_text(encoding="utf-8"))
        with np.load(npz, allow_pickle=False) as stored:
            arrays = dict(stored)
        if told["format"] != _FORMAT:
            raise FilterBankError(f"the format of {text} must be {_FORMAT!r}; got {told['format']!r}: save it anew")
        return _restored(told, arrays)
    except FilterBankError:
        raise
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        raise FilterBankError(
            f"a saved filter bank is two files of one name, {npz.name} and {text.name}, as save wrote them; cannot "
            f"read them in {npz.parent}: {type(error).__name__}: {error}"
        ) from error


def _restored(told: dict[str, Any], arrays: dict[str, Any]) -> FilterBank:
    detector = FilterBank(**told["options"], roi=arrays.get("roi"))
    for name in _FITTED:
        setattr(detector, name, told["fitted"][name])
    detector.decision_scores_ = arrays["scores"]
    detector._normal = Normal(arrays["normal.mean"], arrays["normal.spread"])
    detector._levels = tuple(_level(number, one["side"], arrays) for number, one in enumerate(told["levels"]))
    return detector


def _level(number: int, side: int, arrays: dict[str, Any]) -> Level:
    own = {name.removeprefix(f"{number}."): array for name, array in arrays.items() if name.startswith(f"{number}.")}
    normal = own["bank"] if "bank" in own else Places(*(own[name].astype(np.float32) for name in _PLACES))
    return Level(side, Whitening(own["centre"], own["projection"]), normal, own["usual"])


def _paths(path: Path) -> tuple[Path, Path]:
    stem = path.name.removesuffix(".npz").removesuffix(".json")
    return path.with_name(f"{stem}.npz"), path.with_name(f"{stem}.json")
