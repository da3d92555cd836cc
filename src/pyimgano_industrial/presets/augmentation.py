"""`industrial_camera_robust`: good images as the same camera might see them on another day, to fit detectors on.

What varies is light and camera, in the order in which it happens: a shadow, exposure and the colour of the lamp, the
lens's fall-off towards the corners, focus, the sensor's noise, the tone curve, JPEG. Nothing moves: a mask stays right.
A memory bank that has seen other light takes it for normal; what light costs without that is what the mixed split of
MVTec AD 2 was made to show (Heckler-Kram et al., arXiv 2503.21622).

OpenCV does the work. albumentations would, but its repository is archived and it installs opencv-python-headless over
the opencv-python that pyimgano brings; kornia needs torch; imagecorruptions has fixed severities and no masks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError, UnknownNameError, closest

if TYPE_CHECKING:
    from types import ModuleType

Strength = Literal["mild", "normal", "harsh"]

_TONE = 2.2  # samples are this root of light, about as sRGB says
_PEAK = {np.dtype(np.uint8): 255.0, np.dtype(np.uint16): 65535.0, np.dtype(np.float32): 1.0}
_OFTEN = 0.5  # chance of each effect


class AugmentationError(IndustrialError, ValueError):
    """An image or a setting that cannot be augmented."""


@dataclass(frozen=True)
class Ranges:
    """How far each effect goes, drawn evenly between none and this.

    exposure: stops, darker or brighter. gain: share by which red and blue move apart. gamma: change of the exponent,
    as a share. vignette: share of light lost in the corners. shadow: share of light lost inside it. blur: sigma in
    pixels of an image with 1024 pixels along its diagonal, in proportion for others. noise: standard deviation as a
    share of full scale. jpeg: quality, the lowest.
    """

    exposure: float
    gain: float
    gamma: float
    vignette: float
    shadow: float
    blur: float
    noise: float
    jpeg: int


STRENGTHS: dict[Strength, Ranges] = {
    "mild": Ranges(exposure=0.2, gain=0.04, gamma=0.06, vignette=0.1, shadow=0.1, blur=0.4, noise=0.006, jpeg=85),
    "normal": Ranges(exposure=0.5, gain=0.1, gamma=0.15, vignette=0.25, shadow=0.25, blur=0.8, noise=0.015, jpeg=60),
    "harsh": Ranges(exposure=1.0, gain=0.2, gamma=0.35, vignette=0.5, shadow=0.5, blur=1.6, noise=0.04, jpeg=25),
}


@dataclass(frozen=True)
class CameraRobust:
    """The augmentation; the same seed and index always give the same image.

    strength: mild, normal or harsh. chance: of each effect, 0..1. ranges: of its own in place of a strength's

    >>> image = np.full((8, 8, 3), 128, np.uint8)
    >>> CameraRobust("mild", seed=3)(image, index=0).shape
    (8, 8, 3)
    """

    strength: Strength = "normal"
    seed: int = 0
    chance: float = _OFTEN
    ranges: Ranges | None = field(default=None)

    def __post_init__(self) -> None:
        if self.strength not in get_args(Strength):
            raise UnknownNameError(
                f"strength must be one of mild, normal, harsh; got {self.strength!r}: "
                f"{closest(self.strength, get_args(Strength))}"
            )
        if not 0 <= self.chance <= 1:
            raise AugmentationError(f"chance must be in 0..1, the share of images with an effect; got {self.chance}")

    def __call__(self, image: NDArray[Any], *, index: int = 0) -> NDArray[Any]:
        """Return the image as another day might show it, of the same shape and dtype; masks need no change.

        image: (H, W) or (H, W, 3), uint8, uint16 or float32 in 0..1; index: which of the endless variants.
        Raises AugmentationError for other arrays.
        """
        _check(image)
        most = self.ranges or STRENGTHS[self.strength]
        peak = np.float32(_PEAK[image.dtype])
        light = _cv2().pow(image.astype(np.float32) / peak, _TONE).reshape(image.shape)
        for effect, apply in _ON_LIGHT.items():
            rng = self._draws(effect, index)
            light = light if rng is None else apply(light, most, rng)
        rng = self._draws("gamma", index)
        exponent = (1 if rng is None else 1 + rng.uniform(-most.gamma, most.gamma)) / _TONE
        toned = np.clip(_cv2().pow(np.clip(light, 0, 1), exponent).reshape(image.shape), 0, 1)
        rng = self._draws("jpeg", index)
        if rng is not None:
            toned = np.clip(_jpeg(toned, rng.integers(most.jpeg, 96).item()), 0, 1)
        result: NDArray[Any] = (toned * peak).astype(np.float32)
        return np.rint(result).astype(image.dtype) if peak > 1 else result

    def _draws(self, effect: str, index: int) -> np.random.Generator | None:
        """Return what an effect draws its numbers from, None where it is not used; no effect changes another's."""
        rng = np.random.default_rng((self.seed, index, *effect.encode()))
        return rng if rng.random() < self.chance else None


