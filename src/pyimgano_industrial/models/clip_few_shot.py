"""`vision_openclip_few_shot`: the prompts' map joined with the distance to patches of a few good parts."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.models.clip_detector import MODEL, WEIGHTS, NotFittedError, Scores
from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch
from pyimgano_industrial.models.clip_settings import ClipError, Method, Precision, Resizing
from pyimgano_industrial.models.inputs import RGB, as_rgb
from pyimgano_industrial.models.patch_scores import WINCLIP_SCALES, Grids, spread
from pyimgano_industrial.models.views import Views

if TYPE_CHECKING:
    from typing_extensions import Self

    from pyimgano_industrial.models.openclip.engine import Features

_GAINS = (0.8, 0.9, 1.1, 1.2)  # of brightness; what memory banks on MVTec AD 2 gained most from


class OpenCLIPFewShot(OpenCLIPPromptPatch):
    """Few-shot: fit() remembers the patches of good images; a baseline, nothing is trained.

    The map is the mean of the prompts' map and of each patch's distance (1 - cosine) / 2 to its nearest good patches;
    the score is the mean of the prompts' score and of the distances' maximum (WinCLIP+, arXiv 2303.14814). The images
    of fit() are scored without their own patches, so that the threshold does not come from what is known by heart.

    neighbours: how many of the nearest good patches a distance is the mean of
    rotations: also remember each image turned by 90, 180 and 270 degrees, for parts that lie in any direction
    lighting: also at 0.8, 0.9, 1.1 and 1.2 of its brightness
    bank_size: patches kept at most, for each block, drawn by random_state

    The other options are those of `OpenCLIPPromptPatch`.
    """

    def __init__(
        self,
        *,
        class_name: str = "object",
        text_prompts: Mapping[str, Sequence[str]] | None = None,
        method: Method = "dual",
        neighbours: int = 1,
        rotations: bool = False,
        lighting: bool = False,
        bank_size: int = 20_000,
        random_state: int = 0,
        openclip_model_name: str = MODEL,
        openclip_pretrained: str | None = WEIGHTS,
        checkpoint_path: str | PathLike[str] | None = None,
        tokenizer_path: str | PathLike[str] | None = None,
        image_size: int | None = None,
        resizing: Resizing = "auto",
        blocks: Sequence[int] | None = None,
        device: str = "cpu",
        precision: Precision = "fp32",
        compile: bool = False,
        batch_size: int = 8,
        contamination: float = 0.1,
    ) -> None:
        for name, value in (("neighbours", neighbours), ("bank_size", bank_size)):
            if value < 1:
                raise ClipError(f"{name} must be 1 or more; got {value}")
        self.neighbours = neighbours
        self.rotations = rotations
        self.lighting = lighting
        self.bank_size = bank_size
        self.random_state = random_state
        self._bank: list[NDArray[np.float32]] = []  # one array (patches, width) a level
        self._owner: list[NDArray[np.int64]] = []  # the image that each patch came from
        super().__init__(
            class_name=class_name,
            text_prompts=text_prompts,
            method=method,
            openclip_model_name=openclip_model_name,
            openclip_pretrained=openclip_pretrained,
            checkpoint_path=checkpoint_path,
            tokenizer_path=tokenizer_path,
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
        """Remember the patches of good images, paths or arrays, and set the threshold from scores without their own."""
        del y
        items = self._items(images)
        self._remember(items)
        if len(items) == 1:
            warnings.warn(
                "the threshold of a single good image comes from that image, which the detector knows by heart: it is "
                "too low. fit() two or more, or calibrate on others",
                IndustrialWarning,
                stacklevel=2,
            )
        self.decision_scores_ = self._without_own(items)
        self.threshold_ = self._threshold(self.decision_scores_)
        return self

    def _remember(self, items: Sequence[Any]) -> None:
        found: list[list[NDArray[np.float32]]] = []
        owner: list[list[int]] = []
        for index, item in enumerate(items):
            for variant in self._variants(as_rgb(item)):
                views = self._views(variant)
                wanted = self._wanted(views.view, plain=True)
                for features in self.engine.views([variant], views, wanted, batch_size=self.batch_size):
                    levels = [part.flatten(0, 1).cpu().numpy() for part in self._levels(features)]
                    found.append(levels)
                    owner.append([index] * len(levels))
        generator = np.random.default_rng(self.random_state)
        self._bank, self._owner = [], []
        for level in range(len(found[0])):
            rows = np.concatenate([levels[level] for levels in found])
            owners = np.concatenate(
                [np.full(len(levels[level]), owned[level]) for levels, owned in zip(found, owner, strict=True)]
            )
            if len(rows) > self.bank_size:
                kept = np.sort(generator.choice(len(rows), self.bank_size, replace=False))
                rows, owners = rows[kept], owners[kept]
            self._bank.append(rows)
            self._owner.append(owners)

    def _without_own(self, items: Sequence[Any]) -> Scores:
        scores = []
        for index, item in enumerate(items):
            image = as_rgb(item)
            hidden = [owners == index if len(items) > 1 else None for owners in self._owner]
            if any(hide is not None and hide.all() for hide in hidden):
                raise ClipError(f"bank_size {self.bank_size} leaves patches of one image only: raise it")
            scores.append(self._fused([image], self._views(image), hidden)[0][0])
        return np.array(scores, np.float64)

    def _variants(self, image: RGB) -> list[RGB]:
        turned = [np.ascontiguousarray(np.rot90(image, turns)) for turns in range(4 if self.rotations else 1)]
        gains = _GAINS if self.lighting else ()
        lit = [np.clip(np.rint(one * gain), 0, 255).astype(np.uint8) for one in turned for gain in gains]
        return [*turned, *lit]

    def _levels(self, features: Features) -> list[Any]:
        return features.plain if self.method == "dual" else [features.last, *features.windows]

    def _score_batch(self, images: list[RGB], views: Views) -> tuple[NDArray[np.float32], Grids]:
        if not self._bank:
            raise NotFittedError(
                "vision_openclip_few_shot needs good images: call fit() first, or use vision_openclip_prompt_patch"
            )
        return self._fused(images, views, [None] * len(self._bank))

    def _fused(
        self, images: list[RGB], views: Views, hidden: Sequence[NDArray[np.bool_] | None]
    ) -> tuple[NDArray[np.float32], Grids]:
        prompted, distances = [], []
        wanted = self._wanted(views.view, plain=True)
        for features in self.engine.views(images, views, wanted, batch_size=self.batch_size):
            prompted.append(self._prompt_part(features, views.view))
            distances.append(self._bank_part(features, views.view, hidden))
            del features  # before the next are computed
        scores, grids = self._joined(prompted, views)
        far = views.merge(np.concatenate(distances).reshape(-1, len(views.offsets), *views.view))
        both = (scores + far.max(axis=(1, 2))) / 2, (grids + far) / 2
        return both[0].astype(np.float32), both[1].astype(np.float32)

    def _bank_part(
        self, features: Features, view: tuple[int, int], hidden: Sequence[NDArray[np.bool_] | None]
    ) -> Grids:
        grids = []
        sides = (1,) * len(self._bank) if self.method == "dual" else (1, *WINCLIP_SCALES)
        for part, rows, hide, side in zip(self._levels(features), self._bank, hidden, sides, strict=False):
            far = self.engine.distance(part, rows, neighbours=self.neighbours, hidden=hide)
            grids.append(spread(far, grid=view, size=side) if side > 1 else far.reshape(-1, *view))
        mean: Grids = np.mean(grids, axis=0, dtype=np.float32)
        return mean
