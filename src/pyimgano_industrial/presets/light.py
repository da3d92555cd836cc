"""Illumination that changes over the image, taken out without a profile: all three work on the luma and keep colours.

Each assumes that what changes slowly is light. Where the part itself does (a dark half, a large stain), they take that
out too; a profile of the line does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyimgano_industrial.presets.bands import Enlarged, Parts, blur_radius, in_bands, reduced
from pyimgano_industrial.presets.curves import scaled
from pyimgano_industrial.presets.pixels import (
    Image,
    PresetError,
    check_image,
    check_positive,
    from_float,
    luma,
    small,
    strips,
    to_float,
)

_SIDE = 128  # cells on a side that slow light is estimated on
_FLOOR = 1 / 512  # half a grey level of 8 bits


def flatten(image: Image, *, sigma: float = 0.125, strength: float = 1.0) -> Image:
    """Divide by the luma blurred with a large kernel, and multiply by its mean.

    sigma:    of the Gaussian kernel, as a share of the longer side
    strength: 1 takes the slow light out, 0 leaves it in
    """
    check_image(image)
    _check_share("strength", strength)
    cells = np.log(luma(small(image, side=_SIDE)) + _FLOOR)
    slow = np.log(_blurred(np.exp(cells), sigma, image.shape))
    return scaled(image, np.exp(strength * (slow.mean() - slow)).astype(np.float32))


def retinex(image: Image, *, sigmas: Sequence[float] = (0.02, 0.08, 0.25), strength: float = 1.0) -> Image:
    """Divide by the geometric mean of the luma blurred with several kernels: multi-scale retinex on intensity.

    sigmas: of the Gaussian kernels, as shares of the longer side; strength: as in `flatten`
    Jobson, Rahman and Woodell, A Multiscale Retinex, 1997; on intensity: Petro and others, Multiscale Retinex, 2014.
    """
    check_image(image)
    _check_share("strength", strength)
    if not sigmas:
        raise PresetError("sigmas must hold at least one share of the longer side; got none")
    cells = luma(small(image, side=_SIDE)) + _FLOOR
    slow = np.mean([np.log(_blurred(cells, sigma, image.shape)) for sigma in sigmas], axis=0)
    return scaled(image, np.exp(strength * (slow.mean() - slow)).astype(np.float32))


def homomorphic(
    image: Image, *, cutoff: float = 0.02, gamma_low: float = 0.7, gamma_high: float = 1.0, c: float = 1.0
) -> Image:
    """Weigh what is slow by `gamma_low` and what is fast by `gamma_high` in the logarithm of each channel.

    cutoff: where slow ends, as a part of half the sampling rate; the parameters are those of pyimgano's
    `homomorphic_filter`, the kernel is applied in space, with mirrored borders in place of periodic ones.
    Oppenheim, Schafer and Stockham, Nonlinear Filtering of Multiplied and Convolved Signals, 1968.
    """
    import cv2

    check_image(image)
    check_positive("cutoff", cutoff, most=1)
    check_positive("gamma_low", gamma_low, most=4)
    check_positive("gamma_high", gamma_high, most=4)
    check_positive("c", c)
    longer = max(image.shape[:2])
    sigma_y, sigma_x = (side * np.sqrt(c / 2) / (np.pi * cutoff * longer / 2) for side in image.shape[:2])

    def weighed(parts: Parts, slow: Parts, logs: Parts) -> Parts:
        cv2.addWeighted(logs, gamma_high - 1, slow, gamma_low - gamma_high, 0, dst=logs)
        parts *= np.exp(logs, out=logs)  # so that black stays black
        return parts

    factor = max(1, int(min(sigma_x, sigma_y) / 4))
    if factor == 1 or min(image.shape[:2]) < 8 * factor:

        def change(parts: Parts) -> Parts:
            logs = _logs(parts)
            return weighed(parts, _blur(logs, sigma_x, sigma_y), logs)

        return in_bands(image, change, halo=blur_radius(sigma_y))
    cells = reduced(image, lambda rows: _logs(to_float(rows)), (image.shape[0] // factor, image.shape[1] // factor))
    slow = Enlarged(_blur(cells, sigma_x / factor, sigma_y / factor), image.shape)  # a large kernel minds no detail
    result = np.empty_like(image)
    for strip in strips(image):
        parts = to_float(image[strip])
        result[strip] = from_float(weighed(parts, slow[strip], _logs(parts)), image.dtype)
    return result


def _blurred(cells: Parts, sigma: float, shape: tuple[int, ...]) -> Parts:
    """Return cells (h, w) blurred by a kernel whose sigma is a share of the longer side of an image of this shape."""
    check_positive("sigma", sigma, most=4)
    pixels = sigma * max(shape[:2])
    sigmas = (pixels * cells.shape[1] / shape[1], pixels * cells.shape[0] / shape[0])
    return _blur(cells, max(sigmas[0], 1e-3), max(sigmas[1], 1e-3))


def _logs(parts: Parts) -> Parts:
    logs = np.maximum(parts, np.float32(_FLOOR))
    return np.log(logs, out=logs)


def _blur(parts: Parts, sigma_x: float, sigma_y: float) -> Parts:
    import cv2

    blurred: Parts = cv2.GaussianBlur(parts, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y, borderType=cv2.BORDER_REFLECT)
    return blurred


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise PresetError(f"{name} must be in 0..1; got {value}")
