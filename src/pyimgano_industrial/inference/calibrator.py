"""From scores, or maps, of normal images to a threshold that says what it promises."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyimgano_industrial.core.errors import IndustrialWarning, closest
from pyimgano_industrial.inference.calibration import SOURCES, Calibration, CalibrationError, Level, Per, Source
from pyimgano_industrial.inference.caveats import about_scores, about_train, caveats
from pyimgano_industrial.inference.changes import ThresholdChange, now
from pyimgano_industrial.inference.pixels import PixelScores
from pyimgano_industrial.inference.rates import count_bounds, mean_bounds
from pyimgano_industrial.inference.thresholds import METHODS, Cut, Method, Promise, Scores, cut


@dataclass(frozen=True)
class Calibrator:
    """Makes thresholds from normal images only.

    method:     "tolerance"  keeps its promise with the stated confidence, whatever the scores: the default
                "conformal"  keeps it on average over many sets of images
                "quantile"   what the host does; "mean_sigma", "median_mad": for scores of about normal shape
                "tail"       extrapolates the highest scores, for rates below one in the number of images
    target_fpr: share of false alarms among normal images, or pixels, 0 < target_fpr < 1
    confidence: of "tolerance" and of the reported bounds, 0.5 <= confidence < 1
    k:          of "mean_sigma" and "median_mad"; None takes the k for the target

    >>> calibration = Calibrator(target_fpr=0.1).fit(range(100), source="held-out")
    >>> calibration.threshold, calibration.promise
    (94.0, 'proven')
    """

    method: Method = "tolerance"
    target_fpr: float = 0.05
    confidence: float = 0.9
    k: float | None = None

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise CalibrationError(f"method {self.method!r} is unknown; {closest(str(self.method), METHODS)}")
        if not 0 < self.target_fpr < 1:
            raise CalibrationError(f"target_fpr must be in (0, 1), a share of normal images; got {self.target_fpr}")
        if not 0.5 <= self.confidence < 1:
            raise CalibrationError(f"confidence must be in [0.5, 1); got {self.confidence}")
        if self.k is not None and self.method not in ("mean_sigma", "median_mad"):
            raise CalibrationError(f"k is for 'mean_sigma' and 'median_mad'; got k={self.k} with {self.method!r}")

    def fit(
        self, scores: ArrayLike, *, images: Sequence[Any] | None = None, source: Source = "held-out"
    ) -> Calibration:
        """Return the threshold from scores (N,) of normal images, higher is more anomalous.

        images: their names, one a score; of scores under one name, several shots of one part, the highest counts.
        source: where the scores came from. "train" promises nothing; "out-of-fold" scores come from other detectors
        than the one in use, so that "proven" becomes "on average".
        Warns, IndustrialWarning, of all that it cannot hold. Raises CalibrationError for scores that are empty, not
        finite or not (N,).
        """
        values = _checked(scores)
        names = _names(images, len(values))
        _check_source(source)
        values, names = _one_per_name(values, names)
        return self._fit_scores(np.sort(values), _Basis(len(values), names, source))

    def fit_maps(
        self,
        maps: Iterable[NDArray[Any]],
        *,
        masks: Iterable[NDArray[np.bool_] | None] | None = None,
        images: Sequence[Any] | None = None,
        source: Source = "held-out",
        per: Per = "pixels",
        area: int = 0,
    ) -> Calibration:
        """Return a pixel threshold from maps (H, W) of normal images, of any sizes; one map is in memory at a time.

        masks: regions of interest (H, W) bool, or None for a whole map; pixels outside do not count.
        per: see `fit_pixels`.
        """
        pixels = PixelScores(area=area)
        for one, mask in zip(maps, repeat(None) if masks is None else masks, strict=masks is not None):
            pixels.add(one, mask)
        return self.fit_pixels(pixels, images=images, source=source, per=per)

    def fit_pixels(
        self,
        pixels: PixelScores,
        *,
        images: Sequence[Any] | None = None,
        source: Source = "held-out",
        per: Per = "pixels",
    ) -> Calibration:
        """Return a pixel threshold from maps that were added one by one.

        per: "pixels": at most the target share of an image's normal pixels is flagged, in the mean over images;
        "images": at most the target share of normal images has more than `pixels.area` flagged pixels.
        The pixels of one image are alike, so that in both cases the number of images is what a promise rests on.
        """
        if not pixels.count:
            raise CalibrationError("a pixel threshold needs at least one map of a normal image; got none")
        if per not in ("images", "pixels"):
            raise CalibrationError(f"per must be 'images' or 'pixels'; got {per!r}")
        _check_source(source)
        basis = _Basis(pixels.count, _names(images, pixels.count), source, "pixel", per)
        if per == "images":
            return self._fit_scores(np.sort(pixels.largest), replace(basis, area=pixels.area))
        found = pixels.cut(self.method, target=self.target_fpr, confidence=self.confidence, k=self.k)
        bounds = mean_bounds(found.above / pixels.count, pixels.count, confidence=self.confidence)
        return self._report(found, bounds, [about_train(pixels.largest)] if source == "train" else [], basis)

    def _fit_scores(self, ordered: Scores, basis: _Basis) -> Calibration:
        """Calibrate one number an image, in ascending order: its score, or its largest pixel."""
        if self.method == "mean_sigma" and basis.images < 2:
            raise CalibrationError("'mean_sigma' needs at least 2 images; got 1")
        found = cut(ordered, method=self.method, target=self.target_fpr, confidence=self.confidence, k=self.k)
        bounds = count_bounds(int(found.above), basis.images, confidence=self.confidence)
        if basis.level == "pixel":  # one step up, for the host flags pixels that equal the threshold
            found = replace(found, threshold=np.nextafter(np.float32(found.threshold), np.float32(np.inf)).item())
        return self._report(found, bounds, about_scores(ordered, basis.source), basis)

    def _report(self, found: Cut, bounds: tuple[float, float], said: list[str], basis: _Basis) -> Calibration:
        said = said + caveats(
            found,
            method=self.method,
            target=self.target_fpr,
            confidence=self.confidence,
            count=basis.images,
            low=bounds[0],
            of="the pixels of good images" if basis.per == "pixels" else "good images",
        )
        for sentence in said:
            warnings.warn(sentence, IndustrialWarning, stacklevel=4)
        change = ThresholdChange(
            now(), None, found.threshold, self.method, basis.level, basis.source, basis.images, basis.names
        )
        return Calibration(
            threshold=found.threshold,
            method=self.method,
            target_fpr=self.target_fpr,
            confidence=self.confidence,
            promise=_promise(found.promise, basis.source),
            expected_fpr=found.expected,
            fpr_low=bounds[0],
            fpr_high=bounds[1],
            caveats=tuple(said),
            changes=(change,),
            **vars(basis),
        )


@dataclass(frozen=True)
class _Basis:
    """What a calibration says of the images behind it."""

    images: int
    names: tuple[str, ...]
    source: Source
    level: Level = "image"
    per: Per = "images"
    area: int = 0


def _promise(promise: Promise, source: Source) -> Promise:
    if source == "train":
        return "refused"
    return "on average" if source == "out-of-fold" and promise == "proven" else promise


def _checked(scores: ArrayLike) -> Scores:
    try:
        values = np.asarray(scores, np.float64)
    except (TypeError, ValueError) as error:
        raise CalibrationError(f"scores must be numbers, one an image; got {type(scores).__name__}: {error}") from error
    if values.ndim != 1:
        raise CalibrationError(f"scores must be (N,), one an image; got shape {values.shape}")
    if not values.size:
        raise CalibrationError("a threshold needs at least one score of a normal image; got none")
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise CalibrationError(
            f"scores must be finite; score {bad[0]} of {values.size} is {values[bad[0]]}: look at that image's map"
        )
    return values


def _names(images: Sequence[Any] | None, count: int) -> tuple[str, ...]:
    names = () if images is None else tuple(str(image) for image in images)
    if images is not None and len(names) != count:
        raise CalibrationError(f"images must name every score; got {len(names)} names for {count} scores")
    return names


def _check_source(source: str) -> None:
    if source not in SOURCES:
        raise CalibrationError(f"source must be one of {', '.join(SOURCES)}; got {source!r}")


def _one_per_name(values: Scores, names: tuple[str, ...]) -> tuple[Scores, tuple[str, ...]]:
    highest: dict[str, float] = {}
    for name, value in zip(names, values.tolist(), strict=False):
        highest[name] = max(value, highest.get(name, value))
    return (np.array(list(highest.values())), tuple(highest)) if len(highest) < len(names) else (values, names)
