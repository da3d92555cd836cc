"""White balance without a profile: by the mean, the maximum, a Minkowski mean, or a white patch.

Blind white balance takes the part's own colour for that of the light: gray-world turns a red part grey. Where colours
are inspected, use a white patch or a profile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.presets.curves import Curve, Histogram, apply_curves
from pyimgano_industrial.presets.pixels import Image, PresetError, check_image, check_positive, to_float


def gray_world(image: Image) -> Image:
    """Scale the channels so that their means are equal. Grey and black images pass through.

    Buchsbaum, A Spatial Processor Model for Object Colour Perception, 1980.
    """
    return apply_curves(image, [gray_world_curve])


def max_rgb(image: Image, *, ignored: float = 0.0) -> Image:
    """Scale the channels so that their largest values are equal; `ignored`: share of the brightest samples to skip.

    Land, The Retinex Theory of Color Vision, 1977.
    """
    return apply_curves(image, [lambda histogram: max_rgb_curve(histogram, ignored=ignored)])


def shades_of_gray(image: Image, *, norm: float = 6.0) -> Image:
    """Scale the channels so that their Minkowski means of order `norm` are equal: 1 is gray-world, large is max-RGB.

    Finlayson and Trezzi, Shades of Gray and Colour Constancy, 2004.
    """
    return apply_curves(image, [lambda histogram: shades_of_gray_curve(histogram, norm=norm)])


def reference_white(image: Image, *, patch: Sequence[int], target: Sequence[float] | None = None) -> Image:
    """Scale the channels so that a patch of the image has the colour `target`.

    patch:  (x0, y0, x1, y1) in pixels, where something white or grey of known colour lies
    target: RGB as parts of full scale, 0..1; None makes the patch grey and keeps its mean
    Raises PresetError for a patch outside the image, and for one that is black or saturated: it shows no colour.
    """
    check_image(image)
    if image.ndim == 2:
        return image.copy()
    x0, y0, x1, y1 = patch
    if not (0 <= x0 < x1 <= image.shape[1] and 0 <= y0 < y1 <= image.shape[0]):
        raise PresetError(
            f"patch must be x0,y0,x1,y1 inside the image, {image.shape[1]} x {image.shape[0]} pixels; got {[*patch]}"
        )
    found = np.median(to_float(image[y0:y1, x0:x1]).reshape(-1, 3), axis=0)
    if found.min() < 0.02 or found.max() > 0.98:
        raise PresetError(f"a white patch must be neither black nor saturated; that at {[*patch]} is {found.round(3)}")
    wanted = np.full(3, found.mean()) if target is None else np.asarray(target, np.float64)
    if wanted.shape != (3,) or not (wanted > 0).all() or wanted.max() > 1:
        raise PresetError(f"target must be three numbers above 0 and at most 1, red, green and blue; got {target}")
    return apply_curves(image, [Curve(gain=tuple((wanted / found).tolist()))])


def gray_world_curve(histogram: Histogram) -> Curve:
    """Return the gains of `gray_world`."""
    means = histogram.means
    return _balance(means, means.mean().item())


def max_rgb_curve(histogram: Histogram, *, ignored: float = 0.0) -> Curve:
    """Return the gains of `max_rgb`."""
    if not 0 <= ignored < 1:
        raise PresetError(f"ignored must be a share in 0..1, below 1; got {ignored}")
    largest = histogram.quantiles(1 - ignored)
    return _balance(largest, largest.max().item())


def shades_of_gray_curve(histogram: Histogram, *, norm: float = 6.0) -> Curve:
    """Return the gains of `shades_of_gray`."""
    check_positive("norm", norm, most=64)
    means = histogram.norms(norm)
    return _balance(means, means.mean().item())


def _balance(found: NDArray[np.float64], wanted: float) -> Curve:
    """Return the gains that bring each channel to `wanted`; none for grey images and for a channel that is black."""
    if len(found) == 1 or found.min() <= 0:
        return Curve()
    return Curve(gain=tuple((wanted / found).tolist()))
