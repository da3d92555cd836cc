"""One batch of tiles through a detector: checked, as large as its tiles, and with errors that say where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import Calls, DetectorOutputError
from pyimgano_industrial.tiling.cut import resized
from pyimgano_industrial.tiling.grid import Tile

Scores = NDArray[np.float32]
Maps = list[NDArray[np.float32]]


def run_batch(
    calls: Calls,
    pixels: Sequence[NDArray[Any]],
    tiles: Sequence[Tile],
    *,
    image: str,
    want_scores: bool,
    want_maps: bool,
    inside: Sequence[NDArray[np.bool_] | None] | None = None,
) -> tuple[Scores | None, Maps | None]:
    """Return the detector's scores (N,) and maps of the tiles, each None when not wanted.

    inside: as for `Calls.scores_and_maps`.

    Raises DetectorOutputError for a score that is NaN or infinity and for a wrong number of results; an error of the
    detector passes as it is, with image and tiles added to its notes.
    """
    with _noting(image, tiles):
        scores, maps = calls.scores_and_maps(pixels, want_scores=want_scores, want_maps=want_maps, inside=inside)
    if scores is not None:
        _check_finite("score", scores, image, tiles)
    return scores, maps


def settle_maps(maps: Maps, tiles: Sequence[Tile], size: tuple[int, int], *, image: str) -> Maps:
    """Return the maps of the tiles' real pixels, at the tiles' size; raises DetectorOutputError for NaN or infinity."""
    import cv2

    for one, tile in zip(maps, tiles, strict=True):
        (total, *_) = cv2.sumElems(one)  # in float64, which no sum of float32 leaves
        _check_finite("map", total, image, [tile])
    return [resized(one, size)[: tile.height, : tile.width] for one, tile in zip(maps, tiles, strict=True)]


def _check_finite(what: str, values: Scores | float, image: str, tiles: Sequence[Tile]) -> None:
    if not np.isfinite(values).all():
        raise DetectorOutputError(
            f"a detector's {what} must be finite; {image} has NaN or infinity in the {_where(tiles)}"
        )


@contextmanager
def _noting(image: str, tiles: Sequence[Tile]) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        note = f"raised by the detector for {image}, {_where(tiles)}"
        if hasattr(error, "add_note"):
            error.add_note(note)
        else:  # Python 3.10 shows no notes
            error.args = (f"{error} ({note})", *error.args[1:])
        raise


def _where(tiles: Sequence[Tile]) -> str:
    first, last = tiles[0], tiles[-1]
    at = f"rows {first.y0}:{first.y1}, columns {first.x0}:{first.x1}"
    if len(tiles) == 1:
        return f"tile at {at}"
    return f"{len(tiles)} tiles from {at} to rows {last.y0}:{last.y1}, columns {last.x0}:{last.x1}"
