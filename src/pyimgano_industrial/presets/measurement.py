"""The properties of an image that a profile watches, in the units of a photographer."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from pyimgano_industrial.presets.light_model import Light


@dataclass(frozen=True)
class Measurement:
    """What one image shows beside a profile. A stop is a factor of two.

    exposure:     stops brighter than the profile
    red, blue:    stops that the channel is brighter than the mean of the channels, beside the profile; 0 for grey
    contrast:     log2 of the exponent that turns the profile's values into the image's: above 0 is harder
    illumination: stops between the brightest and the darkest place of the light, beside the profile's
    glare:        share of pixels next to full scale, 0..1
    noise:        standard deviation, grey levels of 255, as it is once the exposure is brought back
    sharpness:    log2 of fine over middling contrast
    compression:  log2 of the steps at the borders of 8 x 8 blocks over those elsewhere
    usable:       False for an image that shows no light: black, saturated or next to it. Its exposure is then -8 or 8
    comparable:   False where the image has another size than those of the profile: noise, sharpness and compression are
                  then measured at another scale, and a monitor leaves them out
    """

    exposure: float
    red: float
    blue: float
    contrast: float
    illumination: float
    glare: float
    noise: float
    sharpness: float
    compression: float
    usable: bool = True
    comparable: bool = True

    def values(self) -> tuple[float, ...]:
        """Return the properties in the order of PROPERTIES."""
        return tuple(getattr(self, name) for name in PROPERTIES)

    def to_dict(self) -> dict[str, float | bool]:
        """Return plain data for JSON."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


PROPERTIES = (
    "exposure",
    "red",
    "blue",
    "contrast",
    "illumination",
    "glare",
    "noise",
    "sharpness",
    "compression",
)
UNITS = {
    "exposure": "stops",
    "red": "stops",
    "blue": "stops",
    "contrast": "log2",
    "illumination": "stops",
    "glare": "share",
    "noise": "levels",
    "sharpness": "log2",
    "compression": "log2",
}
PHOTOMETRIC = PROPERTIES[:5]  # what CameraProfile.correct can undo


def photometric(light: Light) -> dict[str, float]:
    """Return what the light of an image is, seen from the profile: the reverse of what maps it there."""
    stops = 1 / np.log(2)
    colour = len(light.gains) == 3
    return {
        "exposure": -light.exposure * stops,
        "red": -light.white[0] * stops if colour else 0.0,
        "blue": -light.white[2] * stops if colour else 0.0,
        "contrast": -float(np.log2(light.exponent)),
        "illumination": light.swing * stops,
    }
