"""One image through the detectors: each tile once, its map merged while the next tiles are in the detector."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.regions import Region
from pyimgano_industrial.tiling.batch import Maps, Scores, run_batch, settle_maps
from pyimgano_industrial.tiling.blend import Accumulator
from pyimgano_industrial.tiling.counted import counted_scores
from pyimgano_industrial.tiling.cut import Cut, Cutter, batches
from pyimgano_industrial.tiling.detectors import Detectors, Place, TileScores
from pyimgano_industrial.tiling.source import Source

_LOOKED_AT = 3  # batches of an image whose maps are held and looked at, once for a detector


@dataclass(frozen=True)
class Pass:
    """How an image at one scale goes through the detectors.

    scale: its index, 0 for the first. want_scores: of tiles. accumulator: takes the maps; None when none are wanted.
    advance: called with the number of tiles after each batch.
    """

    source: Source
    scale: int
    region: Region | None
    want_scores: bool
    accumulator: Accumulator | None
    advance: Callable[[int], None]


def run_tiles(cutter: Cutter, detectors: Detectors, one: Pass, *, batch_size: int) -> TileScores:
    """Run every tile of an image once, give their maps to the accumulator and return their scores."""
    grid = cutter.grid(one.source)
    values: list[Scores] = []
    places: list[Place] = []
    with _Merger(one, detectors, size=grid.tile_size, count=-(-len(grid) // batch_size)) as merger:
        for batch in batches(cutter.tiles(one.source, grid, one.region), batch_size):
            run = [cut for cut in batch if cut.pixels is not None]
            at = [(one.scale, cut.tile.row, cut.tile.column) for cut in run]
            scores, maps = _detect(detectors, one, run, at, grid.tile_size)
            places += at
            values += [] if scores is None else [scores]
            merger.merge([_Kept(cut) for cut in batch], maps)
            one.advance(len(batch))
            del batch, run, scores, maps  # else they would be alive while the next ones are cut and run
    return TileScores(np.concatenate(values) if values else np.empty(0, np.float32), places)


def _detect(
    detectors: Detectors, one: Pass, run: Sequence[Cut], at: Sequence[Place], size: tuple[int, int]
) -> tuple[Scores | None, Maps]:
    """Return the scores and maps of a batch, where they are wanted; scores of tiles that count in part need maps."""
    want_maps = one.accumulator is not None
    scores: list[Scores] = []
    maps: Maps = []
    for calls, share in detectors.shares(at) if run else ():
        cuts = run[share]
        partly = one.want_scores and any(cut.counts is not None for cut in cuts)
        inside = [_completed(cut.counts, size) for cut in cuts] if partly and calls.takes_inside else None
        own_scores, own_maps = run_batch(
            calls,
            [cut.pixels for cut in cuts if cut.pixels is not None],
            [cut.tile for cut in cuts],
            image=one.source.name,
            want_scores=one.want_scores,
            want_maps=want_maps or (partly and calls.has_maps),
            inside=inside,
        )
        if partly and inside is None and own_scores is not None and own_maps is not None:
            own_scores = counted_scores(calls, cuts, own_scores, own_maps, size, image=one.source.name)
        scores += [] if own_scores is None else [own_scores]
        maps += own_maps if want_maps and own_maps is not None else []
    return np.concatenate(scores) if scores else None, maps


def _completed(counts: NDArray[np.bool_] | None, size: tuple[int, int]) -> NDArray[np.bool_] | None:
    """Return which pixels of a padded tile count."""
    if counts is None or counts.shape == size:
        return counts
    below, right = size[0] - counts.shape[0], size[1] - counts.shape[1]
    return np.pad(counts, ((0, below), (0, right)))


class _Kept:
    """What is kept of a cut tile when its pixels are done with."""

    def __init__(self, cut: Cut) -> None:
        self.tile, self.run = cut.tile, cut.pixels is not None


class _Merger:
    """Settles the maps of batches and gives them to the accumulator, one batch at a time and in their order.

    Of an image of several batches it works beside the detector, once that was seen to return new arrays: a detector
    that fills the same array again and again would change a map while it is merged.
    """

    def __init__(self, one: Pass, detectors: Detectors, *, size: tuple[int, int], count: int) -> None:
        self._one, self._detectors, self._size = one, detectors, size
        self._several = one.accumulator is not None and count > 1
        self._seen: list[Maps] | None = [] if count >= _LOOKED_AT and detectors.returns_new is None else None
        self._pool: ThreadPoolExecutor | None = None
        self._waiting: Future[None] | None = None

    def merge(self, batch: Sequence[_Kept], maps: Maps) -> None:
        """Merge the maps of a batch's tiles that were run, where maps are wanted."""
        if self._one.accumulator is None:
            return
        if self._waiting is not None:
            self._waiting.result()
            self._waiting = None
        if self._several and self._detectors.returns_new:
            self._pool = self._pool or ThreadPoolExecutor(1)
            self._waiting = self._pool.submit(self._settle, batch, maps)
        else:
            self._look_at(maps)
            self._settle(batch, maps)

    def _look_at(self, maps: Maps) -> None:
        """Hold the maps of an image's first batches, and note whether they share memory."""
        if self._seen is None or not maps:
            return
        self._seen.append(maps)
        used = any(np.may_share_memory(maps[0], old[0]) for old in self._seen[:-1])
        if used or len(self._seen) == _LOOKED_AT:
            self._detectors.returns_new = not used
            self._seen = None

    def _settle(self, batch: Sequence[_Kept], maps: Maps) -> None:
        run = [kept.tile for kept in batch if kept.run]
        settled = iter(settle_maps(maps, run, self._size, image=self._one.source.name))
        assert self._one.accumulator is not None
        for kept in batch:
            if kept.run:
                self._one.accumulator.add(kept.tile, next(settled))
            else:
                self._one.accumulator.skip(kept.tile)

    def __enter__(self) -> _Merger:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._waiting is not None and kind is None:
                self._waiting.result()
        finally:
            if self._pool is not None:
                self._pool.shutdown()
