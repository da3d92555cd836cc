"""One level of detail: its memory or its places, fitted in one go with what each fold would have learnt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.models.filter_bank.descriptors import describe, resampled
from pyimgano_industrial.models.filter_bank.memory import Whitening, coreset, nearest_distance
from pyimgano_industrial.models.filter_bank.place import Places, departures, explained

Floats = NDArray[np.float32]
Inside = NDArray[np.bool_]
Sample = tuple[NDArray[np.uint8], "Inside | None"]

DIMENSIONS = 24
_CANDIDATES = 5  # times as many patches as the memory keeps are offered to it
_UNMEASURED = np.ones((1, 1), np.float32)


@dataclass(frozen=True)
class Level:
    """What was fitted for images worked on at `side` x `side` pixels.

    normal: the memory (M, D) of good patches from any place, or those of each place.
    usual: (1, 1) or (rows, columns) float32, see `Usual`: in these units maps of several levels can be averaged.
    """

    side: int
    whitening: Whitening
    normal: Floats | Places
    usual: Floats

    def grid(self, image: NDArray[np.uint8]) -> Floats:
        """Return the whitened descriptors (rows, columns, D) of an image (H, W, 3) uint8 RGB."""
        return self.whitening(describe(image, side=self.side))

    def distance(self, grid: Floats) -> Floats:
        """Return the distance to the nearest good patch, of any place or of the same, (rows, columns), not in units."""
        if isinstance(self.normal, Places):
            return self.normal.deviation(grid)
        return nearest_distance(grid.reshape(-1, grid.shape[-1]), self.normal).reshape(grid.shape[:2])

    def anomaly(self, distance: Floats) -> Floats:
        """Return what is anomalous, 1 for the usual patch."""
        unusual: Floats = distance / resampled(self.usual, (distance.shape[0], distance.shape[1]))
        return unusual


class LevelFit:
    """Fits a level, and without the images of one fold.

    The whitening is made once: of what patches look like, or, where the images are aligned, of how they depart from the
    mean of their place, as in linear discriminant analysis. Without a fold, the memory is what is left of it, filled up
    with patches of the other images as if the fold had never been seen, and the places keep those of the others.
    """

    def __init__(self, side: int, *, aligned: bool, bank: int, examples: int, seed: int, images: int) -> None:
        self.side, self.aligned, self.bank_size, self.seed = side, aligned, bank, seed
        self.examples = examples
        self.images = images
        self._candidates: list[Floats] = []
        self._owners: list[int] = []
        self.grids: list[NDArray[np.float16]] = []
        self.folds: list[int] = []

    def whiten(self, samples: Sequence[Sample]) -> None:
        """Learn the whitening from the patches of a few images, given with what is inside at any size."""
        grids, insides = described(samples, side=self.side)
        self.shape = grids[0].shape[0], grids[0].shape[1]
        if not self.aligned:
            self.whitening = Whitening.of(patches_of(grids, insides), dimensions=DIMENSIONS)
            return
        here = [resampled(grid, self.shape) for grid in grids]
        insides = [kept(inside, self.shape) for inside in insides]
        of_departures = Whitening.of(patches_of(departures(here), insides), dimensions=DIMENSIONS)
        self.whitening = replace(of_departures, centre=patches_of(here, insides).mean(axis=0))

    def add(self, image: NDArray[np.uint8], inside: Inside | None, *, fold: int) -> None:
        """Take an image in; its grid stays in memory until the level is made."""
        grid = self.whitening(describe(image, side=self.side))
        if not self.aligned:
            patches = grid[kept(inside, grid.shape)]
            share = -(-_CANDIDATES * self.bank_size // self.images)
            rng = np.random.default_rng([self.seed, len(self.grids)])
            offered = patches[rng.permutation(len(patches))[:share]]
            self._candidates.append(offered)
            self._owners += [fold] * len(offered)
        self.grids.append(grid.astype(np.float16))
        self.folds.append(fold)

    def make(self) -> tuple[Level, dict[int, Level]]:
        """Return the level, and for each fold the level that did not learn from it."""
        return self._of_places() if self.aligned else self._of_memory()

    def _of_places(self) -> tuple[Level, dict[int, Level]]:
        chosen = np.sort(np.random.default_rng(self.seed).permutation(len(self.grids))[: self.examples])
        places = Places.of([resampled(self.grids[index].astype(np.float32), self.shape) for index in chosen.tolist()])
        owners = np.array(self.folds)[chosen]
        level = Level(self.side, self.whitening, places, _UNMEASURED)
        without = {}
        for fold in set(self.folds):
            used = owners != fold
            if used.any():
                without[fold] = replace(level, normal=replace(places, used=used))
        return level, without

    def _of_memory(self) -> tuple[Level, dict[int, Level]]:
        candidates, owners = np.concatenate(self._candidates), np.array(self._owners)
        self._candidates = []
        chosen = coreset(candidates, self.bank_size, seed=self.seed)
        level = Level(self.side, self.whitening, candidates[chosen], _UNMEASURED)
        without = {}
        for fold in set(self.folds):
            others = np.flatnonzero(owners != fold)
            if not len(others):
                continue
            begun = np.flatnonzero(np.isin(others, chosen))
            refilled = coreset(candidates[others], self.bank_size, seed=self.seed, begun=begun)
            without[fold] = replace(level, normal=candidates[others[refilled]])
        return level, without


def explained_by_place(samples: Sequence[Sample], *, side: int) -> float:
    """Return the share of the variance of whitened descriptors that the place explains."""
    grids, insides = described(samples, side=side)
    whitening = Whitening.of(patches_of(grids, insides), dimensions=DIMENSIONS)
    shape = grids[0].shape[:2]
    return explained([resampled(whitening(grid), shape)[insides[0]] for grid in grids])


def described(samples: Sequence[Sample], *, side: int) -> tuple[list[Floats], list[Inside]]:
    """Return the descriptors of images, and which of their cells are inside."""
    grids = [describe(image, side=side) for image, _ in samples]
    return grids, [kept(inside, grid.shape) for grid, (_, inside) in zip(grids, samples, strict=True)]


def patches_of(grids: Iterable[Floats], insides: Sequence[Inside]) -> Floats:
    """Return the patches (N, C) of the cells inside."""
    return np.concatenate([grid[inside] for grid, inside in zip(grids, insides, strict=True)])


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
