"""Illumination that changes over the image, taken out without a profile: all three work on the luma and keep colours.

Each assumes that what changes slowly is light. Where the part itself does (a dark half, a large stain), they take that
out too; a profile of the line does not.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.presets.curves import scaled
from pyimgano_industrial.presets.pixels import (
    Image,
    PresetError,
    check_image,
    check_positive,
    from_float,
    luma,
    small,
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
    parts = to_float(image)
    logs = np.log(np.maximum(parts, np.float32(_FLOOR)))
    longer = max(image.shape[:2])
    sigmas = [side * np.sqrt(c / 2) / (np.pi * cutoff * longer / 2) for side in image.shape[:2]]
    slow = _blur_pixels(logs, sigmas[1], sigmas[0])
    cv2.addWeighted(logs, gamma_high - 1, slow, gamma_low - gamma_high, 0, dst=logs)
    parts *= np.exp(logs, out=logs)  # so that black stays black
    return from_float(parts, image.dtype)


def _blurred(cells: NDArray[np.float32], sigma: float, shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Return cells (h, w) blurred by a kernel whose sigma is a share of the longer side of an image of this shape."""
    import cv2

    check_positive("sigma", sigma, most=4)
    pixels = sigma * max(shape[:2])
    sigmas = (pixels * cells.shape[1] / shape[1], pixels * cells.shape[0] / shape[0])
    slow: NDArray[np.float32] = cv2.GaussianBlur(
        cells, (0, 0), sigmaX=max(sigmas[0], 1e-3), sigmaY=max(sigmas[1], 1e-3), borderType=cv2.BORDER_REFLECT
    )
    return slow


def _blur_pixels(parts: NDArray[np.float32], sigma_x: float, sigma_y: float) -> NDArray[np.float32]:
    """Return parts blurred; a large kernel is applied to a reduced image."""
    import cv2

    height, width = parts.shape[:2]
    factor = max(1, int(min(sigma_x, sigma_y) / 4))
    if factor == 1 or min(height, width) < 8 * factor:
        blurred: NDArray[np.float32] = cv2.GaussianBlur(
            parts, (0, 0), sigmaX=sigma_x, sigmaY=sigma_y, borderType=cv2.BORDER_REFLECT
        )
        return blurred
    reduced = cv2.resize(parts, (width // factor, height // factor), interpolation=cv2.INTER_AREA)
    reduced = cv2.GaussianBlur(
        reduced, (0, 0), sigmaX=sigma_x / factor, sigmaY=sigma_y / factor, borderType=cv2.BORDER_REFLECT
    )
    enlarged: NDArray[np.float32] = cv2.resize(reduced, (width, height), interpolation=cv2.INTER_LINEAR)
    return enlarged


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise PresetError(f"{name} must be in 0..1; got {value}")
