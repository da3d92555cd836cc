"""The steps that a chain is made of: by name, with the options that each takes, checked before an image comes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from pyimgano_industrial.core.errors import UnknownNameError, closest
from pyimgano_industrial.presets import detail, light, tone, white
from pyimgano_industrial.presets.curves import Estimate
from pyimgano_industrial.presets.pixels import Image, PresetError

STEPS: dict[str, Callable[..., Image]] = {
    "clahe": tone.clahe,
    "deblock": detail.deblock,
    "denoise": detail.denoise,
    "flatten": light.flatten,
    "gamma": tone.gamma,
    "gray_world": white.gray_world,
    "homomorphic": light.homomorphic,
    "mask_glare": detail.mask_glare,
    "mask_roi": detail.mask_roi,
    "match_exposure": tone.match_exposure,
    "match_sharpness": detail.match_sharpness,
    "max_rgb": white.max_rgb,
    "reference_white": white.reference_white,
    "retinex": light.retinex,
    "shades_of_gray": white.shades_of_gray,
    "stretch_contrast": tone.stretch_contrast,
}
# Steps that the histogram decides: neighbours among them are fused.
_CURVES: dict[str, Callable[..., Any]] = {
    "gray_world": white.gray_world_curve,
    "match_exposure": tone.match_exposure_curve,
    "max_rgb": white.max_rgb_curve,
    "shades_of_gray": white.shades_of_gray_curve,
    "stretch_contrast": tone.stretch_contrast_curve,
}
_PROBE = np.full((8, 8, 3), 128, np.uint8)
_NEEDS_THE_IMAGE = ("mask_roi", "reference_white")  # whose options are places in it


@dataclass(frozen=True)
class Step:
    """One step of a chain: a name of STEPS and its options, plain data.

    >>> Step("gamma", {"gamma": 0.5})(np.full((1, 1), 64, np.uint8)).item()
    128
    """

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.name not in STEPS:
            raise UnknownNameError(f"unknown step {self.name!r}; {closest(self.name, STEPS)}")
        known = inspect.signature(STEPS[self.name]).parameters
        for option in self.options:
            if option == "image" or option not in known:
                takes = ", ".join(name for name in known if name != "image") or "none"
                raise PresetError(f"step {self.name!r} has no option {option!r}; it takes {takes}")
        needed = [
            name for name, one in known.items() if one.default is one.empty and name not in ("image", *self.options)
        ]
        if needed:
            raise PresetError(f"step {self.name!r} needs the option {', '.join(needed)}; got {dict(self.options)}")
        if self.name not in _NEEDS_THE_IMAGE:
            try:
                self(_PROBE)
            except TypeError as error:
                raise PresetError(f"step {self.name!r} cannot take {dict(self.options)}: {error}") from error

    def __call__(self, image: Image) -> Image:
        """Return the image after the step."""
        return STEPS[self.name](image, **self.options)

    @property
    def curve(self) -> Estimate | None:
        """What the step does to a sample, given the histogram; None for a step that needs more of the image."""
        if self.name == "gamma":
            return tone.gamma_curve(**self.options)
        return partial(_CURVES[self.name], **self.options) if self.name in _CURVES else None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"step": self.name, **self.options}
