"""Noise, compression, glare and sharpness without a profile, and regions blanked out.

Each of them changes what a small defect looks like: measure on your own parts before you switch one on.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.presets.bands import Enlarged, Parts, blur_radius, halved, in_bands
from pyimgano_industrial.presets.measures import detail_level, noise_level
from pyimgano_industrial.presets.pixels import (
    FULL_SCALE,
    Image,
    PresetError,
    check_image,
    check_positive,
    from_float,
    strips,
    to_float,
)


def denoise(image: Image, *, strength: float = 2.0, sigma: float = 1.5) -> Image:
    """Smooth differences up to `strength` times the measured noise, and keep larger ones: a bilateral filter.

    sigma: of the kernel in space, pixels. An image without noise passes through.
    Tomasi and Manduchi, Bilateral Filtering for Gray and Color Images, 1998; noise as in `measures.noise_level`.
    """
    import cv2

    check_image(image)
    check_positive("strength", strength)
    check_positive("sigma", sigma, most=10)
    noise = noise_level(image)
    if noise <= 0 or min(image.shape[:2]) < 3:
        return image.copy()
    radius = int(np.ceil(1.5 * sigma))
    extremes = to_float(np.array([image.min(), image.max()], image.dtype))

    def smooth(parts: Parts) -> Parts:
        framed = cv2.copyMakeBorder(parts, radius, radius + 1, 0, 0, cv2.BORDER_REFLECT_101)
        # OpenCV's table of weights spans the values that it sees: a row out of reach shows it those of the whole image.
        framed[-1, :2] = extremes if parts.ndim == 2 else extremes[:, None]
        filtered = cv2.bilateralFilter(framed, 2 * radius + 1, sigmaColor=strength * noise, sigmaSpace=sigma)
        smoothed: Parts = filtered[radius:]
        return smoothed

    return in_bands(image, smooth, halo=radius)


def deblock(image: Image, *, strength: float = 0.03, size: int = 8) -> Image:
    """Smooth steps of up to about `strength`, 0..1, across the borders of a codec's blocks.

    size: of a block, pixels, counted from the upper left corner: 8 in JPEG. Larger steps are edges and stay.
    The filter of ITU-T H.263, annex J.
    """
    check_image(image)
    check_positive("strength", strength, most=1)
    if not 4 <= size <= 64:
        raise PresetError(f"size must be in 4..64, the pixels of a block; got {size}")
    result = np.empty_like(image)
    rows = size * max(1, next(strips(image)).stop // size)
    edges = [0, *range(rows + size // 2, image.shape[0], rows), image.shape[0]]  # away from the borders of blocks
    for first, last in pairwise(edges):
        parts = to_float(image[first:last])
        _across(parts, strength, size)
        _across(parts.swapaxes(0, 1), strength, size, start=first)
        result[first:last] = from_float(parts, image.dtype)
    return result


def mask_glare(image: Image, *, level: float = 0.98, grow: int = 3, most: float = 0.1) -> Image:
    """Fill pixels whose every channel is at or above `level`, 0..1, from what surrounds them, smoothly.

    grow: pixels by which glare is widened. An image with more glare than the share `most` passes through: it is
    overexposed. A defect inside glare cannot be seen, and a white one is taken for glare.
    The filling is the pull-push of Gortler et al., The Lumigraph, 1996.
    """
    check_image(image)
    check_positive("level", level, most=1)
    check_positive("most", most, most=1)
    mask = glare_mask(image, level=level, grow=grow)
    if not mask.any() or mask.mean() > most:
        return image.copy()
    result = image.copy()
    _fill(result, mask)
    return result


def glare_mask(image: Image, *, level: float = 0.98, grow: int = 3) -> NDArray[np.bool_]:
    """Return where every channel is at or above `level`, widened by `grow` pixels, (H, W)."""
    import cv2

    if not 0 <= grow <= 100:
        raise PresetError(f"grow must be in 0..100 pixels; got {grow}")
    smallest = image if image.ndim == 2 else image.min(axis=2)
    bright = (smallest >= level * FULL_SCALE[f"{image.dtype}"]).view(np.uint8)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * grow + 1, 2 * grow + 1))
    wider: NDArray[np.bool_] = cv2.dilate(bright, kernel, dst=bright).view(bool)
    return wider


def match_sharpness(image: Image, *, target: float, sigma: float = 1.0, most: float = 2.0) -> Image:
    """Sharpen or blur so that the detail level comes to `target`, as `measures.detail_level` gives it.

    sigma: of the unsharp mask, pixels; most: the largest amount of it. Sharpening amplifies noise by as much. An image
    without detail passes through.
    """
    import cv2

    check_image(image)
    check_positive("target", target)
    check_positive("sigma", sigma, most=10)
    check_positive("most", most)
    found = detail_level(image, sigma=sigma)
    tried = 1.0 if target > found else -0.95
    change = detail_level(image, sigma=sigma, amount=tried) - found
    if found <= 0 or change == 0:
        return image.copy()
    amount = min(max(tried * (target - found) / change, -0.95), most)

    def sharpen(parts: Parts) -> Parts:
        slow = cv2.GaussianBlur(parts, (0, 0), sigma, borderType=cv2.BORDER_REFLECT)
        sharper: Parts = cv2.addWeighted(parts, 1 + amount, slow, -amount, 0, dst=slow)
        return sharper

    return in_bands(image, sharpen, halo=blur_radius(sigma))


def mask_roi(
    image: Image,
    *,
    box: Sequence[int] | None = None,
    polygon: Sequence[Sequence[float]] | None = None,
    fill: float = 0.0,
) -> Image:
    """Set everything outside a box (x0, y0, x1, y1) or a polygon [(x, y), ...], in pixels, to `fill`, 0..1."""
    import cv2

    check_image(image)
    if (box is None) == (polygon is None):
        raise PresetError("mask_roi needs a box or a polygon, one of them; got " + ("both" if box else "none"))
    if not 0 <= fill <= 1:
        raise PresetError(f"fill must be in 0..1; got {fill}")
    inside = np.zeros(image.shape[:2], np.uint8)
    if box is not None:
        x0, y0, x1, y1 = box
        inside[max(0, y0) : max(0, y1), max(0, x0) : max(0, x1)] = 1
    else:
        cv2.fillPoly(inside, [np.rint(np.asarray(polygon, np.float64)).astype(np.int32).reshape(-1, 1, 2)], 1)
    if not inside.any():
        raise PresetError(
            f"a region must hold a pixel of the image, {image.shape[1]} x {image.shape[0]}; got {box or polygon}"
        )
    result = np.full_like(image, fill * FULL_SCALE[f"{image.dtype}"])
    np.copyto(result, image, where=inside.view(bool) if image.ndim == 2 else inside.view(bool)[..., None])
    return result


def _across(parts: Parts, strength: float, size: int, *, start: int = 0) -> None:
    """Smooth the borders between columns of blocks, in place; start: the image's column that the first one is."""
    border = size - start % size
    count = len(range(border, parts.shape[1] - 1, size))
    if not count:
        return
    beside = [parts[:, border + shift :: size][:, :count] for shift in (-2, -1, 0, 1)]
    a, b, c, d = beside
    step = (a - 4 * b + 4 * c - d) / 8
    size_of = np.abs(step)
    ramp = np.sign(step) * np.maximum(0, size_of - np.maximum(0, 2 * (size_of - np.float32(strength))))
    outer = np.clip((a - d) / 4, -np.abs(ramp) / 2, np.abs(ramp) / 2)
    for one, change in zip(beside, (-outer, ramp, -ramp, outer), strict=True):
        one += change


