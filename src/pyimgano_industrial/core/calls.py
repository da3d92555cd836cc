"""How one detector is called: found out on the first batch, then kept.

What a method returns is read by these rules. Scores: one number an image, in any shape of that size, a tensor or a
list. Maps: one (h, w) an image, with or without an axis of one channel, as one array or as a list of any sizes. A
tuple or list of two is (scores, maps) only if its second part has two axes or more; two numbers are two scores.
"""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from inspect import getattr_static, signature
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.images import IMAGE_SUFFIXES, is_plain

Form = Literal["list", "stack", "single", "paths", "path"]
FORMS: tuple[Form, ...] = ("list", "stack", "single", "paths", "path")
_MAP_METHODS = ("predict_anomaly_map", "get_anomaly_map")
_ONE_BY_ONE: tuple[Form, ...] = ("single", "path")
_NO_MATTER_OF_FORM = (RuntimeError, MemoryError, ArithmeticError)
Scores = NDArray[np.float32]
Maps = list[NDArray[np.float32]]


class DetectorOutputError(IndustrialError, ValueError):
    """A detector returned something that is not one finite score, or one map, an image."""


class Images(list[NDArray[Any]]):
    """A batch of images that remembers their names, and the files they came from, for detectors that read files only.

    paths: one an image, None where there is no file.
    """

    def __init__(
        self, images: Sequence[NDArray[Any]], *, paths: Sequence[Path | str | None], names: Sequence[str]
    ) -> None:
        super().__init__(images)
        self.paths = tuple(paths)
        self.names = tuple(names)


class Found:
    """What was found out about one detector: the form of each method, and the lock under which it is called."""

    def __init__(self, lock: threading.RLock | None = None) -> None:
        self.forms: dict[str, Form] = {}
        self.proven: set[str] = set()  # methods whose form has worked on more than one image
        self.lock = lock or threading.RLock()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, lock=threading.RLock())


class Calls:
    """Calls a detector's methods on lists of images (H, W[, C]) of one size, in the form that each method takes.

    A method is tried with a list, a stacked batch, single images, a list of files and single files, in this order, on
    the first batch only; the error of the first form reaches the user when none works. A form that was found on one
    image is tried once more on the first batch of several. The form of one method is the first guess for the next,
    and an error there that no form can cause (a RuntimeError, no memory) ends the search: a map call that is broken
    runs once. Calls from several threads run one after the other.
    """

    def __init__(self, detector: Any, found: Found | None = None) -> None:
        self.detector = detector
        self._found = found or Found()

    @property
    def lock(self) -> AbstractContextManager[bool]:
        """Held during every call; whoever makes several that go together, or uses what is not copied yet, holds it."""
        return self._found.lock

    @property
    def has_scores(self) -> bool:
        return hasattr(self.detector, "decision_function")

    @property
    def has_maps(self) -> bool:
        return self.passes_once or any(hasattr(self.detector, name) for name in _MAP_METHODS)

    @property
    def passes_once(self) -> bool:
        """Whether scores and maps come together.

        A wrapper that hands unknown names on has not wrapped this method: calling it would leave the wrapper out.
        """
        return getattr_static(self.detector, "score_and_map", None) is not None

    @property
    def takes_inside(self) -> bool:
        """Whether `score_and_map` takes `inside`: for each image the pixels that count, (H, W) bool, None for all."""
        return self.passes_once and "inside" in signature(self.detector.score_and_map).parameters

    def scores_and_maps(
        self,
        images: Sequence[NDArray[Any]],
        *,
        want_scores: bool,
        want_maps: bool,
        inside: Sequence[NDArray[np.bool_] | None] | None = None,
    ) -> tuple[Scores | None, Maps | None]:
        """Return scores (N,) float32 and maps [(h, w) float32], each None when not wanted; one pass where possible.

        inside: the pixels of each image that count, for a detector that `takes_inside`.
        """
        with self._found.lock:
            if inside is not None:
                pair: tuple[Scores, Maps] = _read_pair(
                    self.detector.score_and_map(list(images), inside=list(inside)), len(images)
                )
                return pair
            if self.passes_once and (want_maps or not self.has_scores):
                scores, maps = self.score_and_map(images)
            elif not want_scores:
                return None, self.maps(images)
            elif not self.has_scores:
                maps = self.maps(images)
                scores = np.array([one.max() for one in maps], np.float32)
            else:
                scores, found = self.scores(images)
                if not want_maps:
                    return scores, None
                maps = self.maps(images) if found is None else found
            return scores, maps if want_maps else None

    def score_and_map(self, images: Sequence[NDArray[Any]]) -> tuple[Scores, Maps]:
        """Return scores (N,) and maps of a detector that gives both in one pass."""
        with self._found.lock:
            pair: tuple[Scores, Maps] = self._call("score_and_map", images, _read_pair)
            return pair

    def scores(self, images: Sequence[NDArray[Any]]) -> tuple[Scores, Maps | None]:
        """Return what decision_function gives: scores (N,) and, from those that return both, maps."""
        with self._found.lock:
            found: tuple[Scores, Maps | None] = self._call("decision_function", images, _read_scores)
            return found

    def maps(self, images: Sequence[NDArray[Any]]) -> Maps:
        """Return maps [(h, w) float32] from predict_anomaly_map, else from get_anomaly_map on one image at a time.

        A wrapper may offer the first where the detector inside has the second only, which its first call tells.
        """
        methods = [name for name in _MAP_METHODS if hasattr(self.detector, name)]
        with self._found.lock:
            known = [name for name in methods if name in self._found.forms]
            try:
                maps: Maps = self._call((known or methods)[0], images, as_maps)
            except AttributeError:
                if known or len(methods) == 1:
                    raise
                maps = self._call(methods[1], images, as_maps)
            return maps

    def _call(self, method: str, images: Sequence[NDArray[Any]], read: Callable[[Any, int], Any]) -> Any:
        call = getattr(self.detector, method)
        kept = self._found.forms.get(method)
        if kept is not None and (method in self._found.proven or len(images) == 1):
            return read(_in_form(kept, call, images), len(images))
        guess = kept or next(iter(self._found.forms.values()), None)
        forms = _ONE_BY_ONE if method == "get_anomaly_map" else FORMS
        first: Exception | None = None
        for form in sorted(forms, key=lambda form: form != guess):
            try:
                result = read(_in_form(form, call, images), len(images))
            except Exception as error:
                if form == guess and isinstance(error, _NO_MATTER_OF_FORM):
                    raise
                first = first or error
            else:
                self._found.forms[method] = form
                if len(images) > 1:
                    self._found.proven.add(method)
                return result
        assert first is not None
        raise first


