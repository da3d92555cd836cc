"""Images through a detector: read ahead, one pass a batch, regions of interest, labels, and errors that name the image.

This is what `pyimgano.inference.infer` and `infer_iter` are as well, once this package is installed.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import Images, calls_of
from pyimgano_industrial.core.errors import IndustrialError, IndustrialWarning
from pyimgano_industrial.inference.decision import Decision, Policy
from pyimgano_industrial.inference.feed import BATCH, Frame, Input, Reader, batches, frames, items
from pyimgano_industrial.inference.formats import parse_format
from pyimgano_industrial.inference.forward import Forward, OnePass, run
from pyimgano_industrial.inference.latency import Latency
from pyimgano_industrial.inference.ownership import Keep
from pyimgano_industrial.inference.region_detector import RegionDetector, as_images, inside
from pyimgano_industrial.inference.result import Result
from pyimgano_industrial.inference.rois import RoiLike, Rois
from pyimgano_industrial.tiling.detector import TiledDetector
from pyimgano_industrial.tiling.scores import ScoreReduce, check_reduce

OnError = Literal["raise", "report"]
Postprocess = Callable[[NDArray[np.float32]], NDArray[Any]]


class InferenceError(IndustrialError, ValueError):
    """An inference cannot be run as asked."""


def infer(
    detector: Any,
    inputs: Iterable[Input] | NDArray[Any],
    *,
    input_format: str | None = None,
    u16_max: int | None = None,
    include_maps: bool = False,
    include_confidence: bool = False,
    reject_confidence_below: float | None = None,
    reject_label: int | None = None,
    postprocess: Postprocess | None = None,
    postprocess_summary: dict[str, Any] | None = None,
    batch_size: int | None = None,
    on_error: OnError = "raise",
    roi: RoiLike | None = None,
    roi_reduce: ScoreReduce = "max",
    threshold: float | None = None,
    latency: Latency | None = None,
) -> list[Result]:
    """Return one result an input, in order; the arguments are those of `infer_iter`.

    Maps of one batch may be parts of one array of their own, which is free when none of them is kept.
    """
    return list(
        infer_iter(
            detector,
            inputs,
            input_format=input_format,
            u16_max=u16_max,
            include_maps=include_maps,
            include_confidence=include_confidence,
            reject_confidence_below=reject_confidence_below,
            reject_label=reject_label,
            postprocess=postprocess,
            postprocess_summary=postprocess_summary,
            batch_size=batch_size,
            on_error=on_error,
            roi=roi,
            roi_reduce=roi_reduce,
            threshold=threshold,
            latency=latency,
            keep="together",
        )
    )


def infer_iter(
    detector: Any,
    inputs: Iterable[Input] | NDArray[Any],
    *,
    input_format: str | None = None,
    u16_max: int | None = None,
    include_maps: bool = False,
    include_confidence: bool = False,
    reject_confidence_below: float | None = None,
    reject_label: int | None = None,
    postprocess: Postprocess | None = None,
    postprocess_summary: dict[str, Any] | None = None,
    batch_size: int | None = None,
    on_error: OnError = "raise",
    roi: RoiLike | None = None,
    roi_reduce: ScoreReduce = "max",
    threshold: float | None = None,
    latency: Latency | None = None,
    keep: Keep = "each",
    forward: Forward | None = None,
    measure: Callable[[Images], None] | None = None,
    around: Callable[[], AbstractContextManager[Any]] | None = None,
) -> Iterator[Result]:
    """Yield one result an input, in order; memory does not grow with their number.

    detector:     anything with decision_function, score_and_map, predict_anomaly_map or get_anomaly_map; what it
                  accepts is found out on its first batch. Calls from several threads run one after the other
    inputs:       paths and arrays, mixed, of any sizes; or one batch (N, H, W[, C]). A generator is read as it goes
    input_format: what the arrays are, see `inference.formats`; None infers it. Files say it themselves
    u16_max:      largest value of 16-bit samples, for example 4095
    include_maps: with an anomaly map (H, W) float32 an image, at its own size, where the detector has maps
    include_confidence, reject_confidence_below, reject_label: the detector's confidence in a label, and what is too
                  little of it
    postprocess:  applied to each map
    batch_size:   images a call; None means up to 16, and up to 64 MiB of pixels
    on_error:     "raise", or "report": an image that cannot be read or scored gives a result with its `error`, and a
                  batch that fails is run again image by image to find the one at fault
    roi:          region of interest, see `inference.rois`: the score is `roi_reduce` of the map's pixels inside, the
                  map is 0 outside. Labels then need a `threshold` of such scores, or a RegionDetector
    threshold:    what a label is decided by; None takes the detector's `threshold_`, where it has one
    latency:      told the seconds of every batch
    keep:         "each": a map that is kept keeps no other; "together", for who keeps all: maps of one batch may be
                  parts of one array, which saves a copy. Either way no detector can change them later
    forward, around: what calls the detector, and the context it is called in; for pyimgano
    measure:      called with the images of each batch as they were read, before they are scored

    Raises ImageError naming the input, RegionError, DetectorOutputError, InferenceError (all ValueError); an error of
    the detector arrives as it is, with the images' names in its notes.
    """
    if on_error not in get_args(OnError):
        raise InferenceError(f"on_error must be one of {', '.join(get_args(OnError))}; got {on_error!r}")
    if batch_size is not None and batch_size < 1:
        batch_size = None  # pyimgano's way to say "choose"
    check_reduce(roi_reduce, topk=0.1, quantile=0.99)
    regions, target, reduce, show = _regions(detector, roi, roi_reduce)
    stated = None if input_format is None else parse_format(input_format).name
    reader = Reader(stated, u16_max, by_rows=isinstance(target, TiledDetector) and regions is None)
    policy = Policy(_threshold(detector, threshold, roi), include_confidence, reject_confidence_below, reject_label)
    one = _Run(
        target,
        forward or OnePass(target),
        regions,
        reduce,
        show,
        measure,
        policy,
        include_maps,
        keep,
        postprocess,
        around or _no_gradients,
    )
    found = batches(
        frames(items(inputs, input_format=reader.input_format), reader, ahead=batch_size or BATCH), batch_size
    )
    while True:
        started = time.perf_counter()
        batch = next(found, None)
        if batch is None:
            return
        outcomes = _outcomes(one, batch, on_error)
        if latency is not None:
            latency.add(time.perf_counter() - started, len(batch))
        for outcome in outcomes:
            summary = None if postprocess_summary is None else dict(postprocess_summary)
            yield _result(outcome, summary)
        del batch, outcomes


@dataclass(frozen=True)
class _Outcome:
    """What became of one frame."""

    score: float = np.nan
    anomaly_map: NDArray[np.float32] | None = None
    decision: Decision = field(default_factory=Decision)
    error: Exception | None = None


@dataclass(frozen=True)
class _Run:
    """What every batch of a run has in common."""

    detector: Any
    forward: Forward
    rois: Rois | None
    reduce: Callable[[NDArray[Any]], float]
    show: Callable[[Images], Images]
    measure: Callable[[Images], None] | None
    policy: Policy
    include_maps: bool
    keep: Keep
    postprocess: Postprocess | None
    around: Callable[[], AbstractContextManager[Any]]

    def __call__(self, batch: Sequence[Frame]) -> list[_Outcome]:
        """Return the outcomes of frames that were read."""
        read = as_images(batch)
        if self.measure is not None:
            self.measure(read)
        images = self.show(read)
        with calls_of(self.detector).lock, self.around():
            want_maps = self.include_maps or self.rois is not None
            keep = self.keep if self.include_maps and not self._makes_copies else None
            scores, found = run(self.forward, images, want_maps=want_maps, keep=keep)
            maps: Sequence[NDArray[np.float32] | None] = found
            if self.rois is not None:
                scores, maps = inside(self.rois, self.reduce, scores, found, images, self.detector)
            decisions = self.policy.decide(self.detector, images, scores)
        shown = [self._shown(one) for one in maps]
        return [
            _Outcome(score.item(), one, decision) for score, one, decision in zip(scores, shown, decisions, strict=True)
        ]

    @property
    def _makes_copies(self) -> bool:
        """Whether maps are new arrays anyway; those of a tiled detector may be as large as memory allows."""
        return self.rois is not None or isinstance(self.detector, TiledDetector)

    def _shown(self, one: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
        if one is None or not self.include_maps:
            return None
        return one if self.postprocess is None else np.asarray(self.postprocess(one), np.float32)


def _outcomes(one: _Run, batch: Sequence[Frame], on_error: OnError) -> list[_Outcome]:
    """Return one outcome a frame, in order."""
    read = [frame for frame in batch if frame.error is None]
    if on_error == "raise":
        for frame in batch:
            if frame.error is not None:
                raise frame.error
    try:
        found = iter(one(read) if read else [])
    except Exception as error:
        if on_error == "raise":
            raise
        found = iter([_Outcome(error=error)] if len(read) == 1 else _alone(one, read))
    return [next(found) if frame.error is None else _Outcome(error=frame.error) for frame in batch]


def _alone(one: _Run, batch: Sequence[Frame]) -> list[_Outcome]:
    outcomes = []
    for frame in batch:
        try:
            outcomes += one([frame])
        except Exception as error:  # noqa: BLE001 - reported in the image's own result
            outcomes.append(_Outcome(error=error))
    return outcomes


def _result(outcome: _Outcome, summary: dict[str, Any] | None) -> Result:
    decision = outcome.decision
    return Result(
        score=outcome.score,
        label=decision.label,
        label_confidence=decision.confidence,
        rejected=decision.rejected,
        anomaly_map=outcome.anomaly_map,
        postprocess_summary=summary,
        decision_summary=decision.summary(),
        error=outcome.error,
    )


def _regions(
    detector: Any, roi: RoiLike | None, reduce: ScoreReduce
) -> tuple[Rois | None, Any, Callable[[NDArray[Any]], float], Callable[[Images], Images]]:
    """Return where to look, the detector to call, how its maps become scores, and what it is given of a batch."""
    if isinstance(detector, RegionDetector):
        if roi is not None:
            raise InferenceError("a RegionDetector has its region; got a second one in roi=: pass one of them")
        return detector.rois, detector.detector, detector.reduce, detector.shown
    return (None if roi is None else Rois(roi)), detector, RegionDetector.reducer(reduce), lambda images: images


def _threshold(detector: Any, threshold: float | None, roi: RoiLike | None) -> float | None:
    if threshold is not None:
        return threshold
    own: float | None = getattr(detector, "threshold_", None)
    if own is not None and roi is not None:
        warnings.warn(
            "no labels: threshold_ belongs to whole images, and roi= changes the scores; pass threshold=, or fit a "
            "RegionDetector",
            IndustrialWarning,
            stacklevel=3,
        )
        return None
    return own


def _no_gradients() -> AbstractContextManager[Any]:
    """Switch gradients off where torch is loaded; it is never imported for that."""
    torch = sys.modules.get("torch")
    return nullcontext() if torch is None else torch.inference_mode()
