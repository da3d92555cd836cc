"""The chains that have a name here, as plain data; `industrial-camera-profile` is the one to begin with.

`industrial-camera-robust` is that profile, with a fit on variants of the good images in other light.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pyimgano_industrial.core.errors import UnknownNameError, closest
from pyimgano_industrial.presets.chains import Chain

CAMERA_PROFILE = {"name": "industrial-camera-profile", "steps": [{"step": "camera_profile"}]}
CAMERA_ROBUST = {"name": "industrial-camera-robust", "steps": [{"step": "camera_profile"}], "variants": "normal"}
GRAY_WORLD = {"name": "industrial-gray-world", "steps": [{"step": "gray_world"}]}
MAX_RGB = {"name": "industrial-max-rgb", "steps": [{"step": "max_rgb", "ignored": 0.001}]}
SHADES_OF_GRAY = {"name": "industrial-shades-of-gray", "steps": [{"step": "shades_of_gray"}]}
EXPOSURE = {
    "name": "industrial-exposure",
    "steps": [{"step": "match_exposure"}, {"step": "stretch_contrast", "low": 0.5, "high": 99.5, "linked": True}],
}
FLAT_LIGHT = {"name": "industrial-flat-light", "steps": [{"step": "flatten"}]}
HOMOMORPHIC = {"name": "industrial-homomorphic", "steps": [{"step": "homomorphic"}]}
RETINEX = {"name": "industrial-retinex", "steps": [{"step": "retinex"}]}
CLAHE = {"name": "industrial-clahe", "steps": [{"step": "clahe"}]}
CLEAN = {"name": "industrial-clean", "steps": [{"step": "deblock"}, {"step": "denoise"}]}
GLARE = {"name": "industrial-glare", "steps": [{"step": "mask_glare"}]}
ILLUMINATION_CONTRAST = {
    "name": "industrial-illumination-contrast",
    "steps": [
        {"step": "gray_world"},
        {"step": "homomorphic", "cutoff": 0.25, "gamma_low": 0.8, "gamma_high": 1.2},
        {"step": "clahe"},
        {"step": "stretch_contrast"},
    ],
}

CHAINS: dict[str, Mapping[str, Any]] = {
    f"{one['name']}": one
    for one in (
        CAMERA_PROFILE, CAMERA_ROBUST, GRAY_WORLD, MAX_RGB, SHADES_OF_GRAY, EXPOSURE, FLAT_LIGHT, HOMOMORPHIC, RETINEX,
        CLAHE, CLEAN, GLARE, ILLUMINATION_CONTRAST,
    )
}  # fmt: skip


def chain(preset: str | Path | Mapping[str, Any] | Chain) -> Chain:
    """Return a chain: by a name of CHAINS, from a JSON file, from plain data, or as it is.

    >>> chain("industrial-clahe").steps[0].name
    'clahe'
    """
    if isinstance(preset, Chain):
        return preset
    if isinstance(preset, Mapping):
        return Chain.from_dict(preset)
    if f"{preset}" in CHAINS:
        return Chain.from_dict(CHAINS[f"{preset}"])
    if f"{preset}".endswith(".json"):
        return Chain.load(preset)
    raise UnknownNameError(f"unknown preset {f'{preset}'!r}; {closest(f'{preset}', CHAINS)}, or a file .json")
