"""What all pixel metrics share: maps and defects come in one image at a time, and are kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.checks import MetricError
from pyimgano_industrial.metrics.counting import Pixels, Replay
from pyimgano_industrial.metrics.image_counts import ImageCounts, count_images
from pyimgano_industrial.metrics.keys import CHUNK, highest_key_up_to, to_value
from pyimgano_industrial.metrics.measures import Floats
from pyimgano_industrial.metrics.resolve import Resolved, Wanted, resolve
from pyimgano_industrial.metrics.spool import Spool
from pyimgano_industrial.metrics.thinned import Thinned

MEMORY = 64 * 2**20  # bytes of scores that are kept in memory, by default
TOLERANCE = 1e-5


@dataclass(frozen=True)
class Region:
    """One part of an image's defects. area: its pixels; kept: those whose scores count; name: the defect's."""

    area: int
    kept: int
    name: str | None = None


@dataclass(frozen=True)
class Image:
    """One image's scores in the spool, its defects, and the groups that it belongs to."""

    scores: int
    defective: int
    found: int
    regions: tuple[Region, ...]
    kind: str | None
    lighting: str | None


_Self = TypeVar("_Self", bound="Collector")
Weigh = Callable[[Region], float]
Choose = Callable[[Image], bool]
Stream = tuple[Choose, Weigh]  # the images that count, and the weight of each pixel of a region


class Collector:
    """Keeps images; `memory` bytes of their scores in memory, the others in a temporary file in `folder`.

    Without `copy`, maps of float32 and float64 are not copied, and count as the caller's memory.
    """

    def __init__(self, *, memory: int = MEMORY, folder: Path | str | None = None, copy: bool = True) -> None:
        if memory < 0:
            raise MetricError(f"memory must be 0 or more bytes; got {memory}: 0 keeps everything on disk")
        self._spool = Spool(budget=memory, folder=None if folder is None else Path(folder))
        self._images: list[Image] = []
        self._thinned = Thinned()
        self._itemsize, self._copy = 4, copy
        self._counted: ImageCounts | None = None  # of all images so far

    @property
    def count(self) -> int:
        """The number of images."""
        return len(self._images)

    @property
    def bytes_on_disk(self) -> int:
        """The size of the temporary file."""
        return self._spool.written

    def reset(self) -> None:
        """Forget all images, and remove the temporary file."""
        self._spool.close()
        self._images, self._thinned, self._itemsize, self._counted = [], Thinned(), 4, None

    def close(self) -> None:
        """Remove the temporary file; leaving a `with` block does so too."""
        self.reset()

    def __enter__(self: _Self) -> _Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _keep(
        self,
        scores: NDArray[Any],
        defective: NDArray[Any],
        found: NDArray[Any] | None,
        regions: Sequence[Region],
        *,
        kind: str | None = None,
        lighting: str | None = None,
        given: NDArray[Any],
    ) -> None:
        """Keep an image's scores, those of its defects, and those that count (None: the same), region by region.

        given: the map as the caller has it
        """
        self._counted = None
        self._itemsize = max(self._itemsize, scores.itemsize)
        kept = self._spool.put(defective)
        lent = not self._copy and np.may_share_memory(scores, given)
        whole = self._spool.put(scores.reshape(-1), lent=lent)
        self._thinned.add(scores.reshape(-1), defective)
        self._images.append(
            Image(whole, kept, kept if found is None else self._spool.put(found), tuple(regions), kind, lighting)
        )

    def _scores(self, number: int) -> NDArray[Any]:
        return self._spool.get(number).astype(f"f{self._itemsize}", copy=False)

    def _resolve(self, wanted: Wanted, streams: Mapping[str, Stream], *, tolerance: float) -> Resolved:
        sample = list(self._sample(streams)())
        every, itemsize = self._thinned.every, self._itemsize
        return resolve(self._pixels(streams), sample, every, wanted, itemsize=itemsize, tolerance=tolerance)

    def _count_images(self, streams: Mapping[str, Stream]) -> ImageCounts:
        return count_images(self._pixels(streams), self._sample(streams), sorted(streams))

    def _pixels(self, streams: Mapping[str, Stream]) -> Replay:
        """Return a replay of the images with all their scores."""

        def replay() -> Iterator[Pixels]:
            for _, image, weights in self._weighed(streams):
                scores, defective, found = map(self._scores, (image.scores, image.defective, image.found))
                yield Pixels(scores, defective, found, weights)

        return replay

    def _sample(self, streams: Mapping[str, Stream]) -> Replay:
        """Return a replay of the images with one score in `every`, and all that are found."""

        def replay() -> Iterator[Pixels]:
            for number, image, weights in self._weighed(streams):
                scores, defective = self._thinned.get(number, f"f{self._itemsize}")
                yield Pixels(scores, defective, self._scores(image.found), weights)

        return replay

    def _weighed(self, streams: Mapping[str, Stream]) -> Iterator[tuple[int, Image, dict[str, Floats]]]:
        for number, image in enumerate(self._images):
            weights = {
                name: _weights(image.regions, weigh) for name, (choose, weigh) in streams.items() if choose(image)
            }
            if weights:
                yield number, image, weights

    def _counts_above(self, threshold: float, choose: Choose) -> tuple[int, int, int]:
        """Return hits, false alarms and misses of the pixels above a threshold."""
        highest = to_value(highest_key_up_to(threshold, self._itemsize), self._itemsize)
        hits = alarms = misses = 0
        for image in filter(choose, self._images):
            defective, scores = self._scores(image.defective), self._scores(image.scores)
            found = int(np.count_nonzero(defective > highest))
            above = sum(int(np.count_nonzero(scores[at : at + CHUNK] > highest)) for at in range(0, scores.size, CHUNK))
            hits, alarms, misses = hits + found, alarms + above - found, misses + defective.size - found
        return hits, alarms, misses

    def _check(self, choose: Choose, what: str) -> None:
        images = [image for image in self._images if choose(image)]
        if not images:
            raise MetricError(f"a metric needs images; {what} has none: call update() first")
        if not any(image.regions for image in images):
            raise MetricError(
                f"a pixel metric needs an anomalous image; {what} has {len(images)} images, all without defects: "
                "check that masks are passed, and that the split holds anomalous images"
            )
        if all(self._spool.size(image.scores) == self._spool.size(image.defective) for image in images):
            raise MetricError(
                f"a pixel metric needs pixels free of defects; {what} has none: are the masks turned round?"
            )


def _weights(regions: Sequence[Region], weigh: Weigh) -> Floats:
    one: NDArray[np.float64] = np.array([weigh(region) for region in regions], float)
    return np.repeat(one, [region.kept for region in regions]) if regions else one
