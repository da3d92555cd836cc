"""A detector that looks at a region of interest only: in its scores, its threshold and its maps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import Images, calls_of
from pyimgano_industrial.core.regions import RegionError
from pyimgano_industrial.inference.feed import Frame, Input, Reader, batches, frames, items, read_input
from pyimgano_industrial.inference.forward import OnePass, run
from pyimgano_industrial.inference.painted import Paint, name_of, painted
from pyimgano_industrial.inference.rois import RoiLike, Rois
from pyimgano_industrial.tiling.scores import ScoreReduce, check_reduce, reduce_scores


class RegionDetector:
    """Wraps a detector with maps: the score of an image is taken from its map's pixels inside a region.

    roi:          as in `inference.rois`: mask, box, polygon, path, mapping or function
    score_reduce: max, mean, topk_mean (the mean of the share `score_topk`), quantile (`score_quantile`)
    contamination: share of the images given to `fit` that lie above `threshold_`; None takes the detector's own

    The region counts in `fit` too: the detector is fitted on, and then given, images whose pixels outside have one
    colour. Where it was fitted before, where it compares files with references, and where none of the images to fit on
    has a region by its name, it sees whole images. A TiledDetector takes one `roi=` for all images itself. After `fit`,
    `decision_scores_` (N,) and `threshold_` are those of the region, over the same images: calibrate the threshold on
    others where a rate is promised.
    Raises RegionError, a ValueError, for a detector without maps, and where only some of the images to fit on have a
    region.
    """

    _paint: Paint | None = None

    def __init__(
        self,
        detector: Any,
        *,
        roi: RoiLike,
        score_reduce: ScoreReduce = "max",
        score_topk: float = 0.1,
        score_quantile: float = 0.99,
        contamination: float | None = None,
    ) -> None:
        check_reduce(score_reduce, topk=score_topk, quantile=score_quantile)
        check_maps(detector)
        self.detector = detector
        self.rois = Rois(roi)
        self.reduce = self.reducer(score_reduce, topk=score_topk, quantile=score_quantile)
        self.contamination = _contamination(detector) if contamination is None else contamination

    @staticmethod
    def reducer(mode: ScoreReduce, *, topk: float = 0.1, quantile: float = 0.99) -> Callable[[NDArray[Any]], float]:
        """Return what makes a score of a map's pixels."""
        return partial(reduce_scores, mode=mode, topk=topk, quantile=quantile)

    def fit(self, x: Iterable[Input], y: Any = None, **kwargs: Any) -> RegionDetector:
        """Fit the detector on normal images, and take the threshold from their scores inside the region."""
        images = list(x)
        self.fit_only(images, y, **kwargs)
        self.decision_scores_ = self.decision_function(images)
        self.threshold_ = np.quantile(self.decision_scores_, 1 - self.contamination).item()
        return self

    def fit_only(self, x: Sequence[Input], y: Any = None, *, names: Sequence[str] | None = None, **kwargs: Any) -> None:
        """Fit the detector on normal images, without a threshold; names: of arrays whose regions go by name."""
        called = [name_of(item, index) for index, item in enumerate(x)] if names is None else names
        refers = hasattr(self.detector, "set_reference_dir")  # pyimgano's: it reads whole references
        self._paint = None if refers or not self._all_known(called) else Paint.like(x[0], self.rois, name=called[0])
        if y is not None:
            kwargs["y"] = y
        if self._paint is None:
            self.detector.fit(x, **kwargs)
        elif self._behind_chain:
            images: list[Any] = [  # the chain reads files by itself
                item if isinstance(item, (str, Path)) else read_input(item, name=name)
                for item, name in zip(x, called, strict=True)
            ]
            named = Images(images, paths=[None] * len(images), names=called)
            self.detector.fit(named, after_chain=self._paint.over_all, **kwargs)
        else:
            with painted(x, self._paint, names=called) as shown:
                self.detector.fit(shown, **kwargs)

    @property
    def _behind_chain(self) -> bool:
        """Whether the detector has a chain, which measures whole images: they are painted over after it."""
        return hasattr(type(self.detector), "after_chain")

    def _all_known(self, names: Sequence[str]) -> bool:
        """Return whether the images have regions, False where none has; raises RegionError where only some have."""
        known = [self.rois.knows(name) for name in names]
        if any(known) and not all(known):
            raise RegionError(
                f"all or none of the images to fit on must have a region; {sum(known)} of {len(known)} have one, "
                f"{names[known.index(False)]} has none: add one, or null (None) for all of it"
            )
        return any(known)

    def shown(self, images: Images) -> Images:
        """Return what the detector is given of a batch: painted over outside where it was fitted so."""
        return images if self._paint is None or self._behind_chain else self._paint.over_all(images)

    def decision_function(self, x: Iterable[Input]) -> NDArray[np.float32]:
        """Return scores (N,) float32, higher is more anomalous."""
        return np.array([score for score, _ in self._passes(x)], np.float32)

    def predict(self, x: Iterable[Input]) -> NDArray[np.int64]:
        """Return 1 for images whose score exceeds `threshold_`, else 0, (N,)."""
        return (self.decision_function(x) > self.threshold_).astype(np.int64)

    def score_and_map(self, x: Iterable[Input]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Return scores (N,) and maps [(H, W) float32], 0 outside the region, each image passing once."""
        found = list(self._passes(x))
        return np.array([score for score, _ in found], np.float32), [one for _, one in found]

    def predict_anomaly_map(self, x: Iterable[Input]) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Return maps (N, H, W) float32, or a list of them where the images' sizes differ."""
        maps = self.score_and_map(x)[1]
        return np.stack(maps) if len({one.shape for one in maps}) == 1 else maps

    def get_anomaly_map(self, item: Input) -> NDArray[np.float32]:
        """Return the map (H, W) float32 of one image."""
        return self.score_and_map([item])[1][0]

    def _passes(self, x: Iterable[Input]) -> Iterator[tuple[float, NDArray[np.float32]]]:
        forward = OnePass(self.detector)
        for batch in batches(frames(items(x), Reader()), None):
            images = self.shown(as_images(batch))
            with calls_of(self.detector).lock:
                scores, maps = run(forward, images, want_maps=True)
                found, own = inside(self.rois, self.reduce, scores, maps, images, self.detector)
            yield from zip(found.tolist(), own, strict=True)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name in ("threshold_", "decision_scores_") or "detector" not in vars(self):
            raise AttributeError(name)
        return getattr(self.detector, name)


def check_maps(detector: Any) -> None:
    """Raise RegionError for a detector that gives no maps."""
    if not calls_of(detector).has_maps:
        raise RegionError(
            f"a region of interest needs a detector with anomaly maps; a {type(detector).__name__} has none: tile it "
            f"(TiledDetector(roi=...), --tile-size in the commands), or choose another"
        )


def _contamination(detector: Any) -> float:
    """Return the detector's own, that of the detector inside where it leaves it open, else 0.1."""
    inner = getattr(detector, "detector", None)
    owns = (getattr(one, "contamination", None) for one in (detector, inner))
    found: float = next((own for own in owns if own is not None), 0.1)
    return found


def as_images(batch: Sequence[Frame]) -> Images:
    """Return the pixels of frames, all of which were read; raises the first error otherwise."""
    for frame in batch:
        if frame.error is not None:
            raise frame.error
    return Images(
        [frame.image for frame in batch],
        paths=[frame.path for frame in batch],
        names=[frame.name for frame in batch],
    )


def inside(
    rois: Rois,
    reduce: Callable[[NDArray[Any]], float],
    scores: NDArray[np.float32],
    maps: Sequence[NDArray[np.float32] | None],
    images: Images,
    detector: Any,
) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Return scores of the pixels inside each image's region, and maps that are 0 outside."""
    check_maps(detector)
    own: list[NDArray[np.float32]] = []
    found = scores.copy()
    for index, (one, name) in enumerate(zip(maps, images.names, strict=True)):
        if one is None:
            raise RegionError(f"a region of interest needs a map; {type(detector).__name__} gave none for {name}")
        pixels = rois.mask(name, one.shape)
        if not pixels.any():
            raise RegionError(f"a region of interest must hold a pixel; that of {name} holds none")
        found[index] = reduce(one[pixels])
        own.append(np.where(pixels, one, np.float32(0)))
    return found, own
