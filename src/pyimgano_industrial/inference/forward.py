"""One pass of a detector over a batch: scores and maps of images of any sizes, each map at its image's size."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import DetectorOutputError, Images, Maps, Scores, calls_of
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.inference.ownership import Keep, kept
from pyimgano_industrial.tiling.cut import resized


class Forward(Protocol):
    """Calls a detector on images of one size."""

    def __call__(self, images: Images, *, want_maps: bool) -> tuple[Scores, Maps | None]:
        """Return scores (N,) and, where they are wanted and there are any, maps [(h, w)]."""
        ...


class OnePass:
    """Calls one detector during one run; maps that fail are warned about once, and not asked for again."""

    def __init__(self, detector: Any) -> None:
        self._calls = calls_of(detector)
        self._name = type(detector).__name__
        self._maps = self._calls.has_maps

    def __call__(self, images: Images, *, want_maps: bool) -> tuple[Scores, Maps | None]:
        if not self._calls.has_scores:
            return self._calls.scores_and_maps(images, want_scores=True, want_maps=True)  # type: ignore[return-value]
        if want_maps and self._maps and self._calls.passes_once:
            try:
                return self._calls.score_and_map(images)
            except Exception as error:  # noqa: BLE001 - the detector's own; the scores may still come
                self._give_up(error)
        scores, found = self._calls.scores(images)
        if not want_maps or found is not None:
            return scores, found
        return scores, self._own_maps(images) if self._maps else None

    def maps(self, images: Images) -> Maps | None:
        """Return maps without scores, None where there are none."""
        if not self._maps:
            return None
        return self._calls.score_and_map(images)[1] if self._calls.passes_once else self._own_maps(images)

    def _own_maps(self, images: Images) -> Maps | None:
        try:
            return self._calls.maps(images)
        except Exception as error:  # noqa: BLE001 - the detector's own; the scores are there
            self._give_up(error)
            return None

    def _give_up(self, error: Exception) -> None:
        self._maps = False
        warnings.warn(
            f"no anomaly maps: the map call of {self._name} failed with {type(error).__name__}: {error}; "
            f"the results carry scores only",
            IndustrialWarning,
            stacklevel=2,
        )


def run(
    forward: Forward, images: Images, *, want_maps: bool, own_size: bool = True, keep: Keep | None = None
) -> tuple[NDArray[np.float32], list[NDArray[np.float32] | None]]:
    """Return scores (N,) and maps at the images' own sizes, None where the detector gives none; sizes may differ.

    own_size: False leaves the maps as large as the detector made them. keep: how long maps are used, see `ownership`;
    None: until the next call of the detector, which may overwrite them; a batch of several sizes takes several calls.
    Raises DetectorOutputError for NaN and infinity; an error of the detector has the images' names in its notes.
    """
    scores = np.empty(len(images), np.float32)
    maps: list[NDArray[np.float32] | None] = [None] * len(images)
    groups = _by_size(images)
    if len(groups) > 1:
        keep = keep or "together"
    for indices in groups:
        names = [images.names[index] for index in indices]
        same = Images([images[i] for i in indices], paths=[images.paths[i] for i in indices], names=names)
        with _noting(names):
            found, own = forward(same, want_maps=want_maps)
        scores[indices] = found
        _check_finite("score", found, names)
        if own is None:
            continue
        shapes = [one.shape for one in own]
        if own_size:
            own = [_sized(one, image, name) for one, image, name in zip(own, same, names, strict=True)]
        found_maps = iter(own) if keep is None else kept(own, keep=keep)
        for index, one, shape in zip(indices, found_maps, shapes, strict=True):
            if one.shape == shape:  # not checked yet: a copy is in the processor's cache now
                _check_finite("map", one, [images.names[index]])
            maps[index] = one
    return scores, maps


def _sized(one: NDArray[np.float32], image: Any, name: str) -> NDArray[np.float32]:
    """Return a map at its image's size; files that the detector reads itself have the map's."""
    if not isinstance(image, np.ndarray) or one.shape == image.shape[:2]:
        return one
    _check_finite("map", one, [name])
    return resized(one, image.shape[:2])


def _by_size(images: Sequence[Any]) -> list[list[int]]:
    groups: dict[object, list[int]] = defaultdict(list)
    for index, image in enumerate(images):
        groups[image.shape if isinstance(image, np.ndarray) else "files"].append(index)
    return list(groups.values())


def _check_finite(what: str, values: NDArray[np.float32], names: Sequence[str]) -> None:
    if not _all_finite(values):
        raise DetectorOutputError(f"a detector's {what} must be finite; got NaN or infinity for {_named(names)}")


def _all_finite(values: NDArray[np.float32]) -> bool:
    """Return whether no value is NaN or infinite, in one pass over them.

    Squares cannot cancel, so a finite sum of them proves it; one that is not may be that of large values.
    """
    flat = values.ravel("K")
    with np.errstate(all="ignore"):
        return bool(np.isfinite(np.dot(flat, flat)) or np.isfinite(flat).all())


@contextmanager
def _noting(names: Sequence[str]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if hasattr(error, "add_note"):  # Python 3.10 has no notes
            error.add_note(f"raised by the detector for {_named(names)}")
        raise


def _named(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} images from {names[0]} to {names[-1]}"
