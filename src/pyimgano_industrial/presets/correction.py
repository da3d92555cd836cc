"""The change that brings an image back: nothing within what good images differ by, all of it well beyond."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.presets.curves import look_up, scaled
from pyimgano_industrial.presets.light_model import Light, still, surface
from pyimgano_industrial.presets.measurement import PHOTOMETRIC, photometric
from pyimgano_industrial.presets.pixels import FULL_SCALE, Image, PresetError

_FIELD_SIDE = 33  # points on a side at which the field is computed; it is interpolated between them


@dataclass(frozen=True)
class Scales:
    """How far the light of good images differs: standard deviations of natural logarithms, from the 90 % quantile.

    The fewer the images, the wider: 95 % of all good images lie within two of these with 95 % confidence (Howe,
    Two-sided Tolerance Limits for Normal Populations, 1969). field: of each of the five coefficients.
    """

    exposure: float
    white: float
    contrast: float
    field: tuple[float, ...]

    @classmethod
    def of(cls, lights: Sequence[Light]) -> Scales:
        """Take them from the light of good images, none below what cannot be seen."""
        wider = tolerance_factor(len(lights)) / 1.96

        def spread(values: Any, least: float) -> float:
            return max(wider * float(np.quantile(np.abs(values), 0.9)) / 1.645, least)

        fields = np.stack([light.field for light in lights])
        return cls(
            spread([light.exposure for light in lights], 0.01),
            spread(np.concatenate([light.white for light in lights]), 0.005),
            spread([np.log(light.exponent) for light in lights], 0.01),
            tuple(spread(column, 0.01) for column in fields.T),
        )


def tolerance_factor(count: int) -> float:
    """Return by how many standard deviations of `count` numbers 95 % of all lie within, with 95 % confidence."""
    from scipy.special import chdtri  # the host brings SciPy; importing it takes longer than this room

    free = max(count - 1, 1)
    fifth = chdtri(free, 0.95)  # the 5 % quantile of chi squared
    return float(1.96 * np.sqrt(free * (1 + 1 / count) / fifth))


def least_change(light: Light, scales: Scales, *, tolerance: tuple[float, float]) -> Light:
    """Return the part of a light to apply: none up to the first tolerance, all from the second, in between by and by.

    tolerance: in standard deviations of good images. Exposure, white balance, contrast and field are judged alone.
    Firm shrinkage: Gao and Bruce, WaveShrink with Firm Shrinkage, 1997.
    """
    low, high = tolerance
    if not 0 <= low <= high:
        raise PresetError(
            f"tolerance must be two numbers of standard deviations, 0 <= first <= second; got {tolerance}"
        )
    exposure = _firm(np.array([light.exposure / scales.exposure]), low, high)
    white = _firm(light.white / scales.white, low, high)
    contrast = _firm(np.array([np.log(light.exponent) / scales.contrast]), low, high)
    field = _firm(light.field / np.array(scales.field), low, high)
    return Light(
        exposure * light.exposure + white * light.white,
        light.exponent**contrast,
        field * light.field,
    )


def _firm(deviations: NDArray[np.float64], low: float, high: float) -> float:
    """Return the share of a change to apply, from its deviations in standard deviations."""
    size = float(np.sqrt(np.square(deviations).mean()))
    if size <= low and low > 0:
        return 0.0
    return 1.0 if size >= high else (size - low) * high / (size * (high - low))


def apply_light(image: Image, change: Light, *, pivot: float) -> Image:
    """Return an image with a light applied to it; the same samples where the light changes nothing.

    pivot: the natural logarithm of the value, as a part of full scale, at which the exponent changes nothing.
    """
    has_field = bool(np.any(change.field))
    if not has_field and not np.any(change.gains) and change.exponent == 1:
        return image.copy()
    scale = FULL_SCALE[f"{image.dtype}"]
    values = np.linspace(0, 1, 256 if image.dtype == np.uint8 else 65536)
    factors = np.exp(change.gains + pivot * (1 - change.exponent))
    table = factors[:, None] * values**change.exponent * scale
    if has_field:
        return scaled(
            image, np.exp(surface(change.field, _FIELD_SIDE)).astype(np.float32), table=table.astype(np.float32)
        )
    if scale == 1:
        return scaled(image, np.ones((1, 1), np.float32), table=table.astype(np.float32))
    return look_up(image, np.rint(np.clip(table, 0, scale)).astype(image.dtype))


@dataclass(frozen=True)
class Correction:
    """What `CameraProfile.correct` found and did.

    light: what would bring the image to the middle of the good ones; applied: what was applied of it
    pivot: see `apply_light`; note: why something was left out, else empty
    """

    light: Light
    applied: Light
    pivot: float = 0.0
    note: str = ""

    @classmethod
    def none(cls, channels: int, *, note: str) -> Correction:
        """Return a correction that does nothing, and says why."""
        return cls(still(channels), still(channels), note=note)

    @property
    def changed(self) -> bool:
        """Whether any sample may have changed."""
        return bool(np.any(self.applied.gains) or np.any(self.applied.field) or self.applied.exponent != 1)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data: what was found, what of it was taken out, in the units of `Measurement`."""
        found, undone = photometric(self.light), photometric(self.applied)
        return {"found": found, "undone": undone, "changed": self.changed, "note": self.note}

    def __str__(self) -> str:
        undone = photometric(self.applied)
        parts = [f"{name} {undone[name]:+.2f}" for name in PHOTOMETRIC if abs(undone[name]) >= 0.005]
        said = f"taken out: {', '.join(parts)} stops" if parts else "nothing taken out"
        return f"{said} ({self.note})" if self.note else said
