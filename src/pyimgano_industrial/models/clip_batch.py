"""`vision_openclip_batch`: an unlabelled batch scored against itself, for lines where no part is known to be good."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import dataclass
from hashlib import sha256
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.models.clip_detector import MODEL, WEIGHTS, ClipDetector, Maps, NotFittedError, Scores
from pyimgano_industrial.models.clip_settings import ClipError, Precision, Resizing
from pyimgano_industrial.models.inputs import RGB, KeptMaps, as_rgb, batches
from pyimgano_industrial.models.patch_scores import Grids, to_image

if TYPE_CHECKING:
    from typing_extensions import Self

_SHARE = 0.3  # of the other images: those in which a patch finds its likes best
_SIDES = (1, 3, 5)  # of the neighbourhoods over which patches are averaged


@dataclass(frozen=True)
class Seen:
    """One image as the batch knows it: its pixels' digest, its grid, and its patches (P, width) a level."""

    digest: str
    grid: tuple[int, int]
    size: tuple[int, int]
    levels: tuple[NDArray[np.float32], ...]


class OpenCLIPBatch(ClipDetector):
    """Mutual scoring after MuSc (Li et al., ICLR 2024, arXiv 2401.16753), without its re-scoring of images.

    A patch of a good part finds its like in most of the other images, a defect in few: its score is the mean distance
    (1 - cosine) / 2 to the nearest patch of each of the 30 % of images that resemble it most, averaged over blocks and
    over neighbourhoods of 1, 3 and 5 patches. An image's score is its map's maximum. An image never meets itself.

    fit() remembers the unlabelled images, and then every image is scored against them. Without it, those of one call
    are scored against each other, so that the call must hold the whole batch. No text tower is used.

    references: remembered images at most, evenly spread over those given; the time for one image grows with them

    The other options are those of `OpenCLIPPromptPatch`.
    """

    def __init__(
        self,
        *,
        references: int = 64,
        openclip_model_name: str = MODEL,
        openclip_pretrained: str | None = WEIGHTS,
        checkpoint_path: str | PathLike[str] | None = None,
        image_size: int | None = None,
        blocks: Sequence[int] | None = None,
        resizing: Resizing = "auto",
        device: str = "cpu",
        precision: Precision = "fp32",
        compile: bool = False,
        batch_size: int = 8,
        contamination: float = 0.1,
    ) -> None:
        if references < 2:
            raise ClipError(f"references must be 2 or more, since an image never meets itself; got {references}")
        self.references = references
        self._batch: list[Seen] = []
        super().__init__(
            openclip_model_name=openclip_model_name,
            openclip_pretrained=openclip_pretrained,
            checkpoint_path=checkpoint_path,
            tokenizer_path=None,
            image_size=image_size,
            resizing=resizing,
            blocks=blocks,
            device=device,
            precision=precision,
            compile=compile,
            batch_size=batch_size,
            contamination=contamination,
        )

    def fit(self, images: Iterable[Any], y: Any = None) -> Self:
        """Remember the unlabelled batch, paths or arrays, and set the threshold from its scores against itself."""
        del y
        items = self._items(images)
        kept = np.unique(np.linspace(0, len(items) - 1, min(len(items), self.references)).round().astype(int))
        self._batch = self._seen([items[index] for index in kept])
        if len({one.digest for one in self._batch}) < 2:
            self._batch = []
            raise ClipError(f"a batch needs at least two different images; got {len(items)}: fit() more of them")
        self.decision_scores_ = self.decision_function(items)
        self.threshold_ = self._threshold(self.decision_scores_)
        return self

    def _score(self, images: Iterable[Any], *, want_maps: bool) -> tuple[Scores, Maps]:
        maps = KeptMaps(len(images) if isinstance(images, Sized) else None)
        scores = []
        for position, (one, batch) in enumerate(self._meetings(images)):
            score, grid = self._mutual(one, batch)
            scores.append(score)
            if want_maps:
                to_image(grid, maps.room(position, one.size))
        return np.array(scores, np.float64), maps.all()

    def _meetings(self, images: Iterable[Any]) -> Iterator[tuple[Seen, Sequence[Seen]]]:
        """Yield each image and those that it is scored against."""
        if self._batch:
            for item in images:
                yield self._seen([item])[0], self._batch
            return
        batch = self._seen(images)
        if batch and len({one.digest for one in batch}) < 2:
            raise NotFittedError(
                f"vision_openclip_batch scores images against each other; got {len(batch)}: fit() the unlabelled batch "
                f"first, or pass all of it in one call"
            )
        yield from ((one, batch) for one in batch)

    def _mutual(self, one: Seen, batch: Sequence[Seen]) -> tuple[float, Grids]:
        engine = self.engine
        others = [other for other in batch if other.digest != one.digest]
        count = max(1, int(len(others) * _SHARE))
        found = []
        for level, patches in enumerate(one.levels):
            for side in _SIDES:
                own = engine.pooled(patches, grid=one.grid, side=side)
                far = np.stack(
                    [
                        engine.nearest(own, engine.pooled(other.levels[level], grid=other.grid, side=side))
                        for other in others
                    ]
                )
                found.append(np.partition(far, count - 1, axis=0)[:count].mean(axis=0))
        grid: Grids = np.asarray(np.mean(found, axis=0, dtype=np.float32)).reshape(one.grid)
        return float(grid.max()), grid

    def _seen(self, images: Iterable[Any]) -> list[Seen]:
        from pyimgano_industrial.models.openclip.engine import Wanted

        found: dict[int, Seen] = {}
        wanted = Wanted(self._taps(), plain=True)
        for positions, group in batches(images, size=self.batch_size):
            views = self._views(group[0])
            parts = [
                [part.cpu().numpy() for part in features.plain]
                for features in self.engine.views(group, views, wanted, batch_size=self.batch_size)
            ]
            each = len(views.offsets)
            whole = []
            for level in range(len(parts[0])):
                flat = np.concatenate([part[level] for part in parts])  # (images x views, P, width)
                grids = flat.reshape(len(group), each, *views.view, -1)
                whole.append(np.stack([_laid(one, views.offsets, views.grid) for one in grids]))
            for index, position in enumerate(positions):
                image = group[index]
                found[position] = Seen(_digest(image), views.grid, image.shape[:2], tuple(one[index] for one in whole))
        return [found[position] for position in range(len(found))]


def _laid(views: NDArray[np.float32], offsets: Sequence[tuple[int, int]], grid: tuple[int, int]) -> NDArray[np.float32]:
    """Return one image's patches (P, width) from its views (views, rows, columns, width): the mean, of length 1."""
    if len(offsets) == 1:
        whole: NDArray[np.float32] = views[0].reshape(-1, views.shape[-1])
        return whole
    total = np.zeros((*grid, views.shape[-1]), np.float32)
    for view, (row, column) in zip(views, offsets, strict=True):
        total[row : row + view.shape[0], column : column + view.shape[1]] += view
    unit: NDArray[np.float32] = total / np.linalg.norm(total, axis=-1, keepdims=True)
    return unit.reshape(-1, views.shape[-1])


def _digest(image: RGB) -> str:
    return sha256(f"{image.shape}".encode() + as_rgb(image).tobytes()).hexdigest()
