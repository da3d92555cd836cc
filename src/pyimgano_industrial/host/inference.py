"""Seam: pyimgano's inference is ours: `score_and_maps` below, `infer` and `infer_iter` above, and the records between.

What the host's own tests and callers patch, `score_and_maps` of the module that runs, is still what is called.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial, wraps
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import Images, Maps, Scores, calls_of
from pyimgano_industrial.core.errors import ImageError, IndustrialWarning
from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.core.progress import TerminalProgress
from pyimgano_industrial.host import inference_flags
from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.inference.forward import Forward, OnePass, run
from pyimgano_industrial.inference.latency import Latency
from pyimgano_industrial.inference.region_detector import RegionDetector
from pyimgano_industrial.inference.result import Result
from pyimgano_industrial.inference.run import InferenceError
from pyimgano_industrial.inference.run import infer_iter as run_iter

OURS = "_pyimgano_industrial"  # marks what stands in for the host's run_inference
_FIELDS = ("score", "label", "label_confidence", "rejected", "anomaly_map", "postprocess_summary", "decision_summary")

# Models of the host whose score of an image changes with the other images of the call.
COMPARES_A_BATCH = frozenset(
    {"VisionCookDistance", "VisionExtraTreesDensity", "VisionROD", "VisionSOS", "VisionStructuralExtraTreesDensity"}
)


def apply(host: ModuleType) -> None:
    """Replace what each of the three modules offers."""
    {
        "pyimgano.inference.runtime_adapter": _adapter,
        "pyimgano.inference.api": _api,
        "pyimgano.services.inference_service": _service,
    }[host.__name__](host)


def score_and_maps(
    detector: Any, inputs: Sequence[Any], *, include_maps: bool = True
) -> tuple[NDArray[np.float32], Any]:
    """Return scores (N,) and maps as the detector made them: (N, h, w), a list where sizes differ, None without."""
    if not len(inputs):
        return np.zeros(0, np.float32), None
    images = _images(inputs)
    with calls_of(detector).lock:
        scores, maps = run(OnePass(detector), images, want_maps=include_maps, own_size=False)
        if not include_maps or any(one is None for one in maps):
            return scores, None
        own = [one for one in maps if one is not None]
        return scores, np.stack(own) if len({one.shape for one in own}) == 1 else own


def extract_maps_best_effort(detector: Any, inputs: Sequence[Any]) -> list[NDArray[np.float32]] | None:
    """Return one map an input, or None for a detector without maps and, after a warning, for one whose maps fail."""
    return OnePass(detector).maps(_images(inputs))


def _images(inputs: Sequence[Any]) -> Images:
    paths = [item if isinstance(item, str) else None for item in inputs]
    return Images(
        [item if path is None else read_rgb(path) for item, path in zip(inputs, paths, strict=True)],
        paths=paths,
        names=[path or f"image {index}" for index, path in enumerate(paths)],
    )


def _adapter(host: ModuleType) -> None:
    for ours, parameters in ((score_and_maps, ("include_maps",)), (extract_maps_best_effort, ())):
        original = expect(host, ours.__name__, "detector", "inputs", *parameters)
        setattr(host, ours.__name__, ours)
        rebind(ours.__name__, original, ours)


def _api(host: ModuleType) -> None:
    original = expect(host, "InferenceResult", *_FIELDS)
    expect(host, "_torch_inference_context", "amp")
    infer, infer_iter = expect(host, "infer", "amp"), expect(host, "infer_iter", "amp", "timing")
    jsonable = expect(host, "result_to_jsonable", "result")
    collect = expect(host, "collect_calibration_scores", "detector", "calibration_inputs", "amp")
    host.InferenceResult = Result  # type: ignore[attr-defined]  # the host's module attribute
    rebind("InferenceResult", original, Result)

    @wraps(infer_iter)
    def our_infer_iter(detector: Any, inputs: Iterable[Any], **options: Any) -> Iterator[Result]:
        return iterate(host, detector, inputs, **options)

    @wraps(infer)
    def our_infer(detector: Any, inputs: Iterable[Any], **options: Any) -> list[Result]:
        return list(iterate(host, detector, inputs, keep="together", **options))

    @wraps(collect)
    def our_collect(detector: Any, calibration_inputs: Iterable[Any], **options: Any) -> NDArray[np.float64]:
        found = [result.score for result in iterate(host, detector, calibration_inputs, **options)]
        if not found:
            raise InferenceError("calibration_inputs must be non-empty: a threshold needs a normal image at least")
        return np.asarray(found, np.float64)

    @wraps(jsonable)
    def our_jsonable(result: Any, **options: Any) -> dict[str, Any]:
        payload: dict[str, Any] = jsonable(result, **options)
        error = getattr(result, "error", None)
        if error is None:
            return payload
        return {**payload, "score": None, "error": {"type": type(error).__name__, "message": f"{error}"}}

    _replace(
        host,
        {
            "infer_iter": our_infer_iter,
            "infer": our_infer,
            "result_to_jsonable": our_jsonable,
            "collect_calibration_scores": our_collect,
        },
    )


def _service(host: ModuleType) -> None:
    records = expect(host, "iter_inference_records", "detector", "inputs", "amp", "timing")
    expect(host, "_torch_inference_context", "amp")
    run_inference = expect(host, "run_inference", "detector", "inputs")
    result = expect(host, "InferenceRunResult", "records", "timing_seconds")

    @wraps(records)
    def iter_inference_records(*, detector: Any, inputs: Iterable[Any], **options: Any) -> Iterator[Result]:
        return _saying_how_to_go_on(_counted(iterate(host, detector, inputs, **options), inputs))

    @wraps(run_inference)
    def our_run_inference(*, detector: Any, inputs: Iterable[Any], **options: Any) -> Any:
        latency = Latency()
        results = iterate(host, detector, inputs, latency=latency, keep="together", **options)
        found = list(_saying_how_to_go_on(_counted(results, inputs)))
        return result(records=found, timing_seconds=sum(latency.seconds))

    setattr(our_run_inference, OURS, True)
    _replace(host, {"iter_inference_records": iter_inference_records, "run_inference": our_run_inference})


def _saying_how_to_go_on(found: Iterator[Result]) -> Iterator[Result]:
    """Name the flag that goes on after an image that cannot be read, where the command has it."""
    try:
        yield from found
    except ImageError as error:
        if not inference_flags.can_report:
            raise
        raise ImageError(f"{error}; --on-error report goes on with the others") from error


def _counted(found: Iterator[Result], inputs: Iterable[Any]) -> Iterator[Result]:
    """Show on a terminal how many of the images are done, except while the command prints what it has of them."""
    total = len(inputs) if isinstance(inputs, Sized) else 0
    with TerminalProgress("images") as progress:
        for done, result in enumerate(found, 1):
            progress.clear()
            yield result
            if done < total:
                progress(done, total)


def _replace(host: ModuleType, names: dict[str, Callable[..., Any]]) -> None:
    for name, new in names.items():
        old = getattr(host, name)
        setattr(host, name, new)
        rebind(name, old, new)


def iterate(
    host: ModuleType,
    detector: Any,
    inputs: Iterable[Any],
    *,
    amp: bool = False,
    timing: Any = None,
    latency: Latency | None = None,
    **options: Any,
) -> Iterator[Result]:
    """Run our inference with the host's autocast, its timing, and what was patched into the host's module."""
    clock = latency if timing is None else _Clock(timing, latency)
    target = detector.detector if isinstance(detector, RegionDetector) else detector
    if type(target).__name__ in COMPARES_A_BATCH and type(target).__module__.startswith("pyimgano."):
        warnings.warn(
            f"a {type(target).__name__} scores an image against the others of its batch, so that its score changes "
            f"with them; choose another model where each image must be judged by itself",
            IndustrialWarning,
            stacklevel=3,
        )
    forward = None if host.score_and_maps is score_and_maps else _patched(host, target)
    return run_iter(
        detector,
        inputs,
        latency=clock,
        forward=forward,
        measure=None if inference_flags.drift is None else inference_flags.drift.measure,
        around=partial(host._torch_inference_context, amp=amp),
        **options,
    )


def _patched(host: ModuleType, detector: Any) -> Forward:
    def forward(images: Images, *, want_maps: bool) -> tuple[Scores, Maps | None]:
        found: tuple[Scores, Maps | None] = host.score_and_maps(detector, images, include_maps=want_maps)
        return found

    return forward


class _Clock(Latency):
    """Adds to the host's InferenceTiming as well, which its commands report."""

    def __init__(self, timing: Any, other: Latency | None) -> None:
        super().__init__()
        self._timing, self._other = timing, other

    def add(self, seconds: float, images: int) -> None:
        self._timing.seconds += seconds
        (self._other or inference_flags.latency).add(seconds, images)
