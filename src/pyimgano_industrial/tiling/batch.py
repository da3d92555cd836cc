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
    calls: Calls, batch: Sequence[tuple[NDArray[Any], Tile]], *, image: str, want_scores: bool, want_maps: bool
) -> tuple[Scores | None, Maps | None]:
    """Return scores (N,) and maps of the tiles' real pixels, each None when not wanted.

    Raises DetectorOutputError for NaN, infinity or a wrong number of results; an error of the detector passes as it
    is, with image and tiles added to its notes.
    """
    tiles = [tile for _, tile in batch]
    with _noting(image, tiles):
        scores, own = calls.scores_and_maps(
            [pixels for pixels, _ in batch], want_scores=want_scores, want_maps=want_maps
        )
    if scores is not None:
        _check_finite("score", scores, image, tiles)
    if own is None:
        return scores, None
    for one, tile in zip(own, tiles, strict=True):
        _check_finite("map", one, image, [tile])
    height, width = batch[0][0].shape[:2]
    maps = [resized(one, (height, width))[: tile.height, : tile.width] for one, tile in zip(own, tiles, strict=True)]
    if scores is not None and any((tile.height, tile.width) != (height, width) for tile in tiles):
        scores = _without_padding(scores, own, maps)
    return scores, maps


def _without_padding(scores: Scores, own: Maps, real: Maps) -> Scores:
    """Where a score is the maximum of its map, take the maximum over the real pixels of a padded tile."""
    return np.array(
        [
            inside.max() if np.isclose(one.max(), score, rtol=1e-5) else score
            for score, one, inside in zip(scores, own, real, strict=True)
        ],
        np.float32,
    )


def _check_finite(what: str, values: NDArray[Any], image: str, tiles: Sequence[Tile]) -> None:
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(values.sum()):  # NaN and infinity reach the sum; an overflow of it only leads to the full look
            return
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
