"""How one detector is called: found out on the first batch, then kept."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError

Form = Literal["list", "stack", "single", "paths"]
FORMS: tuple[Form, ...] = ("list", "stack", "single", "paths")


class DetectorOutputError(IndustrialError, ValueError):
    """A detector returned something that is not one finite score, or one map, an image."""


class Calls:
    """Calls a detector's methods on lists of images (H, W[, C]) of one size, in the form that each method takes.

    A method is tried with a list, a stacked batch, single images, and lossless temporary files, in this order, on
    the first batch only; the error of the first form reaches the user when none works.
    """

    def __init__(self, detector: Any) -> None:
        self.detector = detector
        self._forms: dict[str, Form] = {}

    @property
    def has_scores(self) -> bool:
        return hasattr(self.detector, "score_and_map") or hasattr(self.detector, "decision_function")

    @property
    def has_maps(self) -> bool:
        return any(hasattr(self.detector, name) for name in ("score_and_map", "predict_anomaly_map", "get_anomaly_map"))

    def scores_and_maps(
        self, images: Sequence[NDArray[Any]], *, want_scores: bool, want_maps: bool
    ) -> tuple[NDArray[np.float32] | None, list[NDArray[np.float32]] | None]:
        """Return scores (N,) float32 and maps [(h, w) float32], each None when not wanted; one pass where possible."""
        count = len(images)
        if want_maps and hasattr(self.detector, "score_and_map"):
            return self._call("score_and_map", images, lambda found: _pair(found, count))  # type: ignore[no-any-return]
        maps = self._maps(images) if want_maps else None
        if not want_scores:
            return None, maps
        if not hasattr(self.detector, "decision_function"):
            found = maps if maps is not None else self._maps(images)
            return np.array([one.max() for one in found], np.float32), maps
        return self._call("decision_function", images, lambda found: as_scores(found, count)), maps

    def _maps(self, images: Sequence[NDArray[Any]]) -> list[NDArray[np.float32]]:
        method = "predict_anomaly_map" if hasattr(self.detector, "predict_anomaly_map") else "get_anomaly_map"
        if method == "get_anomaly_map":
            self._forms.setdefault(method, "single")
        maps: list[NDArray[np.float32]] = self._call(method, images, lambda found: as_maps(found, len(images)))
        return maps

    def _call(self, method: str, images: Sequence[NDArray[Any]], read: Callable[[Any], Any]) -> Any:
        call = getattr(self.detector, method)
        if method in self._forms:
            return read(_in_form(self._forms[method], call, images))
        first: Exception | None = None
        for form in FORMS:
            try:
                result = read(_in_form(form, call, images))
            except Exception as error:  # noqa: BLE001 - the detector's: any error may mean "not in this form"
                first = first or error
            else:
                self._forms[method] = form
                return result
        assert first is not None
        raise first


def as_scores(found: Any, count: int) -> NDArray[np.float32]:
    """Return scores (N,) float32 from (N,), (N, 1), a scalar for one image, or tensors; raises DetectorOutputError."""
    scores = np.asarray(_plain(found), np.float32)
    if scores.size != count:
        raise DetectorOutputError(
            f"a detector must return one score an image; got shape {scores.shape} for {count} images"
        )
    return scores.reshape(count)


def as_maps(found: Any, count: int) -> list[NDArray[np.float32]]:
    """Return maps [(h, w) float32] from (N, h, w), (N, 1, h, w), (N, h, w, 1), or a list of maps of any sizes."""
    if count == 1 and not isinstance(found, (list, tuple)) and np.ndim(_plain(found)) == 2:
        found = [found]
    maps = [_two_axes(np.asarray(_plain(one), np.float32)) for one in found]
    if len(maps) != count or any(one.ndim != 2 for one in maps):
        shapes = ", ".join(f"{one.shape}" for one in maps[:3])
        raise DetectorOutputError(
            f"a detector must return one map (h, w) an image; got {len(maps)} of shape {shapes} for {count} images"
        )
    return maps


def _two_axes(one: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a map without the axis of one channel that some libraries leave in front or behind."""
    if one.ndim == 3 and one.shape[0] == 1:
        flat: NDArray[np.float32] = one[0]
        return flat
    return one[..., 0] if one.ndim == 3 and one.shape[-1] == 1 else one


def _pair(found: Any, count: int) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    scores, maps = found
    return as_scores(scores, count), as_maps(maps, count)


def _plain(value: Any) -> Any:
    """Return a tensor of torch as an array; numpy cannot read one that lies on a device or has a gradient."""
    return value.detach().cpu().numpy() if hasattr(value, "detach") else value


def _in_form(form: Form, call: Callable[[Any], Any], images: Sequence[NDArray[Any]]) -> Any:
    if form == "list":
        return call(list(images))
    if form == "stack":
        return call(np.stack(images))
    if form == "single":
        return _gather([call(image) for image in images])
    with tempfile.TemporaryDirectory(prefix="pyimgano-") as folder:
        return call([str(_write(image, Path(folder) / f"{index:06}.png")) for index, image in enumerate(images)])


def _gather(results: list[Any]) -> Any:
    """Turn per-image results into per-batch ones: pairs (score, map) become (scores, maps)."""
    if all(isinstance(result, tuple) and len(result) == 2 for result in results):
        return tuple(list(column) for column in zip(*results, strict=True))
    return results


def _write(image: NDArray[Any], path: Path) -> Path:
    import cv2

    if image.dtype not in (np.uint8, np.uint16):
        raise DetectorOutputError(
            f"a detector that reads files only takes uint8 or uint16 images; got {image.dtype}: convert them first"
        )
    ordered = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 and image.shape[2] == 3 else image
    encoded = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    path.write_bytes(encoded.tobytes())
    return path