_known: dict[int, tuple[weakref.ref[Any], Found]] = {}  # by identity: a detector may be unhashable
_guard = threading.Lock()
_lock_of_others = threading.RLock()  # of all detectors that cannot be referred to weakly


def calls_of(detector: Any) -> Calls:
    """Return the Calls of a detector; what is found out is kept as long as the detector lives.

    A detector that cannot be referred to weakly (one with __slots__) is found out anew each time, and waits for all
    others of that kind.
    """
    with _guard:
        reference, found = _known.get(id(detector), (None, None))
        if reference is None or found is None or reference() is not detector:
            found = Found()
            try:
                _known[id(detector)] = weakref.ref(detector), found
                weakref.finalize(detector, _known.pop, id(detector), None).atexit = False
            except TypeError:
                _known.pop(id(detector), None)
                found = Found(_lock_of_others)
        return Calls(detector, found)


def as_scores(found: Any, count: int) -> Scores:
    """Return scores (N,) float32 from (N,), (N, 1), a scalar for one image, or tensors; raises DetectorOutputError."""
    scores = np.asarray(_plain(found), np.float32)
    if scores.size != count:
        raise DetectorOutputError(
            f"a detector must return one score an image; got shape {scores.shape} for {count} images"
        )
    return scores.reshape(count)


def as_maps(found: Any, count: int) -> Maps:
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


def _read_pair(found: Any, count: int) -> tuple[Scores, Maps]:
    scores, maps = found
    return as_scores(scores, count), as_maps(maps, count)


def _read_scores(found: Any, count: int) -> tuple[Scores, Maps | None]:
    """Apply the module's rule: (scores, maps) where the second part has two axes or more, else scores."""
    if isinstance(found, (tuple, list)) and len(found) == 2 and _has_maps(found[1]):
        return _read_pair(found, count)
    return as_scores(found, count), None


def _has_maps(part: Any) -> bool:
    return bool(len(part)) and np.ndim(_plain(part[0])) >= 2 if isinstance(part, (tuple, list)) else _axes(part) >= 2


def _axes(part: Any) -> int:
    """Return the axes of an array or tensor; scores of shape (N, 1) in a list of two have no more than one value."""
    plain = np.asarray(_plain(part))
    return plain.ndim if plain.size > 1 else 0


def _plain(value: Any) -> Any:
    """Return a tensor of torch as an array; numpy cannot read one that lies on a device or has a gradient."""
    if hasattr(value, "detach"):
        return value.detach().cpu().numpy()
    if isinstance(value, (list, tuple)) and any(hasattr(one, "detach") for one in value):
        return [_plain(one) for one in value]
    return value


def _in_form(form: Form, call: Callable[[Any], Any], images: Sequence[NDArray[Any]]) -> Any:
    if form == "list":
        return call(list(images))
    if form == "stack":
        return call(np.stack(images))
    if form == "single":
        return _gather([call(image) for image in images])
    with tempfile.TemporaryDirectory(prefix="pyimgano-") as folder:
        files = _files(images, Path(folder))
        return call(files) if form == "paths" else _gather([call(file) for file in files])


def _gather(results: list[Any]) -> Any:
    """Turn per-image results into per-batch ones: pairs (score, map) become (scores, maps)."""
    if all(isinstance(result, tuple) and len(result) == 2 for result in results):
        return tuple(list(column) for column in zip(*results, strict=True))
    return results


def _files(images: Sequence[NDArray[Any]], folder: Path) -> list[str]:
    """Return the images' own files where they hold the same pixels, else lossless files of the same names."""
    paths = images.paths if isinstance(images, Images) else (None,) * len(images)
    names = images.names if isinstance(images, Images) else tuple(f"{index:06}.png" for index in range(len(images)))
    return [
        f"{path}" if path is not None and is_plain(path) else f"{write_image(image, folder / f'{index:06}', name)}"
        for index, (image, path, name) in enumerate(zip(images, paths, names, strict=True))
    ]


def write_image(image: NDArray[Any], folder: Path, name: str) -> Path:
    """Write a lossless PNG of an image (H, W[, 3]) into a new folder, under its own file name; return its path."""
    import cv2

    if image.dtype not in (np.uint8, np.uint16):
        raise DetectorOutputError(
            f"a detector that reads files only takes uint8 or uint16 images; got {image.dtype}: convert them first"
        )
    own = Path(name)
    path = folder / (own.name if own.suffix.lower() in IMAGE_SUFFIXES else f"{own.name}.png")
    ordered = cv2.cvtColor(image, cv2.COLOR_RGB2BGR) if image.ndim == 3 and image.shape[2] == 3 else image
    encoded = cv2.imencode(".png", ordered, [cv2.IMWRITE_PNG_COMPRESSION, 1])[1]
    folder.mkdir()
    path.write_bytes(encoded.tobytes())
    return path
