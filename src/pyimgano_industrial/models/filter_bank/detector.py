"""The default detector: dense descriptors against a memory of good patches, of all places or of each."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import repeat
from operator import add
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.images import read_rgb, to_uint8
from pyimgano_industrial.core.regions import Region, Roi
from pyimgano_industrial.core.tolerance import promised_threshold
from pyimgano_industrial.models.filter_bank.level import Inside, Level, LevelFit, explained_by_place, kept
from pyimgano_industrial.models.filter_bank.scores import ALIGNED_SHARES, SHARES, Normal, tails
from pyimgano_industrial.models.filter_bank.usual import Usual

Image = NDArray[Any] | str | Path
Mode = Literal["auto", "aligned", "texture"]
Configuration = Literal["fast", "accurate"]
Floats = NDArray[np.float32]

ALIGNED_FROM = 0.5  # share of the descriptors' variance that the place must explain
_WHITENED_ON = 24  # images, by which also the mode is chosen
_ALIGNED_SIDES = (256, 512)


@dataclass(frozen=True)
class Settings:
    """texture: the working sizes in pixels whose maps are averaged; bank: patches that each memory keeps.

    examples: good images of which each place keeps its patch, in the aligned mode.
    """

    texture: tuple[int, ...]
    bank: int
    examples: int


CONFIGURATIONS: dict[Configuration, Settings] = {
    "fast": Settings(texture=(256,), bank=2000, examples=100),
    "accurate": Settings(texture=(128, 256, 512), bank=3000, examples=300),
}


class FilterBankError(IndustrialError, ValueError):
    """An option or an image that the filter bank cannot use."""


class FilterBank:
    """Compares what an image looks like around each of its cells with good images; needs no weights and no torch.

    configuration: "fast" works at 256 x 256 pixels, "accurate" at 128, 256 and 512, whose maps are averaged. Aligned,
                   both work at 512, or at the image's own size where that is less, but not below 256; "fast" keeps the
                   patches of 100 good images, "accurate" of 300. The aspect ratio is the image's own
    mode:          "texture": the distance of a patch to the nearest good one from any place. "aligned": to the nearest
                   good one of its place, for parts that always lie alike.
                   "auto": aligned where the place explains at least half of the variance of the descriptors of the
                   good images, else texture; `mode_` says which, `explained_` how much
    contamination: share of normal images that may lie above `threshold_`
    roi:           region of interest: mask (H, W), box (x0, y0, x1, y1) or polygon [(x, y), ...]; only what it touches
                   is fitted and scored, outside the map is 0
    folds:         `decision_scores_` (N,) and `threshold_` come from out-of-fold scores of the images that were fitted
    seed:          the same images and seed give the same detector

    Images are (H, W), (H, W, 1) or (H, W, 3), uint8 RGB, uint16 or float in 0..1, or paths; of any sizes of at least 8
    pixels a side. A map is 1 where a patch is as far from the good ones as good patches are on average; in the aligned
    mode the unit at a place goes with the standard deviation of good ones there. The score of an image is how far its
    largest 0.1 %, 1 %, 10 % and 100 % of cells lie above those of normal images, in standard deviations, on average: a
    small strong defect raises the first of them, a faint wide one the last. In the aligned mode it is how far the
    largest 0.01 % do.
    Raises FilterBankError, a ValueError.
    """

    pickle_safe = True  # arrays and numbers only: the host's --save-detector may keep it

    def __init__(
        self,
        *,
        configuration: Configuration = "fast",
        mode: Mode = "auto",
        contamination: float = 0.1,
        roi: Roi | None = None,
        folds: int = 10,
        seed: int = 0,
    ) -> None:
        _check("configuration", configuration, get_args(Configuration))
        _check("mode", mode, get_args(Mode))
        if not 0 <= contamination < 1:
            raise FilterBankError(f"contamination must be in [0, 1), a share of the normal images; got {contamination}")
        if folds < 2:
            raise FilterBankError(f"folds must be at least 2; got {folds}")
        self.configuration: Configuration = configuration
        self.mode: Mode = mode
        self.contamination = contamination
        self.roi = roi
        self.folds = folds
        self.seed = seed
        self._levels: tuple[Level, ...] = ()
        self._normal: Normal | None = None

    # Fitting.

    def fit(self, x: Iterable[Image], y: Any = None) -> FilterBank:  # noqa: ARG002 - the host passes y
        """Fit on normal images; the threshold comes from each image's score without its own fold."""
        images = list(x)
        if len(images) < 2:
            raise FilterBankError(
                f"fit needs at least 2 normal images, to score each without itself; got {len(images)}"
            )
        settings = CONFIGURATIONS[self.configuration]
        order = np.random.default_rng(self.seed).permutation(len(images))
        folds = np.empty(len(images), int)
        folds[order] = np.arange(len(images)) % min(self.folds, len(images))
        some = [self._read(images[index]) for index in sorted(order[:_WHITENED_ON].tolist())]
        samples = [(image, self._inside(image)) for image in some]
        self.explained_ = float(np.mean([explained_by_place(samples, side=side) for side in settings.texture]))
        if self.mode == "auto":
            self.mode_ = "aligned" if self.explained_ >= ALIGNED_FROM else "texture"
        else:
            self.mode_ = self.mode
        aligned = self.mode_ == "aligned"
        sides = (_aligned_side(some[0]),) if aligned else settings.texture
        sizes = {"bank": settings.bank, "examples": settings.examples, "images": len(images)}
        fits = [LevelFit(side, aligned=aligned, seed=self.seed, **sizes) for side in sides]
        for fit in fits:
            fit.whiten(samples)
        insides = []
        for image, fold in zip(map(self._read, images), folds.tolist(), strict=True):
            insides.append(self._inside(image))
            for fit in fits:
                fit.add(image, insides[-1], fold=fold)
        self._levels, anomalies = self._learn(fits, insides)
        self._normal, scores = Normal.of(
            np.array([self._tails(one, inside) for one, inside in zip(anomalies, insides, strict=True)])
        )
        self.decision_scores_ = scores
        self.threshold_ = promised_threshold(scores, rate=self.contamination)
        return self

    def _learn(
        self, fits: Sequence[LevelFit], insides: Sequence[Inside | None]
    ) -> tuple[tuple[Level, ...], list[Floats]]:
        """Return the levels, and the out-of-fold anomalies (rows, columns) of the images."""
        levels, found = [], []
        for fit in fits:
            level, without = fit.make()
            distances = [
                without.get(fold, level).distance(grid.astype(np.float32))
                for grid, fold in zip(fit.grids, fit.folds, strict=True)
            ]
            fit.grids.clear()
            each = [
                Usual.of(one, kept(inside, one.shape), shape=fit.shape)
                for one, inside in zip(distances, insides, strict=True)
            ]
            usual = reduce(add, each)
            levels.append(replace(level, usual=usual.units(of_places=fit.aligned)))
            found.append(
                [
                    replace(level, usual=usual.without(own).units(of_places=fit.aligned)).anomaly(one)
                    for one, own in zip(distances, each, strict=True)
                ]
            )
        return tuple(levels), [_averaged(of_image) for of_image in zip(*found, strict=True)]

    # Scoring.

    def decision_function(self, x: Iterable[Image]) -> Floats:
        """Return scores (N,) float32, higher is more anomalous; 0 is the mean of normal images."""
        return np.array([score for score, _ in self._passes(x, want_map=False)], np.float32)

    def predict(self, x: Iterable[Image]) -> NDArray[np.int64]:
        """Return 1 for images whose score exceeds `threshold_`, else 0, (N,)."""
        return (self.decision_function(x) > self.threshold_).astype(np.int64)

    def score_and_map(
        self, x: Iterable[Image], inside: Iterable[Inside | None] | None = None
    ) -> tuple[Floats, list[Floats]]:
        """Return scores (N,) and maps [(H, W) float32], each image passing once.

        inside: the pixels of each image that count, (H, W) bool with at least one, None for all; as a tiled detector
        gives them for padding and at the border of a region. It narrows `roi`.
        """
        found = list(self._passes(x, insides=inside))
        return np.array([score for score, _ in found], np.float32), [one for _, one in found]

    def predict_anomaly_map(self, x: Iterable[Image]) -> Floats | list[Floats]:
        """Return maps (N, H, W) float32, or a list of them where the images' sizes differ."""
        maps = self.score_and_map(x)[1]
        return np.stack(maps) if len({one.shape for one in maps}) == 1 else maps

    def get_anomaly_map(self, item: Image) -> Floats:
        """Return the map (H, W) float32 of one image."""
        return self.score_and_map([item])[1][0]

    def _passes(
        self, x: Iterable[Image], *, want_map: bool = True, insides: Iterable[Inside | None] | None = None
    ) -> Iterator[tuple[float, Floats]]:
        import cv2

        if self._normal is None:
            raise FilterBankError("a filter bank must be fitted before it scores; call fit with normal images")
        pairs = zip(map(self._read, x), repeat(None) if insides is None else insides, strict=insides is not None)
        for image, given in pairs:
            inside = _narrowed(self._inside(image), given)
            anomaly = _averaged([level.anomaly(level.distance(level.grid(image))) for level in self._levels])
            score = self._normal.score(self._tails(anomaly, inside))
            if want_map:
                anomaly = cv2.resize(anomaly, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
                if inside is not None:
                    anomaly = np.where(inside, anomaly, np.float32(0))
            yield score, anomaly

    def _tails(self, anomaly: Floats, inside: Inside | None) -> NDArray[np.float64]:
        shares = ALIGNED_SHARES if self.mode_ == "aligned" else SHARES
        return tails(anomaly[kept(inside, anomaly.shape)], shares=shares)

    # Files: two of them, and nothing in them is run.

    def save(self, path: Path | str) -> None:
        """Write the fitted detector to PATH.npz (arrays) and PATH.json (options); `load` reads both, without pickle."""
        from pyimgano_industrial.models.filter_bank.files import save

        save(self, Path(path))

    @classmethod
    def load(cls, path: Path | str) -> FilterBank:
        """Read a detector that `save` wrote; it scores as the one that was saved."""
        from pyimgano_industrial.models.filter_bank.files import load

        return load(Path(path))

    # Input.

    def _read(self, item: Image) -> NDArray[np.uint8]:
        """Return an image as (H, W, 3) uint8 RGB."""
        image = read_rgb(item) if isinstance(item, (str, Path)) else to_uint8(np.asarray(item))
        if image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1):
            image = np.repeat(image.reshape(*image.shape[:2], 1), 3, axis=2)
        if image.ndim != 3 or image.shape[2] != 3 or min(image.shape[:2]) < 8:
            raise FilterBankError(
                f"an image must be (H, W), (H, W, 1) or (H, W, 3) with at least 8 pixels a side; got {image.shape}"
            )
        return np.ascontiguousarray(image)

    def _inside(self, image: NDArray[np.uint8]) -> Inside | None:
        if self.roi is None:
            return None
        height, width = image.shape[:2]
        inside = Region(self.roi, height=height, width=width).rows(0, height)
        if not inside.any():
            raise FilterBankError("a region of interest must hold a pixel; it holds none: state another")
        return inside


def _narrowed(inside: Inside | None, given: Inside | None) -> Inside | None:
    """Return the pixels inside both; raises FilterBankError where there are none."""
    if inside is None or given is None:
        return given if inside is None else inside
    both: Inside = inside & given
    if not both.any():
        raise FilterBankError("the pixels that count must lie in the region of interest; none does")
    return both


def _aligned_side(image: NDArray[np.uint8]) -> int:
    """Return the working size of aligned images: the image's own, between the least and the largest."""
    own = round(math.sqrt(image.shape[0] * image.shape[1]))
    return min(max(own, _ALIGNED_SIDES[0]), _ALIGNED_SIDES[1])


def _averaged(maps: Sequence[Floats]) -> Floats:
    """Return the mean of the levels' maps at the size of the finest."""
    from pyimgano_industrial.models.filter_bank.descriptors import resampled

    finest = max((one.shape[0], one.shape[1]) for one in maps)
    mean: Floats = np.mean([resampled(one, finest) for one in maps], axis=0, dtype=np.float32)
    return mean


def _check(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise FilterBankError(f"{name} must be one of {', '.join(known)}; got {value!r}")
