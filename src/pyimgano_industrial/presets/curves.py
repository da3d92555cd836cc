"""Tone curves: what a pointwise step does to a sample, estimated from a histogram and applied through a table.

A curve depends on the image through its histogram alone. That makes a chain of curves one pass for the histogram and
one for the table, with the same result as step by step.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.presets.bands import Enlarged
from pyimgano_industrial.presets.pixels import FULL_SCALE, LUMA, Image, check_image, from_float, strips

_BINS = {"uint8": 256, "uint16": 65536, "float32": 65536}


@dataclass(frozen=True)
class Histogram:
    """counts: (C, bins), samples of each channel; the value of a bin is its index as a part of the last."""

    counts: NDArray[np.float64]

    @classmethod
    def of(cls, image: Image) -> Histogram:
        """Count the samples of an image; float32 is counted in 65536 bins."""
        import cv2

        bins = _BINS[f"{image.dtype}"]
        planes = image if image.dtype != np.float32 else np.rint(image * 65535).astype(np.uint16)
        channels = 1 if image.ndim == 2 else image.shape[2]
        found = [cv2.calcHist([planes], [channel], None, [bins], [0, bins]) for channel in range(channels)]
        return cls(np.stack([one.ravel() for one in found]).astype(np.float64))

    @property
    def values(self) -> NDArray[np.float64]:
        """The value of each bin, 0..1."""
        return np.linspace(0, 1, self.counts.shape[1])

    @property
    def means(self) -> NDArray[np.float64]:
        """The mean of each channel, (C,), 0..1."""
        means: NDArray[np.float64] = self.counts @ self.values / self.counts.sum(axis=1)
        return means

    @property
    def luma(self) -> float:
        """The mean luma, 0..1."""
        return float(self.means[0] if len(self.means) == 1 else self.means @ np.array(LUMA))

    def norms(self, p: float) -> NDArray[np.float64]:
        """Return the Minkowski mean of order p of each channel, (C,)."""
        powers = self.counts @ self.values**p / self.counts.sum(axis=1)
        norms: NDArray[np.float64] = powers ** (1 / p)
        return norms

    def quantiles(self, share: float) -> NDArray[np.float64]:
        """Return the value below or at which `share` of each channel's samples lie, (C,)."""
        below = np.cumsum(self.counts, axis=1)
        wanted = np.maximum(share * below[:, -1], 1e-9)
        places = [int(np.searchsorted(row, want)) for row, want in zip(below, wanted, strict=True)]
        found: NDArray[np.float64] = self.values[np.minimum(places, self.counts.shape[1] - 1)]
        return found

    def through(self, table: NDArray[Any]) -> Histogram:
        """Return the histogram after each sample went through a table (C, bins)."""
        bins = self.counts.shape[1]
        return Histogram(
            np.stack([np.bincount(row, weights, bins) for row, weights in zip(table, self.counts, strict=True)])
        )


@dataclass(frozen=True)
class Curve:
    """A sample x, 0..1, of channel c becomes clip(gain[c] * x + offset[c]) ** gamma; one gain does for all channels."""

    gain: tuple[float, ...] = (1.0,)
    offset: tuple[float, ...] = (0.0,)
    gamma: float = 1.0

    def __call__(self, values: NDArray[np.float32], channel: int) -> NDArray[np.float32]:
        """Return the values of one channel, changed."""
        gain, offset = self.gain[channel % len(self.gain)], self.offset[channel % len(self.offset)]
        changed: NDArray[np.float32] = np.clip(values * np.float32(gain) + np.float32(offset), 0, 1)
        if self.gamma != 1:
            changed = changed ** np.float32(self.gamma)
        return changed

    def table(self, channels: int, bins: int) -> NDArray[Any]:
        """Return what each sample becomes: (C, bins), uint8 for 256 bins, else uint16."""
        values = np.linspace(0, 1, bins, dtype=np.float32)
        rows = np.stack([self(values, channel) for channel in range(channels)])
        return np.rint(rows * (bins - 1)).astype(np.uint8 if bins == 256 else np.uint16)


