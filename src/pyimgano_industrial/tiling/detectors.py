"""The detectors behind a tiled one, one for all tiles or one a position, and the scores that are normal there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import Calls, calls_of
from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.tiling.source import Source

Place = tuple[int, int, int]  # a tile's scale, row and column, each counted from 0


class TilingError(IndustrialError, ValueError):
    """The tiling cannot be done as asked."""


@dataclass(frozen=True)
class TileScores:
    """Scores (n,) of the tiles of one image that were run, at all scales, and where those lie."""

    values: NDArray[np.float32]
    places: Sequence[Place]

    @classmethod
    def joined(cls, parts: Sequence[TileScores]) -> TileScores:
        """Return the scores of several scales as one."""
        return cls(np.concatenate([part.values for part in parts]), [place for part in parts for place in part.places])

    def by_scale(self) -> list[NDArray[np.float32]]:
        """Return the scores of each scale at which tiles were run."""
        scales = np.array([place[0] for place in self.places])
        return [self.values[scales == scale] for scale in np.unique(scales)]


@dataclass(frozen=True)
class Scan:
    """What the tiles of one image gave: scores of tiles, or the score of the map; and the map, where it is wanted."""

    tiles: TileScores
    map_score: float | None
    anomaly_map: Any


class OneDetector:
    """One detector for all tiles.

    returns_new: whether it was seen to return new arrays as maps, not the same ones filled again; None: not yet seen.
    """

    returns_new: bool | None = None

    def __init__(self, detector: Any) -> None:
        self._calls = calls_of(detector)

    def check(self, source: Source) -> None:
        """Images of all sizes will do."""

    def shares(self, places: Sequence[Place]) -> Iterator[tuple[Calls, slice]]:
        """Yield which detector takes which of a batch's tiles."""
        yield self._calls, slice(0, len(places))


class PositionDetectors:
    """One detector for each place, for aligned images of one size, `shape` (H, W).

    returns_new: as for one detector.
    """

    returns_new: bool | None = None

    def __init__(self, detectors: dict[Place, Any], *, shape: tuple[int, int]) -> None:
        self._calls = {place: calls_of(detector) for place, detector in detectors.items()}
        self._shape = shape

    def check(self, source: Source) -> None:
        """Raise TilingError for an image of another size."""
        if source.shape != self._shape:
            raise TilingError(
                f"fit_mode='position' was fitted on images of {self._shape}; {source.name} has {source.shape}"
            )

    def shares(self, places: Sequence[Place]) -> Iterator[tuple[Calls, slice]]:
        """Yield which detector takes which of a batch's tiles; raises TilingError where none was fitted."""
        for index, place in enumerate(places):
            if place not in self._calls:
                raise TilingError(f"no detector was fitted for the tile in row {place[1]}, column {place[2]}")
            yield self._calls[place], slice(index, index + 1)


Detectors = OneDetector | PositionDetectors


@dataclass(frozen=True)
class Levels:
    """The median and the spread of normal scores, for each place (`parts` 3) or each scale (`parts` 1).

    The scores of several detectors, or of one at several scales, have no common unit: without one the noisiest place
    decides for the whole image. Spread: 1.4826 times the median absolute deviation, which is the standard deviation of
    a normal distribution; where most scores are equal, their standard deviation.
    """

    found: dict[Place | tuple[int], tuple[float, float]]
    parts: int
    other: tuple[float, float]

    @classmethod
    def of(cls, scored: Iterable[TileScores], *, parts: int) -> Levels:
        """Take the levels from tile scores of normal images."""
        groups: dict[Any, list[float]] = {}
        for one in scored:
            for value, place in zip(one.values.tolist(), one.places, strict=True):
                groups.setdefault(place[:parts], []).append(value)
        levels = {place: _level(np.array(values)) for place, values in groups.items()}
        spreads = [spread for _, spread in levels.values() if spread > 0]
        usual = float(np.median(spreads)) if spreads else 1.0
        known = {place: (centre, spread or usual) for place, (centre, spread) in levels.items()}
        centres = [centre for centre, _ in known.values()]
        return cls(known, parts, (float(np.median(centres)) if centres else 0.0, usual))

    def standardised(self, scores: TileScores) -> NDArray[np.float32]:
        """Return (n,) float32: how many spreads each score lies above what is normal at its place."""
        levels = np.array([self.found.get(place[: self.parts], self.other) for place in scores.places])  # type: ignore[arg-type]  # a place or its scale
        above: NDArray[np.float32] = ((scores.values - levels[:, 0]) / levels[:, 1]).astype(np.float32)
        return above


def _level(values: NDArray[np.float64]) -> tuple[float, float]:
    centre = float(np.median(values))
    spread = 1.4826 * float(np.median(np.abs(values - centre)))
    return centre, spread or float(values.std())
