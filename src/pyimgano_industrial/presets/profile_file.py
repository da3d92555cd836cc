"""Profiles on disk: NAME.json with what a person reads, NAME.npz with the arrays, and a version."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.files import written
from pyimgano_industrial.presets.measurement import PROPERTIES, UNITS

if TYPE_CHECKING:
    from pyimgano_industrial.presets.profile import CameraProfile

FORMAT = "pyimgano-industrial camera profile"
VERSION = 1
_ARRAYS = ("cells", "cells_spread", "levels", "levels_spread")


def save(profile: CameraProfile, path: Path) -> None:
    """Write a profile; `path` ends in .json."""
    _check_name(path)
    arrays = {name: getattr(profile.reference, name) for name in _ARRAYS}
    buffer = io.BytesIO()
    np.savez_compressed(buffer, good=profile.good, **arrays)
    data = buffer.getvalue()
    low, middle, high = np.quantile(profile.good, (0.05, 0.5, 0.95), axis=0)
    content = {
        "format": FORMAT,
        "version": VERSION,
        "dtype": profile.dtype,
        "channels": profile.channels,
        "height": list(profile.sizes[0]),
        "width": list(profile.sizes[1]),
        "images": len(profile.good),
        "left_out": list(profile.left_out),
        "scales": {
            "exposure": profile.scales.exposure,
            "white": profile.scales.white,
            "contrast": profile.scales.contrast,
            "field": list(profile.scales.field),
        },
        "good_images": {
            name: {"low": low[index], "median": middle[index], "high": high[index], "unit": UNITS[name]}
            for index, name in enumerate(PROPERTIES)
        },
        "arrays": {"file": _beside(path).name, "sha256": hashlib.sha256(data).hexdigest()},
    }
    with written(_beside(path)) as spare, written(path) as spare_text:  # an interruption leaves both as they were
        spare.write_bytes(data)
        spare_text.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def load(path: Path) -> CameraProfile:
    """Read a profile."""
    from pyimgano_industrial.presets.correction import Scales
    from pyimgano_industrial.presets.light_model import Reference
    from pyimgano_industrial.presets.profile import CameraProfile, ProfileError

    _check_name(path)
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ProfileError(f"profile not found: {path}; `pyimgano-industrial drift --fit` makes one") from error
    except (OSError, ValueError) as error:
        raise ProfileError(f"{path} is no profile: {error}") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ProfileError(f"{path} is no profile: it must say {FORMAT!r} under 'format'")
    if content.get("version") != VERSION:
        raise ProfileError(
            f"this version reads profiles of version {VERSION}; {path} has {content.get('version')!r}: fit it again"
        )
    arrays = _arrays(path, content)
    try:
        scales = content["scales"]
        return CameraProfile(
            dtype=content["dtype"],
            channels=content["channels"],
            sizes=((content["height"][0], content["height"][1]), (content["width"][0], content["width"][1])),
            reference=Reference(*(arrays[name] for name in _ARRAYS)),
            scales=Scales(scales["exposure"], scales["white"], scales["contrast"], tuple(scales["field"])),
            good=arrays["good"],
            left_out=tuple(content["left_out"]),
        )
    except (KeyError, IndexError, TypeError) as error:
        raise ProfileError(f"{path} is damaged ({type(error).__name__}: {error}): fit it again") from error


def _arrays(path: Path, content: dict[str, Any]) -> dict[str, NDArray[np.float64]]:
    from pyimgano_industrial.presets.profile import ProfileError

    beside = _beside(path)
    try:
        data = beside.read_bytes()
    except OSError as error:
        raise ProfileError(f"{path} needs {beside.name} beside it: copy both files") from error
    if hashlib.sha256(data).hexdigest() != content.get("arrays", {}).get("sha256"):
        raise ProfileError(f"{beside} does not belong to {path.name}: copy both files of one profile")
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as file:
            return {name: file[name] for name in file.files}
    except (ValueError, zipfile.BadZipFile) as error:
        raise ProfileError(f"{beside} is damaged: fit the profile again") from error


def _check_name(path: Path) -> None:
    from pyimgano_industrial.presets.profile import ProfileError

    if path.suffix != ".json":
        raise ProfileError(f"a profile's name must end in .json; got {path}")


def _beside(path: Path) -> Path:
    return path.with_suffix(".npz")