Estimate = Curve | Callable[[Histogram], Curve]  # a curve that no image decides, or what decides it


def apply_curves(image: Image, estimates: list[Estimate]) -> Image:
    """Return an image after curves, each estimated from the histogram that the ones before it leave.

    uint8 and uint16 pass through one table, which rounds after each curve as single steps do.
    """
    check_image(image)
    if image.dtype == np.float32:
        for estimate in estimates:
            image = _bend(image, estimate if isinstance(estimate, Curve) else estimate(Histogram.of(image)))
        return image
    channels, bins = 1 if image.ndim == 2 else image.shape[2], _BINS[f"{image.dtype}"]
    histogram: Histogram | None = None
    table: NDArray[Any] | None = None
    for estimate in estimates:
        if isinstance(estimate, Curve):
            curve = estimate
        else:
            histogram = histogram or Histogram.of(image)
            curve = estimate(histogram if table is None else histogram.through(table))
        own = curve.table(channels, bins)
        table = own if table is None else np.take_along_axis(own, table.astype(np.intp), axis=1)
    return image.copy() if table is None else look_up(image, table)


def look_up(image: Image, table: NDArray[Any]) -> Image:
    """Return an image (uint8, uint16) whose samples went through a table (C, bins) of the same kind."""
    import cv2

    alike = bool((table == table[0]).all())  # one table for all channels is looked up faster
    if image.dtype == np.uint8:
        rows = np.ascontiguousarray(table[0] if alike else table.T.reshape(1, 256, -1))
        looked: Image = cv2.LUT(image, rows)
        return looked
    result = np.empty_like(image)
    for strip in strips(image):
        if alike:
            np.take(table[0], image[strip], out=result[strip], mode="clip")  # "raise" would copy
        else:
            for channel in range(image.shape[2]):
                result[strip][..., channel] = table[channel][image[strip][..., channel]]
    return result


def _bend(image: Image, curve: Curve) -> Image:
    result = np.empty_like(image)
    for strip in strips(image):
        if image.ndim == 2:
            result[strip] = curve(image[strip], 0)
            continue
        for channel in range(image.shape[2]):
            result[strip][..., channel] = curve(image[strip][..., channel], channel)
    return result


def scaled(image: Image, gains: NDArray[np.float32], *, table: NDArray[np.float32] | None = None) -> Image:
    """Return an image times gains (h, w), which are interpolated over it as cv2.resize would.

    table: (C, 256) or (C, 65536) float32, what a sample is before the gain, in samples; None leaves it as it is. For
    float32 images it is a table of 65536 values at equal distances in 0..1.
    """
    import cv2

    channels = 1 if image.ndim == 2 else image.shape[2]
    larger = Enlarged(np.repeat(gains.astype(np.float32)[..., None], channels, axis=2), image.shape)
    result = np.empty_like(image)
    scale = FULL_SCALE[f"{image.dtype}"]
    for strip in strips(image):
        factor = larger[strip]
        factor = factor.reshape(len(factor), -1)
        parts = _parts(image[strip], table).reshape(len(factor), -1)
        if image.dtype == np.uint8:
            out = result[strip].reshape(len(factor), -1)
            cv2.multiply(parts, factor, dst=out, dtype=cv2.CV_8U)
        else:
            parts *= factor
            result[strip] = from_float(parts / np.float32(scale), image.dtype).reshape(result[strip].shape)
    return result


def _parts(rows: Image, table: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Return samples as float32, through the table where there is one."""
    import cv2

    if table is None:
        return rows.astype(np.float32)
    if rows.dtype == np.uint8:
        looked: NDArray[np.float32] = cv2.LUT(rows, np.ascontiguousarray(table.T.reshape(1, 256, -1)))
        return looked
    result = np.empty(rows.shape, np.float32)
    for channel in range(len(table)):
        own = rows if rows.ndim == 2 else rows[..., channel]
        to = result if rows.ndim == 2 else result[..., channel]
        if rows.dtype == np.uint16:
            to[...] = table[channel][own]
        else:
            to[...] = np.interp(own, np.linspace(0, 1, table.shape[1], dtype=np.float32), table[channel])
    return result
