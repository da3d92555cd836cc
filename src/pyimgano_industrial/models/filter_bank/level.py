"""One level of detail: its memory and places, fitted in one go with what each fold of the images would have learnt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.models.filter_bank.descriptors import describe, grid_shape, resampled
from pyimgano_industrial.models.filter_bank.memory import Whitening, coreset, nearest_distance
from pyimgano_industrial.models.filter_bank.place import Places, Sums

Floats = NDArray[np.float32]
Inside = NDArray[np.bool_]

DIMENSIONS = 24
_CANDIDATES = 5  # times as many patches as the memory keeps are offered to it
_UNMEASURED = np.ones((1, 1, 2), np.float32)


@dataclass(frozen=True)
class Level:
    """What was fitted for images worked on at `side` x `side` pixels.

    usual: (rows, columns, 2) or (1, 1, 1) float32, see `Usual`: in these units maps of several levels can be averaged.
    """

    side: int
    whitening: Whitening
    bank: Floats
    places: Places | None
    usual: Floats

    def grid(self, image: NDArray[np.uint8]) -> Floats:
        """Return the whitened descriptors (rows, columns, D) of an image (H, W, 3) uint8 RGB."""
        return self.whitening(describe(image, side=self.side))

    def distances(self, grid: Floats) -> tuple[Floats, Floats | None]:
        """Return the distance to the memory and the deviation from the place, (rows, columns) each, not in units."""
        texture = nearest_distance(grid.reshape(-1, grid.shape[-1]), self.bank).reshape(grid.shape[:2])
        return texture, None if self.places is None else self.places.deviation(grid)

    def anomaly(self, texture: Floats, deviation: Floats | None) -> Floats:
        """Return what is anomalous, 1 for the usual patch; aligned: the geometric mean of both distances."""
        units = resampled(self.usual, (texture.shape[0], texture.shape[1]))
        unusual: Floats = texture / units[..., 0]
        if deviation is not None:
            unusual = np.sqrt(unusual * deviation / units[..., 1])
        return unusual


class LevelFit:
    """Fits a level, and without the images of one fold.

    The whitening is made once, from all images. Without a fold, the memory is what is left of it, filled up with
    patches of the other images as if the fold had never been seen, and the sums of places are those of the others.
    """

    def __init__(self, side: int, *, bank: int, seed: int, images: int) -> None:
        self.side, self.bank_size, self.seed = side, bank, seed
        self.images = images
        self._candidates: list[Floats] = []
        self._owners: list[int] = []
        self.grids: list[Floats] = []
        self.folds: list[int] = []

    def whiten(self, samples: Sequence[tuple[NDArray[np.uint8], Inside | None]]) -> None:
        """Learn the whitening from the patches of a few images, given with what is inside at any size."""
        described = (describe(image, side=self.side) for image, _ in samples)
        patches = [
            grid.reshape(-1, grid.shape[-1])[kept(inside, grid.shape[:2]).reshape(-1)]
            for grid, (_, inside) in zip(described, samples, strict=True)
        ]
        self.whitening = Whitening.of(np.concatenate(patches), dimensions=DIMENSIONS)
        first = samples[0][0]
        self.shape = grid_shape(first.shape[0], first.shape[1], side=self.side)

    def add(self, image: NDArray[np.uint8], inside: Inside | None, *, fold: int) -> None:
        """Take an image in; its grid stays in memory until the level is made."""
        grid = self.whitening(describe(image, side=self.side))
        patches = grid.reshape(-1, grid.shape[-1])[kept(inside, grid.shape[:2]).reshape(-1)]
        share = -(-_CANDIDATES * self.bank_size // self.images)
        rng = np.random.default_rng([self.seed, len(self.grids)])
        offered = patches[rng.permutation(len(patches))[:share]]
        self._candidates.append(offered)
        self._owners += [fold] * len(offered)
        self.grids.append(grid.astype(np.float16))
        self.folds.append(fold)

    def sums(self) -> dict[int, Sums]:
        """Return the sums of places for each fold."""
        found: dict[int, Sums] = {}
        for grid, fold in zip(self.grids, self.folds, strict=True):
            here = resampled(grid.astype(np.float32), self.shape)
            found.setdefault(fold, Sums.empty(here.shape)).add(here)
        return found

    def make(self, sums: dict[int, Sums] | None) -> tuple[Level, dict[int, Level]]:
        """Return the level, and for each fold the level that did not learn from it; sums: None for texture."""
        candidates, owners = np.concatenate(self._candidates), np.array(self._owners)
        self._candidates = []
        chosen = coreset(candidates, self.bank_size, seed=self.seed)
        whole = None if sums is None else total(sums.values())
        level = self._level(candidates[chosen], whole)
        without = {}
        for fold in set(self.folds):
            others = np.flatnonzero(owners != fold)
            if not len(others):
                continue
            begun = np.flatnonzero(np.isin(others, chosen))
            refilled = coreset(candidates[others], self.bank_size, seed=self.seed, begun=begun)
            rest = None if whole is None or sums is None else whole.without(sums[fold])
            without[fold] = self._level(candidates[others[refilled]], rest)
        return level, without

    def _level(self, bank: Floats, sums: Sums | None) -> Level:
        return Level(self.side, self.whitening, bank, None if sums is None else Places.of(sums), _UNMEASURED)


def total(sums: Iterable[Sums]) -> Sums:
    """Return the sums of all folds."""
    parts = list(sums)
    return Sums(
        np.sum([one.total for one in parts], axis=0),
        np.sum([one.squares for one in parts], axis=0),
        sum(one.count for one in parts),
    )


def kept(inside: Inside | None, shape: tuple[int, ...]) -> Inside:
    """Return the cells (rows, columns) that a region touches, all where there is none."""
    import cv2

    if inside is None:
        return np.ones((shape[0], shape[1]), np.bool_)
    if inside.shape == shape[:2]:
        return inside
    covered = cv2.resize(inside.astype(np.float32), (shape[1], shape[0]), interpolation=cv2.INTER_AREA)
    touched: Inside = covered > 0
    return touched
