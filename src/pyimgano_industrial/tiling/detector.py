"""Any detector on images of any size: tiles in one pass, blended without seams, fitted on what it scores."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import calls_of
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.core.progress import Meter, Progress
from pyimgano_industrial.core.regions import Roi
from pyimgano_industrial.core.tolerance import promised_threshold
from pyimgano_industrial.tiling.blend import Accumulator, Blend
from pyimgano_industrial.tiling.cut import Cutter, Image, open_image, resized, sources
from pyimgano_industrial.tiling.detectors import Detectors, Levels, OneDetector, Scan, TileScores, TilingError
from pyimgano_industrial.tiling.fitting import Calibration, FitMode, Fitter, copied, plan, source_of
from pyimgano_industrial.tiling.grid import PadMode, check_pad_mode, make_grid
from pyimgano_industrial.tiling.run import Pass, run_tiles
from pyimgano_industrial.tiling.samples import Samples
from pyimgano_industrial.tiling.scores import MapScore, ScoreReduce, check_reduce, reduce_scores
from pyimgano_industrial.tiling.sink import Sink, open_sink
from pyimgano_industrial.tiling.source import Source


class TiledDetector:
    """Runs a detector on overlapping tiles and gives one score and one map an image.

    detector:     anything with fit, decision_function and, for maps, score_and_map, predict_anomaly_map or
                  get_anomaly_map, on images (H, W[, C]); what it accepts is found out on its first batch
    u16_max:      largest value of 16-bit files, for example 4095; None applies the rule of core.images
    tile_size:    pixels, a number or (height, width); stride: pixels from tile to tile, at most the tile size
    pad_mode:     how an image smaller than a tile is filled up, as in numpy.pad. Padding counts in no map and no score,
                  see `counted`: a detector without maps gets such an image as it is
    map_reduce:   how overlapping maps are blended: max, mean, hann, gaussian
    score_reduce: max, mean, topk_mean (the mean of the share `score_topk`), quantile (`score_quantile`)
    score_from:   "tiles": reduce the scores of the tiles, "map": reduce the pixels of the blended map, which saves
                  the second pass through a detector without `score_and_map`
    batch_size:   tiles alive at a time
    fit_mode:     "tiles": the detector is fitted on tiles, "position": one copy of it for each tile position, for
                  aligned parts of one size, "whole": on whole images
    max_fit_tiles, seed: fit on a random choice of that many tiles
    calibration:  where the threshold comes from. "folds": each image is scored by a detector that was fitted on the
                  others of `folds` shares, so that all images count; the fit takes `folds` times longer, and what is
                  kept is fitted on all. "holdout": a share `holdout` of the images is kept back. "fitted": the images
                  fitted on, with a warning. "none": no threshold
    factory:      makes the detectors of positions and folds; without it `detector` is copied, which some do not survive
    contamination: share of normal images that may be flagged; None takes the detector's own, else 0.1
    roi:          region of interest: mask (H, W), box (x0, y0, x1, y1) or polygon [(x, y), ...]; tiles outside are not
                  run, and only pixels inside count, see `counted`; outside the map is 0
    skip_flat:    tiles whose grey levels have a standard deviation below this are taken for background and not run
    scales:       (1.0, 0.5) also runs the image at half its size; maps are averaged
    progress:     called as progress(done, total) with the tiles of all images of a call, after each batch

    After `fit`, `decision_scores_` (N,) and `threshold_` come from tiled scores of normal images: those with the
    indices `scored_`, by detectors that did not see them or did, as `source_` says: "out-of-fold", "held-out" or
    "train". Where several detectors or scales meet, tile scores are then standardised by what is normal at their
    position or scale (`detectors.Levels`) before they are reduced: an image's score is in standard deviations.
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
        calibration: Calibration = "folds",
        folds: int = 5,
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
        _check_choice("calibration", calibration, get_args(Calibration))
        if not 0 < holdout < 1:
            raise TilingError(f"holdout must be in (0, 1), a share of the images; got {holdout}")
        if folds < 2:
            raise TilingError(f"folds must be at least 2; got {folds}")
        if max_fit_tiles is not None and max_fit_tiles < 1:
            raise TilingError(f"max_fit_tiles must be at least 1, or None for all; got {max_fit_tiles}")
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
        self.calibration = calibration
        self.folds = folds
        self.holdout = holdout
        self.factory = factory
        self._contamination = contamination
        self.roi = roi
        self.skip_flat = skip_flat
        self.scales = tuple(scales)
        self.progress = progress
        bit_depth = None if u16_max is None else u16_max.bit_length()
        with_maps = calls_of(detector).has_maps
        self._cutter = Cutter(
            tile_size, self.stride, pad_mode, pad_value, roi, skip_flat, self.scales, bit_depth, with_maps
        )
        self._reduce = partial(reduce_scores, mode=score_reduce, topk=score_topk, quantile=score_quantile)
        self._detectors: Detectors = OneDetector(detector)
        self._levels: Levels | None = None
        self._fitted = False

    # Fitting.

    def fit(self, x: Iterable[Image], y: Any = None, **kwargs: Any) -> TiledDetector:  # noqa: ARG002 - the host passes y
        """Fit on normal images as `fit_mode` says, and take scores and threshold from tiled scores of normal images."""
        images = list(x)
        if not images:
            raise TilingError("fit needs at least one normal image; got none")
        samples = None if self.fit_mode == "whole" else Samples(self._cutter, images)
        fitter = Fitter(self.fit_mode, images, samples, self._another, self.max_fit_tiles, self.seed, kwargs)
        steps = plan(len(images), self._calibration(), folds=self.folds, holdout=self.holdout, seed=self.seed)
        meter = Meter(self.progress, sum(len(step.score_on) for step in steps))
        scans: dict[int, Scan] = {}
        for step in steps:
            detectors = fitter.fit(step.fit_on, detector=self.detector if step is steps[-1] else None)
            held_out = self._sources(images[index] for index in step.score_on)
            for index, source in zip(step.score_on, held_out, strict=True):
                scans[index] = self._scan(source, detectors, meter)
        self._detectors = detectors
        self._fitted = True
        self.scored_ = tuple(sorted(scans))
        self.source_ = source_of(steps)
        self._calibrate([scans[index] for index in self.scored_])
        return self

    def _calibrate(self, scans: Sequence[Scan]) -> None:
        parts = 3 if self.fit_mode == "position" else 1
        several = self.fit_mode == "position" or len(self.scales) > 1
        tiled = several and self.score_from == "tiles" and scans
        self._levels = Levels.of((scan.tiles for scan in scans), parts=parts) if tiled else None
        if scans:
            self.decision_scores_ = np.array([self._score(scan) for scan in scans], np.float32)
            self.threshold_ = promised_threshold(self.decision_scores_, rate=self.contamination)

    def _calibration(self) -> Calibration:
        if self.calibration != "folds" or self.factory is not None:
            return self.calibration
        try:
            copied(self.detector)
        except TilingError as error:
            warnings.warn(
                f"the threshold rests on a share of {self.holdout} of the images, kept back: {error}",
                IndustrialWarning,
                stacklevel=3,
            )
            return "holdout"
        return "folds"

    @property
    def contamination(self) -> float:
        """The share of normal images that may be flagged: as given, else the detector's own, else 0.1."""
        if self._contamination is not None:
            return self._contamination
        own: float = getattr(self.detector, "contamination", 0.1)
        return own

    @contamination.setter
    def contamination(self, share: float | None) -> None:
        self._contamination = share

    @property
    def more_than_its_detector(self) -> bool:
        """Whether scores need more than `detector`: those of other positions, or what is normal at a place or scale."""
        return self.fit_mode == "position" or self._levels is not None

    def restore(self, fitted: TiledDetector) -> None:
        """Take over what another tiled detector was fitted to; raises TilingError where its tiles lie elsewhere."""
        for name in ("tile_size", "stride", "scales", "fit_mode"):
            own, theirs = getattr(self, name), getattr(fitted, name)
            if own != theirs:
                raise TilingError(f"{name} must be {theirs!r}, as it was when the detector was fitted; got {own!r}")
        kept = ("detector", "decision_scores_", "threshold_", "scored_", "source_", "_detectors", "_levels", "_fitted")
        vars(self).update({name: value for name, value in vars(fitted).items() if name in kept})

    def _another(self) -> Any:
        return copied(self.detector) if self.factory is None else self.factory()

    # Scoring.

    def decision_function(self, x: Iterable[Image]) -> NDArray[np.float32]:
        """Return scores (N,) float32, higher is more anomalous."""
        return np.array([self._score(scan) for scan in self._scans(x)], np.float32)

    def predict(self, x: Iterable[Image]) -> NDArray[np.int64]:
        """Return 1 for images whose score exceeds `threshold_`, else 0, (N,)."""
        return (self.decision_function(x) > self.threshold_).astype(np.int64)

    def score_and_map(self, x: Iterable[Image]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Return scores (N,) and maps [(H, W) float32], each image passing once."""
        found = [(self._score(scan), scan.anomaly_map) for scan in self._scans(x, want_map=True)]
        return np.array([score for score, _ in found], np.float32), [one for _, one in found]

    def predict_anomaly_map(self, x: Iterable[Image]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Return maps (N, H, W) float32, or a list of them where the images' sizes differ."""
        maps = [scan.anomaly_map for scan in self._scans(x, want_map=True, want_score=False)]
        return np.stack(maps) if len({one.shape for one in maps}) == 1 else maps

    def get_anomaly_map(self, item: Image | Source) -> NDArray[np.float32]:
        """Return the map (H, W) float32 of one image."""
        source = self._open(item) if isinstance(item, (np.ndarray, str, Path)) else item
        meter = Meter(self.progress, 1)
        anomaly_map: NDArray[np.float32] = self._scan(
            source, self._detectors, meter, want_map=True, want_score=False
        ).anomaly_map
        return anomaly_map

    def write_anomaly_map(self, item: Image, path: Path | str) -> float:
        """Write the map of one image, which may be larger than memory, to .npy, .tif or .zarr; return its score."""
        if self.scales != (1.0,):
            raise TilingError(f"a map written to a file is made at one scale; got scales={self.scales}")
        if self.score_from == "map" and self.score_reduce not in ("max", "mean"):
            raise TilingError(f"score_reduce={self.score_reduce!r} of a map on disk needs score_from='tiles'")
        with self._open(item) as source, open_sink(path, source.shape) as sink:
            meter = Meter(self.progress, 1)
            return self._score(self._scan(source, self._detectors, meter, want_map=True, sink=sink))

    def _scans(self, x: Iterable[Image], *, want_map: bool = False, want_score: bool = True) -> Iterator[Scan]:
        meter = Meter(self.progress, len(x) if isinstance(x, Sized) else None)
        for source in self._sources(x):
            yield self._scan(source, self._detectors, meter, want_map=want_map, want_score=want_score)

    def _scan(
        self,
        source: Source,
        detectors: Detectors,
        meter: Meter,
        *,
        want_map: bool = False,
        want_score: bool = True,
        sink: Sink | None = None,
    ) -> Scan:
        """Return what the tiles of one image gave, at all scales."""
        detectors.check(source)
        from_map = want_score and self.score_from == "map"
        scaled = list(self._cutter.scaled(source))
        meter.begin(sum(len(self._cutter.grid(one)) for one in scaled))
        tiles, maps, map_scores = [], [], []
        for index, one in enumerate(scaled):
            region = self._cutter.region(source, one)
            map_score = MapScore(
                self._reduce, self.score_reduce if from_map else None, region, sink or open_sink(None, one.shape)
            )
            grid = self._cutter.grid(one)
            accumulator = Accumulator(grid, self.map_reduce, sink=map_score) if want_map or from_map else None
            way = Pass(one, index, region, want_score and not from_map, accumulator, meter.advance)
            tiles.append(run_tiles(self._cutter, detectors, way, batch_size=self.batch_size))
            if accumulator is not None:
                anomaly_map = accumulator.finish()
                maps.append(resized(anomaly_map, source.shape) if sink is None else anomaly_map)
                map_scores.append(map_score.score(anomaly_map) if from_map else 0.0)
        fused = maps[0] if len(maps) == 1 else np.mean(maps, axis=0, dtype=np.float32) if maps else None
        return Scan(TileScores.joined(tiles), float(np.mean(map_scores)) if from_map else None, fused)

    def _score(self, scan: Scan) -> float:
        """Return the score of an image; 0 without a tile that was run: it is background or outside the region."""
        if scan.map_score is not None:
            return scan.map_score
        if not scan.tiles.places:
            return 0.0
        if self._levels is not None:
            return self._reduce(self._levels.standardised(scan.tiles))
        return float(np.mean([self._reduce(values) for values in scan.tiles.by_scale()]))

    def _sources(self, images: Iterable[Image]) -> Iterator[Source]:
        return sources(images, bit_depth=self._cutter.bit_depth)

    def _open(self, item: Image) -> Source:
        return open_image(item, bit_depth=self._cutter.bit_depth)

    # What the wrapped detector alone knows.

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "detector" not in vars(self):
            raise AttributeError(name)
        if name in ("threshold_", "decision_scores_") and self._fitted:
            raise AttributeError(f"{name} belongs to tiles: calibration='none' made none for images")
        value = getattr(self.detector, name)
        if name in ("threshold_", "decision_scores_"):
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
