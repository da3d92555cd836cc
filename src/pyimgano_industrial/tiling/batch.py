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
) -> tuple[Scores | None, Maps | None]:
    """Return the detector's scores (N,) and maps of the tiles, each None when not wanted.

    Raises DetectorOutputError for a score that is NaN or infinity and for a wrong number of results; an error of the
    detector passes as it is, with image and tiles added to its notes.
    """
    with _noting(image, tiles):
        scores, maps = calls.scores_and_maps(pixels, want_scores=want_scores, want_maps=want_maps)
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


def scores_inside(scores: Scores, maps: Maps, settled: Maps, insides: Sequence[NDArray[np.bool_] | None]) -> Scores:
    """Where a score is the maximum of its tile's map, return the maximum over the pixels that count.

    maps: as the detector gave them. settled: of the tiles' real pixels, at their size. insides: the real pixels of a
    tile in the region of interest; None where all its pixels count. A score that is no maximum of its map stays.
    """
    found = scores.copy()
    for index, (own, real, inside) in enumerate(zip(maps, settled, insides, strict=True)):
        if inside is not None and np.isclose(own.max(), scores[index], rtol=1e-5):
            found[index] = real[inside].max()
    return found


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
