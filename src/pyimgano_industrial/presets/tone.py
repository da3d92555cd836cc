"""Exposure and contrast of a whole image: gamma, a target brightness, stretched percentiles, and CLAHE."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pyimgano_industrial.presets.curves import Curve, Histogram, apply_curves
from pyimgano_industrial.presets.pixels import Image, PresetError, check_image, check_positive


def gamma(image: Image, *, gamma: float) -> Image:
    """Raise values, 0..1, to the power `gamma`: above 1 darkens, below 1 brightens."""
    return apply_curves(image, [gamma_curve(gamma=gamma)])


def match_exposure(image: Image, *, target: float = 0.45, most: float = 4.0) -> Image:
    """Multiply by the one gain that brings the mean luma to `target`, 0..1, at most `most` times up or down.

    A black image passes through: it has no exposure.
    """
    return apply_curves(image, [lambda histogram: match_exposure_curve(histogram, target=target, most=most)])


def stretch_contrast(
    image: Image, *, low: float = 1.0, high: float = 99.0, to: Sequence[float] = (0.0, 1.0), linked: bool = False
) -> Image:
    """Map the percentiles `low` and `high` of each channel to the values `to`.

    linked: one map for all channels, which keeps colours. An image of one value passes through.
    """
    return apply_curves(
        image, [lambda histogram: stretch_contrast_curve(histogram, low=low, high=high, to=to, linked=linked)]
    )


def clahe(image: Image, *, clip_limit: float = 2.0, tiles: int = 8) -> Image:
    """Equalise the luma in `tiles` x `tiles` pieces with limited contrast, and keep the colour differences.

    An image smaller than 2 pixels a tile, and one of a single value, passes through. float32 is equalised at 16 bits;
    with 65536 bins the limit acts on large tiles only, so that small 16-bit images gain more contrast than 8-bit ones.
    Zuiderveld, Contrast Limited Adaptive Histogram Equalization, 1994; OpenCV's.
    """
    import cv2

    check_image(image)
    check_positive("clip_limit", clip_limit)
    if not 1 <= tiles <= 256:
        raise PresetError(f"tiles must be in 1..256; got {tiles}")
    if min(image.shape[:2]) < 2 * tiles or image.min() == image.max():
        return image.copy()
    if image.dtype == np.float32:
        deep = clahe(np.rint(image * 65535).astype(np.uint16), clip_limit=clip_limit, tiles=tiles)
        return deep.astype(np.float32) / np.float32(65535)
    equaliser = cv2.createCLAHE(clipLimit=clip_limit, tileGridSize=(tiles, tiles))
    if image.ndim == 2:
        equalised: Image = equaliser.apply(image)
        return equalised
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb)
    planes[..., 0] = equaliser.apply(np.ascontiguousarray(planes[..., 0]))
    coloured: Image = cv2.cvtColor(planes, cv2.COLOR_YCrCb2RGB, dst=planes)
    return coloured


def gamma_curve(*, gamma: float) -> Curve:
    """Return the curve of `gamma`, which no image decides."""
    check_positive("gamma", gamma, most=20)
    return Curve(gamma=gamma)


def match_exposure_curve(histogram: Histogram, *, target: float = 0.45, most: float = 4.0) -> Curve:
    """Return the gain of `match_exposure`."""
    check_positive("target", target, most=1)
    if not most >= 1:
        raise PresetError(f"most must be at least 1, a factor; got {most}")
    found = histogram.luma
    return Curve() if found <= 0 else Curve(gain=(min(max(target / found, 1 / most), most),))


def stretch_contrast_curve(
    histogram: Histogram,
    *,
    low: float = 1.0,
    high: float = 99.0,
    to: Sequence[float] = (0.0, 1.0),
    linked: bool = False,
) -> Curve:
    """Return the gains and offsets of `stretch_contrast`."""
    if not 0 <= low < high <= 100:
        raise PresetError(f"low and high must be percentiles, 0 <= low < high <= 100; got {low} and {high}")
    if len(to) != 2 or not 0 <= to[0] < to[1] <= 1:
        raise PresetError(f"to must be two values, 0 <= first < second <= 1; got {[*to]}")
    lows, highs = histogram.quantiles(low / 100), histogram.quantiles(high / 100)
    if linked:
        lows, highs = lows.min(keepdims=True), highs.max(keepdims=True)
    flat = highs <= lows
    gains = np.where(flat, 1.0, (to[1] - to[0]) / np.where(flat, 1.0, highs - lows))
    offsets = np.where(flat, 0.0, to[0] - gains * lows)
    return Curve(gain=tuple(gains.tolist()), offset=tuple(offsets.tolist()))
