"""Drifts of a camera line for measuring: eight kinds at five strengths, made by other means than any correction.

A drift is a state of the line, the same for every image: a lamp that ages, a lens that is touched. All is computed in
float64 on light (samples to the power 2.2) with numpy, SciPy and Pillow; presets work with OpenCV on samples.
"""

from __future__ import annotations

import io
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError, UnknownNameError, closest

Drift = Literal["gain", "gamma", "white_balance", "vignette", "glare", "blur", "noise", "jpeg"]
DRIFTS: tuple[Drift, ...] = get_args(Drift)
PHOTOMETRIC: tuple[Drift, ...] = ("gain", "gamma", "white_balance", "vignette")
STRENGTHS = (1, 2, 3, 4, 5)

# What each strength means, from hardly visible to a line that should stop.
LEVELS: dict[Drift, tuple[float, ...]] = {
    "gain": (0.15, 0.3, 0.5, 0.75, 1.0),  # stops of exposure
    "gamma": (1.1, 1.2, 1.35, 1.5, 1.75),  # exponent of the samples
    "white_balance": (0.05, 0.1, 0.16, 0.23, 0.3),  # light that red gains and blue loses, as a share
    "vignette": (0.1, 0.2, 0.32, 0.45, 0.6),  # light lost in the corners, as a share
    "glare": (0.08, 0.16, 0.28, 0.42, 0.6),  # light that is added at the centre of the glare, of full scale
    "blur": (0.5, 1.0, 1.6, 2.3, 3.2),  # sigma in pixels of an image whose diagonal has 1024, in proportion for others
    "noise": (2.0, 4.0, 7.0, 11.0, 16.0),  # standard deviation in grey levels of 255
    "jpeg": (80, 60, 40, 25, 12),  # quality
}


class DriftError(IndustrialError, ValueError):
    """A drift that does not exist, or an image that it cannot be applied to."""


def drifted(
    image: NDArray[np.uint8], drift: Drift, strength: int, *, sign: Literal[-1, 1] = -1, seed: int = 0
) -> NDArray[np.uint8]:
    """Return an image (H, W, 3) or (H, W) uint8 as a drifted line would take it.

    strength: 1..5, see LEVELS. sign: -1 for darker, colder; 1 for brighter, warmer; others have one direction.
    seed: of the noise, and of the place of the glare within a line's usual jitter: give each image its own.
    """
    if drift not in DRIFTS:
        raise UnknownNameError(f"unknown drift {drift!r}: {closest(drift, DRIFTS)}")
    if strength not in STRENGTHS:
        raise DriftError(f"strength must be in 1..5; got {strength}")
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise DriftError(f"a drift is applied to (H, W) or (H, W, 3) uint8; got {image.shape} {image.dtype}")
    level = LEVELS[drift][strength - 1]
    if drift == "jpeg":
        return _jpeg(image, int(level))
    rng = np.random.default_rng((seed, DRIFTS.index(drift)))
    samples = image / 255.0
    if drift == "gamma":
        return _as_samples(samples ** (level if sign < 0 else 1 / level))
    if drift == "noise":
        return _as_samples(samples + rng.normal(0, level / 255, image.shape) * np.sqrt(0.4 + 1.2 * samples))
    light = samples**2.2
    if drift == "gain":
        light = light * 2.0 ** (sign * level)
    elif drift == "white_balance" and image.ndim == 3:
        light = light * (1 + sign * level * np.array([1.0, 0.0, -1.0]))
    elif drift == "vignette":
        light = light * _wide(1 - level * np.clip(_from_centre(image.shape, 0.5, 0.5), 0, 1) ** 2, image)
    elif drift == "glare":
        row, column = 0.3 + rng.normal(0, 0.02), 0.65 + rng.normal(0, 0.02)
        light = light + level * _wide(np.exp(-((_from_centre(image.shape, row, column) / 0.35) ** 2)), image)
    elif drift == "blur":
        light = _blurred(light, level * np.hypot(*image.shape[:2]).item() / 1024)
    return _as_samples(np.clip(light, 0, 1) ** (1 / 2.2))


def _from_centre(shape: tuple[int, ...], row: float, column: float) -> NDArray[Any]:
    """Return each pixel's distance from a place given in shares of height and width, in half diagonals."""
    rows, columns = np.ogrid[: shape[0], : shape[1]]
    away = np.hypot(rows - row * (shape[0] - 1), columns - column * (shape[1] - 1))
    distance: NDArray[Any] = away / max(np.hypot(shape[0] - 1, shape[1] - 1) / 2, 1)
    return distance


def _wide(field: NDArray[Any], image: NDArray[Any]) -> NDArray[Any]:
    return field if image.ndim == 2 else field[..., None]


def _blurred(light: NDArray[Any], sigma: float) -> NDArray[Any]:
    from scipy.ndimage import gaussian_filter

    blurred: NDArray[Any] = gaussian_filter(light, (sigma, sigma, 0)[: light.ndim], mode="nearest")
    return blurred


def _jpeg(image: NDArray[np.uint8], quality: int) -> NDArray[np.uint8]:
    from PIL import Image

    data = io.BytesIO()
    Image.fromarray(image).save(data, "JPEG", quality=quality)
    decoded: NDArray[np.uint8] = np.array(Image.open(data), np.uint8)
    return decoded


def _as_samples(samples: NDArray[Any]) -> NDArray[np.uint8]:
    rounded: NDArray[np.uint8] = np.rint(np.clip(samples, 0, 1) * 255).astype(np.uint8)
    return rounded
