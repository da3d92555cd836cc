"""How the light of one image differs from that of a line: gains, an exponent and a smooth field, estimated robustly.

The model: where the line would show R, an image shows I with R = gain[c] * I ** exponent * exp(field(x, y)), each value
a part of full scale, the field a polynomial of second degree. Its logarithm is linear in what is unknown. Two estimates
divide the work: the field comes from cells at the same place, the gains and the exponent from the quantiles of the
flattened image, which do not mind where a part lies. Each equation counts by how little good images differ in it, and
less the worse it fits (Huber, Robust Estimation of a Location Parameter, 1964), so that a defect changes little.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SIDE = 64  # cells on a side of a thumbnail
_CELLS = 16  # of them on a side for the field
_SHARES = np.linspace(0.04, 0.96, 24)
_EPS = 1 / 255
_DARK, _BRIGHT = 0.015, 0.97  # beyond these a value says nothing about light
_PRIOR = 0.3  # standard deviation that an exponent and a field have before anything is seen, natural logarithm
_ROUNDING = 0.5 / 255
_ROUNDS = 6
_FEWEST = 8  # equations


@dataclass(frozen=True)
class Light:
    """What maps an image to the line: R = exp(gains[c]) * I ** exponent around `pivot`, times exp(field).

    gains: (C,) natural logarithm of the factor at the pivot; field: (5,) coefficients of x, y, x^2, xy, y^2.
    """

    gains: Array
    exponent: float
    field: Array

    @property
    def exposure(self) -> float:
        """The mean of the gains."""
        return float(self.gains.mean())

    @property
    def white(self) -> Array:
        """What the gains add to the exposure, (C,)."""
        white: Array = self.gains - self.gains.mean()
        return white

    @property
    def swing(self) -> float:
        """The largest minus the smallest value of the field over the image."""
        return float(np.ptp(surface(self.field, 17)))


def still(channels: int) -> Light:
    """Return the light that changes nothing."""
    return Light(np.zeros(channels), 1.0, np.zeros(5))


def surface(field: Array, side: int) -> Array:
    """Return the field on `side` x `side` cells."""
    grid: Array = _basis(side) @ field
    return grid.reshape(side, side)


@dataclass(frozen=True)
class Reference:
    """What good images have in common, as logarithms, and how far they differ.

    cells, cells_spread: (16, 16, C), at the same place; levels, levels_spread: (24, C), at the same quantile.
    """

    cells: Array
    cells_spread: Array
    levels: Array
    levels_spread: Array

    @classmethod
    def of(cls, thumbnails: Sequence[NDArray[np.float32]]) -> Reference:
        """Take medians and median deviations of thumbnails (64, 64, C)."""
        cells = np.stack([_log(_reduced(one)) for one in thumbnails])
        levels = np.stack([_log(_levels(one)) for one in thumbnails])
        return cls(*_centre_and_spread(cells), *_centre_and_spread(levels))

    @property
    def channels(self) -> int:
        channels: int = self.cells.shape[2]
        return channels

    @property
    def pivot(self) -> float:
        """The logarithm of the value at which a change of the exponent changes nothing."""
        return float(self.levels.mean())


def estimate(thumbnail: NDArray[np.float32], reference: Reference, *, with_field: bool = True) -> Light | None:
    """Return the light of a thumbnail (64, 64, C); None where it shows none: black, saturated or next to it."""
    field: Array | None = _field(thumbnail, reference) if with_field else np.zeros(5)
    if field is None:
        field = np.zeros(5)
    flat = thumbnail * np.exp(surface(field, SIDE))[..., None]
    values = _levels(flat.astype(np.float32))
    usable = _usable(_levels(thumbnail)) & (values > _DARK)
    if (usable.sum(axis=0) < _FEWEST / 2).any():
        return None
    logs, channels = _log(values), reference.channels
    weights = usable / (reference.levels_spread**2 + 0.01**2 + (_ROUNDING / (values + _EPS)) ** 2)
    equations = np.zeros((*values.shape, channels + 1))
    for channel in range(channels):
        equations[:, channel, channel] = 1
    equations[..., channels] = logs - reference.pivot
    prior = np.zeros(channels + 1)
    prior[channels] = _PRIOR**-2
    found = _solve(equations, reference.levels - logs, weights, prior)
    return Light(found[:channels], float(np.clip(1 + found[channels], 0.2, 5)), field)


def _field(thumbnail: NDArray[np.float32], reference: Reference) -> Array | None:
    """Return the coefficients of the field, from cells at the same place; gains and exponent are free beside it."""
    values = _reduced(thumbnail)
    usable = _usable(values)
    if usable.sum() < 10 * _FEWEST:
        return None
    logs, channels = _log(values), reference.channels
    weights = usable / (reference.cells_spread**2 + 0.02**2 + (_ROUNDING / (values + _EPS)) ** 2)
    equations = np.zeros((_CELLS * _CELLS, channels, channels + 6))
    for channel in range(channels):
        equations[:, channel, channel] = 1
    equations[..., channels] = logs.reshape(-1, channels) - reference.pivot
    equations[..., channels + 1 :] = _basis(_CELLS)[:, None]
    prior = np.zeros(channels + 6)
    prior[channels:] = _PRIOR**-2
    return _solve(equations, reference.cells - logs, weights, prior)[channels + 1 :]


def _solve(equations: Array, wanted: Array, weights: Array, prior: Array) -> Array:
    """Return the weighted least squares solution, with weights that fall where an equation fits badly."""
    left, right, own = equations.reshape(-1, len(prior)), wanted.ravel(), weights.ravel()
    kept = own > 0
    left, right, own = left[kept], right[kept], own[kept]
    trust: Any = np.ones_like(own)
    found: Array = np.zeros(len(prior))
    penalty = np.diag(prior + 1e-6)
    for _ in range(_ROUNDS):
        weighted = left * (own * trust)[:, None]
        found = np.linalg.solve(left.T @ weighted + penalty, weighted.T @ right)
        misfit = np.abs(right - left @ found) * np.sqrt(own)
        scale = max(1.4826 * float(np.median(misfit)), 1e-3)
        trust = np.minimum(1, 1.5 * scale / np.maximum(misfit, 1e-9))
    return found


def _reduced(thumbnail: NDArray[np.float32]) -> Array:
    """Return the means of 4 x 4 cells, (16, 16, C)."""
    parts = SIDE // _CELLS
    means: Array = thumbnail.reshape(_CELLS, parts, _CELLS, parts, -1).mean(axis=(1, 3), dtype=np.float64)
    return means


def _levels(thumbnail: NDArray[np.float32]) -> Array:
    """Return the quantiles of each channel, (24, C)."""
    ordered = np.sort(thumbnail.reshape(-1, thumbnail.shape[2]), axis=0)
    places = np.rint(_SHARES * (len(ordered) - 1)).astype(np.intp)
    return ordered[places].astype(np.float64)


def _usable(values: Array) -> NDArray[np.bool_]:
    return (values > _DARK) & (values < _BRIGHT)


def _log(values: Array) -> Array:
    logs: Array = np.log(np.maximum(values, 0) + _EPS)
    return logs


def _centre_and_spread(values: Array) -> tuple[Array, Array]:
    centre = np.median(values, axis=0)
    return centre, 1.4826 * np.median(np.abs(values - centre), axis=0)


@lru_cache(maxsize=4)
def _basis(side: int) -> Array:
    """Return x, y, x^2, xy, y^2 at the cells of a square from -1 to 1, (side * side, 5)."""
    along = (np.arange(side) + 0.5) / side * 2 - 1
    y, x = np.meshgrid(along, along, indexing="ij")
    return np.stack([x, y, x * x - 1 / 3, x * y, y * y - 1 / 3], axis=-1).reshape(-1, 5)