def industrial_camera_robust(
    image: NDArray[Any], *, strength: Strength = "normal", seed: int = 0, index: int = 0
) -> NDArray[Any]:
    """Return `CameraRobust(strength, seed)(image, index=index)`."""
    return CameraRobust(strength, seed)(image, index=index)


# The effects, each on light (H, W[, 3]) float32: what it does at most, and its own numbers to draw from.


def _shadow(light: NDArray[Any], most: Ranges, rng: np.random.Generator) -> NDArray[Any]:
    """Darken one side of a soft straight edge."""
    height, width = light.shape[:2]
    angle, across = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 0.8)
    rows, columns = np.ogrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    side = (columns - across) * np.cos(angle) + (rows - across) * np.sin(angle)
    covered = 1 / (1 + np.exp(-side / rng.uniform(0.02, 0.15)))
    shaded: NDArray[Any] = light * _over(light, 1 - rng.uniform(0, most.shadow) * covered)
    return shaded


def _exposure(light: NDArray[Any], most: Ranges, rng: np.random.Generator) -> NDArray[Any]:
    lit: NDArray[Any] = light * np.float32(2 ** rng.uniform(-most.exposure, most.exposure))
    return lit


def _gain(light: NDArray[Any], most: Ranges, rng: np.random.Generator) -> NDArray[Any]:
    """Make the lamp warmer or colder, with a little green or magenta; grey images have no colour."""
    if light.ndim == 2:
        return light
    warm, green = rng.uniform(-most.gain, most.gain), rng.uniform(-most.gain, most.gain) / 3
    return light * np.array([1 + warm, 1 + green, 1 - warm], np.float32)


def _vignette(light: NDArray[Any], most: Ranges, rng: np.random.Generator) -> NDArray[Any]:
    """Take light from the corners as the fourth power of the cosine does, about a centre that may lie off."""
    height, width = light.shape[:2]
    row, column = rng.uniform(-0.15, 0.15, 2)
    rows, columns = np.ogrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    squared = ((rows - row) ** 2 + (columns - column) ** 2) / 2
    lost = rng.uniform(0, most.vignette)
    darker: NDArray[Any] = light * _over(light, 1 / (1 + squared * ((1 - lost) ** -0.5 - 1)) ** 2)
    return darker


def _blur(light: NDArray[Any], most: Ranges, rng: np.random.Generator) -> NDArray[Any]:
    sigma = rng.uniform(0, most.blur) * np.hypot(*light.shape[:2]).item() / 1024
    blurred: NDArray[Any] = light if sigma < 0.1 else _cv2().GaussianBlur(light, (0, 0), sigma).reshape(light.shape)
    return blurred


def _noise(light: NDArray[Any], most: Ranges, rng: np.random.Generator) -> NDArray[Any]:
    """Add noise that grows with the root of the light, as photons arrive, and a part that is always there."""
    share = rng.uniform(0, most.noise) * _TONE  # of samples near the middle
    deviation = share * np.sqrt(0.1 + 0.9 * np.clip(light, 0, None)) / 2
    noisy: NDArray[Any] = light + deviation * rng.standard_normal(light.shape, np.float32)
    return noisy


_ON_LIGHT: dict[str, Callable[[NDArray[Any], Ranges, np.random.Generator], NDArray[Any]]] = {
    "shadow": _shadow,
    "exposure": _exposure,
    "gain": _gain,
    "vignette": _vignette,
    "blur": _blur,
    "noise": _noise,
}


def _jpeg(samples: NDArray[Any], quality: int) -> NDArray[Any]:
    """Add what JPEG changes in the 8-bit image; samples keep the bits that 8 do not hold."""
    cv2 = _cv2()
    turned = samples[..., ::-1] if samples.ndim == 3 else samples  # OpenCV wants BGR
    eight = np.rint(turned * 255).astype(np.uint8)
    encoded = cv2.imencode(".jpg", eight, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_UNCHANGED).reshape(samples.shape)
    change = (decoded.astype(np.float32) - eight) / np.float32(255)
    changed: NDArray[Any] = samples + (change[..., ::-1] if samples.ndim == 3 else change)
    return changed


def _over(light: NDArray[Any], field: NDArray[Any]) -> NDArray[Any]:
    """Return a field (H, W) in the shape that multiplies the light."""
    field = field.astype(np.float32)
    return field if light.ndim == 2 else field[..., None]


def _check(image: NDArray[Any]) -> None:
    if image.dtype not in _PEAK or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise AugmentationError(
            f"an image must be (H, W) or (H, W, 3), uint8, uint16 or float32 in 0..1; got {image.shape} {image.dtype}: "
            f"convert it"
        )
    if not image.size:
        raise AugmentationError(f"an image must have pixels; got shape {image.shape}")
    if image.dtype == np.float32 and not (np.isfinite(image).all() and image.min() >= 0 and image.max() <= 1):
        raise AugmentationError("float32 samples must be finite and in 0..1; scale the image")


def _cv2() -> ModuleType:
    import cv2

    return cv2