def _fill(image: Image, mask: NDArray[np.bool_]) -> None:
    """Interpolate the masked pixels from the others, over a pyramid, in place."""
    if min(mask.shape) <= 2:
        known = to_float(image[~mask])
        mean = known.mean(axis=0) if len(known) else np.zeros(image.shape[2:], np.float32)
        image[mask] = from_float(np.asarray(mean, np.float32), image.dtype)
        return
    size = ((mask.shape[0] + 1) // 2, (mask.shape[1] + 1) // 2)
    cells, unknown = np.empty((*size, *image.shape[2:]), np.float32), np.empty(size, bool)
    for rows, weighted in halved(image, lambda rows: _weighted(to_float(image[rows]), mask[rows])):
        weight = weighted[..., -1:]
        unknown[rows] = weight[..., 0] < 0.05
        cells[rows] = np.clip(weighted[..., :-1] / np.maximum(weight, 1e-6), 0, 1).reshape(cells[rows].shape)
    _fill(cells, unknown)
    larger = Enlarged(cells, mask.shape)
    for row in np.flatnonzero(mask.any(axis=1)).tolist():
        image[row, mask[row]] = from_float(larger[row : row + 1][0, mask[row]], image.dtype)


def _weighted(parts: Parts, mask: NDArray[np.bool_]) -> Parts:
    """Return parts, 0 where they are masked, and what they weigh as one more channel."""
    weight = (~mask).astype(np.float32)[..., None]
    return np.concatenate([parts.reshape(*mask.shape, -1) * weight, weight], axis=2)
