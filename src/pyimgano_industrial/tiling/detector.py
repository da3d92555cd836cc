"""Any detector on images of any size: tiles in one pass, blended without seams, fitted on what it scores."""

from __future__ import annotations

import copy
import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import Calls
from pyimgano_industrial.core.errors import IndustrialError, IndustrialWarning
from pyimgano_industrial.tiling.batch import Maps, Scores, run_batch
from pyimgano_industrial.tiling.blend import Accumulator, Blend
from pyimgano_industrial.tiling.cut import Cutter, Image, batches, open_image, resized, sources
from pyimgano_industrial.tiling.grid import PadMode, Tile, check_pad_mode, make_grid
from pyimgano_industrial.tiling.regions import Roi
from pyimgano_industrial.tiling.scores import MapScore, ScoreReduce, check_reduce, reduce_scores
from pyimgano_industrial.tiling.sink import Sink, open_sink
from pyimgano_industrial.tiling.source import Source

FitMode = Literal["tiles", "position", "whole"]
Progress = Callable[[int, int], None]


class TilingError(IndustrialError, ValueError):
    """The tiling cannot be done as asked."""


class TiledDetector:
    """Runs a detector on overlapping tiles and gives one score and one map an image.

    detector:     anything with fit, decision_function and, for maps, score_and_map, predict_anomaly_map or
                  get_anomaly_map, on images (H, W[, C]); what it accepts is found out on its first batch
    u16_max:      largest value of 16-bit files, for example 4095; None applies the rule of core.images
    tile_size:    pixels, a number or (height, width); stride: pixels from tile to tile, at most the tile size
    pad_mode:     how an image smaller than a tile is filled up, as in numpy.pad; padding counts in no map, and in no
                  score that is the maximum of its map
    map_reduce:   how overlapping maps are blended: max, mean, hann, gaussian
    score_reduce: max, mean, topk_mean (the mean of the share `score_topk`), quantile (`score_quantile`)
    score_from:   "tiles": reduce the scores of the tiles, "map": reduce the pixels of the blended map, which saves
                  the second pass through a detector without `score_and_map`
    batch_size:   tiles alive at a time
    fit_mode:     "tiles": the detector is fitted on tiles, "position": one copy of it for each tile position, for
                  aligned parts of one size, "whole": on whole images
    max_fit_tiles, seed: fit on a random choice of that many tiles
    factory:      makes the detector of one position; without it `detector` is copied, which some do not survive
    holdout:      share of the images given to `fit` that are kept for the threshold, 0 for none
    contamination: share of normal images that may be flagged; None takes the detector's own, else 0.1
    roi:          region of interest: mask (H, W), box (x0, y0, x1, y1) or polygon [(x, y), ...]; tiles outside are not
                  run, and only pixels inside count; outside the map is 0
    skip_flat:    tiles whose grey levels have a standard deviation below this are taken for background and not run
    scales:       (1.0, 0.5) also runs the image at half its size; scores and maps are averaged
    progress:     called as progress(done, total) after each batch of an image

    After `fit`, `decision_scores_` (N,) and `threshold_` come from tiled scores of normal images; `kept_` holds the
    indices of those that were kept from fitting, or nothing where none was.
    Raises TilingError and DetectorOutputError (both ValueError); an error of the detector arrives as it is, with the
    image and the tile added to its notes.
    """

    def __init__(
        self,
        *,
        detector: Any,
        tile_size: int | tuple[int, int] = 512,
        stride: int | tuple[int, int] | None = None,
        pad_mode: PadMode = "reflect",
        pad_value: int = 0,
        u16_max: int | None = None,
        score_reduce: ScoreReduce = "max",
        score_topk: float = 0.1,
        map_reduce: Blend = "max",
        score_quantile: float = 0.99,
        score_from: Literal["tiles", "map"] = "tiles",
        batch_size: int = 8,
        fit_mode: FitMode = "tiles",
        max_fit_tiles: int | None = None,
        seed: int = 0,
        holdout: float = 0.2,
        factory: Callable[[], Any] | None = None,
        contamination: float | None = None,
        roi: Roi | None = None,
        skip_flat: float | None = None,
        scales: Sequence[float] = (1.0,),
        progress: Progress | None = None,
    ) -> None:
        make_grid(1, 1, tile_size=tile_size, stride=stride)  # checks both
        check_pad_mode(pad_mode)
        check_reduce(score_reduce, topk=score_topk, quantile=score_quantile)
        _check_choice("map_reduce", map_reduce, get_args(Blend))
        _check_choice("score_from", score_from, ("tiles", "map"))
        _check_choice("fit_mode", fit_mode, get_args(FitMode))
        if batch_size < 1:
            raise TilingError(f"batch_size must be at least 1; got {batch_size}")
        if not scales or min(scales) <= 0:
            raise TilingError(f"scales must be positive factors, at least one; got {scales}")
        if not 0 <= holdout < 1:
            raise TilingError(f"holdout must be in [0, 1), a share of the images; got {holdout}")
        self.detector = detector
        self.tile_size = tile_size
        self.stride = tile_size if stride is None else stride
        self.pad_mode = pad_mode
        self.pad_value = pad_value
        self.u16_max = u16_max
        self.score_reduce = score_reduce
        self.score_topk = score_topk
        self.map_reduce = map_reduce
        self.score_quantile = score_quantile
        self.score_from = score_from
        self.batch_size = batch_size
        self.fit_mode = fit_mode
        self.max_fit_tiles = max_fit_tiles
        self.seed = seed
        self.holdout = holdout
        self.factory = factory
        self.contamination = contamination
        self.roi = roi
        self.skip_flat = skip_flat
        self.scales = tuple(scales)
        self.progress = progress
        bit_depth = None if u16_max is None else u16_max.bit_length()
        self._cutter = Cutter(tile_size, self.stride, pad_mode, pad_value, roi, skip_flat, self.scales, bit_depth)
        self._reduce = partial(reduce_scores, mode=score_reduce, topk=score_topk, quantile=score_quantile)
        self._calls: dict[tuple[int, int] | None, Calls] = {None: Calls(detector)}
        self._fitted_shape: tuple[int, int] | None = None
        self._fitted = False

    # Fitting.

    def fit(self, x: Iterable[Image], y: Any = None, **kwargs: Any) -> TiledDetector:  # noqa: ARG002 - the host passes y
        """Fit on normal images as `fit_mode` says, and take scores and threshold from tiled scores of normal images."""
        images = list(x)
        if not images:
            raise TilingError("fit needs at least one normal image; got none")
        fit_on, score_on = self._split(images)
        if self.fit_mode == "whole":
            self.detector.fit(fit_on, **kwargs)
        elif self.fit_mode == "tiles":
            self.detector.fit(self._sample_tiles(fit_on), **kwargs)
        else:
            self._fit_positions(fit_on, kwargs)
        self._fitted = True
        self.decision_scores_ = self.decision_function(score_on)
        self.threshold_ = self._threshold(self.decision_scores_)
        return self

    def _threshold(self, scores: Scores) -> float:
        """Return the score that a normal image exceeds with at most the promised probability, on average.

        It is the ceil((n + 1)(1 - c))-th smallest of n scores of normal images (split conformal prediction: Vovk et
        al., Algorithmic Learning in a Random World, 2005); too few images cannot keep the promise, which is said.
        """
        allowed = self._contamination()
        rank = math.ceil((len(scores) + 1) * (1 - allowed))
        if rank > len(scores):
            warnings.warn(
                f"{len(scores)} scores of normal images cannot promise to flag at most {allowed:.3g} of them; "
                f"{math.ceil(1 / allowed) - 1 if allowed else 'infinitely many'} can: the threshold is their maximum",
                IndustrialWarning,
                stacklevel=3,
            )
        threshold: float = np.sort(scores)[min(rank, len(scores)) - 1].item()
        return threshold

    def _split(self, images: list[Image]) -> tuple[list[Image], list[Image]]:
        """Return the images to fit on and those, not fitted on, that give the threshold."""
        kept = round(self.holdout * len(images))
        if kept == 0:
            warnings.warn(
                f"the threshold rests on the {len(images)} images that the detector was fitted on, whose scores may "
                f"be too low; give more images, or take the threshold from others",
                IndustrialWarning,
                stacklevel=3,
            )
            self.kept_: tuple[int, ...] = ()
            return images, images
        chosen = set(np.random.default_rng(self.seed).choice(len(images), kept, replace=False).tolist())
        self.kept_ = tuple(sorted(chosen))
        return (
            [image for index, image in enumerate(images) if index not in chosen],
            [image for index, image in enumerate(images) if index in chosen],
        )

    def _contamination(self) -> float:
        if self.contamination is not None:
            return self.contamination
        own: float = getattr(self.detector, "contamination", 0.1)
        return own

    def _sample_tiles(self, images: Sequence[Image]) -> list[NDArray[Any]]:
        """Return the tiles of the images, or `max_fit_tiles` of them, each as likely as any other (algorithm R)."""
        rng = np.random.default_rng(self.seed)
        tiles: list[NDArray[Any]] = []
        for count, (_, pixels, _) in enumerate(self._cutter.run_tiles(images)):
            if self.max_fit_tiles is None or len(tiles) < self.max_fit_tiles:
                tiles.append(pixels.copy())
            elif (place := rng.integers(count + 1)) < self.max_fit_tiles:
                tiles[place] = pixels.copy()
        if not tiles:
            raise TilingError("no tile to fit on: the region of interest or skip_flat leaves none")
        return tiles

    def _fit_positions(self, images: Sequence[Image], kwargs: dict[str, Any]) -> None:
        groups: dict[tuple[int, int], list[NDArray[Any]]] = {}
        shapes: set[tuple[int, int]] = set()
        for source, pixels, tile in self._cutter.run_tiles(images):
            shapes.add(source.shape)
            groups.setdefault((tile.row, tile.column), []).append(pixels.copy())
        if len(shapes) > 1:
            raise TilingError(f"fit_mode='position' needs images of one size; got {sorted(shapes)}: use 'tiles'")
        if len(self.scales) > 1:
            raise TilingError(f"fit_mode='position' runs at one scale; got {self.scales}")
        (self._fitted_shape,) = shapes
        for position, tiles in groups.items():
            one = self._another()
            one.fit(tiles, **kwargs)
            self._calls[position] = Calls(one)

    def _another(self) -> Any:
        if self.factory is not None:
            return self.factory()
        try:
            return copy.deepcopy(self.detector)
        except TypeError as error:
            raise TilingError(
                f"fit_mode='position' needs one detector a position, and a {type(self.detector).__name__} cannot be "
                f"copied ({error}); pass factory=, a function that makes one"
            ) from error

    # Scoring.

    def decision_function(self, x: Iterable[Image]) -> NDArray[np.float32]:
        """Return scores (N,) float32, higher is more anomalous."""
        want_map = self.score_from == "map"
        return np.array([self._run(source, want_map=want_map)[0] for source in self._sources(x)], np.float32)

    def predict(self, x: Iterable[Image]) -> NDArray[np.int64]:
        """Return 1 for images whose score exceeds `threshold_`, else 0, (N,)."""
        return (self.decision_function(x) > self.threshold_).astype(np.int64)

    def score_and_map(self, x: Iterable[Image]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Return scores (N,) and maps [(H, W) float32], each image passing once."""
        found = [self._run(source, want_map=True) for source in self._sources(x)]
        return np.array([score for score, _ in found], np.float32), [one for _, one in found]

    def predict_anomaly_map(self, x: Iterable[Image]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Return maps (N, H, W) float32, or a list of them where the images' sizes differ."""
        maps = [self.get_anomaly_map(source) for source in self._sources(x)]
        return np.stack(maps) if len({one.shape for one in maps}) == 1 else maps

    def get_anomaly_map(self, item: Image | Source) -> NDArray[np.float32]:
        """Return the map (H, W) float32 of one image."""
        source = self._open(item) if isinstance(item, (np.ndarray, str, Path)) else item
        anomaly_map: NDArray[np.float32] = self._run(source, want_map=True, want_score=False)[1]
        return anomaly_map

    def write_anomaly_map(self, item: Image, path: Path | str) -> float:
        """Write the map of one image, which may be larger than memory, to .npy, .tif or .zarr; return its score."""
        if self.scales != (1.0,):
            raise TilingError(f"a map written to a file is made at one scale; got scales={self.scales}")
        if self.score_from == "map" and self.score_reduce not in ("max", "mean"):
            raise TilingError(f"score_reduce={self.score_reduce!r} of a map on disk needs score_from='tiles'")
        with self._open(item) as source, open_sink(path, source.shape) as sink:
            return self._run_scale(source, sink=sink, want_map=True, want_score=True)[0]

    def _run(self, source: Source, *, want_map: bool, want_score: bool = True) -> tuple[float, Any]:
        scores, maps = [], []
        for scaled in self._cutter.scaled(source):
            sink = open_sink(None, scaled.shape)
            score, one = self._run_scale(scaled, sink=sink, want_map=want_map, want_score=want_score)
            scores.append(score)
            if want_map:
                maps.append(resized(one, source.shape))
        fused = maps[0] if len(maps) == 1 else np.mean(maps, axis=0, dtype=np.float32) if maps else None
        return sum(scores) / len(scores), fused

    def _run_scale(self, source: Source, *, sink: Sink, want_map: bool, want_score: bool) -> tuple[float, Any]:
        grid, region = self._cutter.grid(source), self._cutter.region(source)
        wants_tiles = want_score and self.score_from == "tiles"
        map_score = MapScore(self._reduce, None if wants_tiles else self.score_reduce, region, sink)
        accumulator = Accumulator(grid, self.map_reduce, sink=map_score) if want_map else None
        tile_scores: list[Scores] = []
        done = 0
        for batch in batches(self._cutter.tiles(source, grid, region), self.batch_size):
            run = [(pixels, tile) for pixels, tile in batch if pixels is not None]
            scores, maps = self._run_tiles(source, run, want_scores=wants_tiles, want_maps=want_map)
            if scores is not None:
                tile_scores.append(scores)
            if accumulator is not None:
                found = iter(maps or ())
                for pixels, tile in batch:
                    if pixels is None:
                        accumulator.skip(tile)
                    else:
                        accumulator.add(tile, next(found))
            done += len(batch)
            if self.progress is not None:
                self.progress(done, len(grid))
        anomaly_map = accumulator.finish() if accumulator is not None else None
        if not want_score:
            return 0.0, anomaly_map
        if not wants_tiles:
            return map_score.score(anomaly_map), anomaly_map
        # Without a tile that was run, the image is background or outside the region of interest.
        return self._reduce(np.concatenate(tile_scores)) if tile_scores else 0.0, anomaly_map

    def _run_tiles(
        self, source: Source, tiles: list[tuple[NDArray[Any], Tile]], *, want_scores: bool, want_maps: bool
    ) -> tuple[Scores | None, Maps | None]:
        if not tiles:
            return None, None
        run = partial(run_batch, image=source.name, want_scores=want_scores, want_maps=want_maps)
        if self._fitted_shape is None:
            return run(self._calls[None], tiles)
        found = [run(self._at(source, tile), [(pixels, tile)]) for pixels, tile in tiles]
        scores = [one for one, _ in found if one is not None]
        maps = [one for _, many in found for one in many or ()]
        return np.concatenate(scores) if scores else None, maps

    def _at(self, source: Source, tile: Tile) -> Calls:
        if source.shape != self._fitted_shape:
            raise TilingError(
                f"fit_mode='position' was fitted on images of {self._fitted_shape}; {source.name} has {source.shape}"
            )
        calls = self._calls.get((tile.row, tile.column))
        if calls is None:
            raise TilingError(f"no detector was fitted for the tile in row {tile.row}, column {tile.column}")
        return calls

    def _sources(self, images: Iterable[Image]) -> Iterator[Source]:
        return sources(images, bit_depth=self._cutter.bit_depth)

    def _open(self, item: Image) -> Source:
        return open_image(item, bit_depth=self._cutter.bit_depth)

    # What the wrapped detector alone knows.

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "detector" not in vars(self):
            raise AttributeError(name)
        value = getattr(self.detector, name)
        if name in ("threshold_", "decision_scores_") and not self._fitted:
            warnings.warn(
                f"{name} belongs to whole images: the detector was fitted before it was wrapped; fit the "
                f"TiledDetector, or calibrate a threshold on its own scores",
                IndustrialWarning,
                stacklevel=2,
            )
        return value

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"progress": None}


def _check_choice(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise TilingError(f"{name} must be one of {', '.join(known)}; got {value!r}")
