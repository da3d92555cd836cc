"""What the OpenCLIP detectors share: the host's methods, batches of whole images, and the threshold."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.extras import require
from pyimgano_industrial.models.clip_settings import ClipError, ClipSettings, Precision, Resizing, one_of
from pyimgano_industrial.models.inputs import RGB
from pyimgano_industrial.models.views import Views, plan

if TYPE_CHECKING:
    from typing_extensions import Self

    from pyimgano_industrial.models.openclip.engine import Engine

MODEL = "ViT-B-16-plus-240"  # the published reference of WinCLIP
WEIGHTS = "laion400m_e31"
Scores = NDArray[np.float64]
Maps = NDArray[np.float32] | list[NDArray[np.float32]]


class NotFittedError(IndustrialError, RuntimeError):
    """A detector lacks what fit() gives it."""


class ClipDetector(ABC):
    """An OpenCLIP model as a detector; subclasses say how images are scored.

    decision_scores_: (N,) float64, of the images that fit() saw. threshold_: their quantile at 1 - contamination.
    """

    decision_scores_: Scores | None = None
    threshold_: float | None = None
    _engine: Engine | None = None

    def __init__(
        self,
        *,
        openclip_model_name: str,
        openclip_pretrained: str | None,
        checkpoint_path: str | PathLike[str] | None,
        tokenizer_path: str | PathLike[str] | None,
        image_size: int | None,
        resizing: Resizing,
        blocks: Sequence[int] | None,
        device: str,
        precision: Precision,
        compile: bool,
        batch_size: int,
        contamination: float,
    ) -> None:
        one_of("resizing", resizing, get_args(Resizing))
        for name, value in (("batch_size", batch_size), ("image_size", image_size)):
            if value is not None and value < 1:
                raise ClipError(f"{name} must be 1 or more; got {value}")
        if not 0 < contamination < 1:
            raise ClipError(f"contamination must be between 0 and 1, the share that fit() flags; got {contamination}")
        self.settings = ClipSettings(
            openclip_model_name,
            openclip_pretrained,
            None if checkpoint_path is None else Path(checkpoint_path),
            None if tokenizer_path is None else Path(tokenizer_path),
            device,
            precision,
            compile,
        )
        self.image_size = image_size
        self.resizing: Resizing = resizing
        self.blocks = None if blocks is None else tuple(sorted(set(blocks)))
        self.batch_size = batch_size
        self.contamination = contamination
        for module in ("torch", "open_clip"):
            require(module, extra="clip")

    @property
    def engine(self) -> Engine:
        """The loaded model, shared by all detectors of the same settings; loaded when it is first asked for."""
        if self._engine is None:
            from pyimgano_industrial.models.openclip.engine import engine_of

            self._engine = engine_of(self.settings)
        return self._engine

    def __getstate__(self) -> dict[str, Any]:
        """Leave the loaded model out of copies and pickles, which load it again or share it."""
        return {name: value for name, value in vars(self).items() if name != "_engine"}

    def fit(self, images: Iterable[Any], y: Any = None) -> Self:
        """Score good images, paths or arrays, and set the threshold so that the share `contamination` lies above."""
        del y
        items = self._items(images)
        self.decision_scores_ = self.decision_function(items)
        self.threshold_ = self._threshold(self.decision_scores_)
        return self

    def decision_function(self, images: Iterable[Any]) -> Scores:
        """Return scores (N,) float64, higher is more anomalous; images: paths, or arrays (H, W[, C]) of any sizes."""
        return self._score(images, want_maps=False)[0]

    def predict_anomaly_map(self, images: Iterable[Any]) -> Maps:
        """Return maps float32 at each image's own size: (N, H, W), or a list where sizes differ."""
        return self.score_and_map(images)[1]

    def score_and_map(self, images: Iterable[Any]) -> tuple[Scores, Maps]:
        """Return scores and maps of one forward pass."""
        return self._score(images, want_maps=True)

    def get_anomaly_map(self, image: Any) -> NDArray[np.float32]:
        """Return the map (H, W) of one image."""
        return self.score_and_map([image])[1][0]

    def predict(self, images: Iterable[Any]) -> NDArray[np.int64]:
        """Return 1 for each image that scores above the threshold, else 0; raises NotFittedError before fit()."""
        if self.threshold_ is None:
            raise NotFittedError("predict() needs a threshold, which fit() sets from good images; call it first")
        return (self.decision_function(images) > self.threshold_).astype(np.int64)

    @abstractmethod
    def _score(self, images: Iterable[Any], *, want_maps: bool) -> tuple[Scores, Maps]:
        """Return scores (N,) and, where wanted, maps of images in their order."""

    def _views(self, image: RGB) -> Views:
        engine = self.engine
        if self.resizing == "interpolate" and not engine.any_size:
            raise ClipError(
                f"resizing='interpolate' needs a model of open_clip's own; {self.settings.name} takes "
                f"{engine.native[0]} x {engine.native[1]} pixels only: pass resizing='windows'"
            )
        whole = engine.any_size if self.resizing == "auto" else self.resizing == "interpolate"
        view = (engine.native[0] // engine.patch, engine.native[1] // engine.patch)
        return plan(
            (image.shape[0], image.shape[1]),
            patch=engine.patch,
            short=self.image_size or min(engine.native),
            view=None if whole else view,
        )

    def _taps(self) -> tuple[int, ...]:
        """Return the blocks after which patches are read: those asked for, else four evenly spread to the last."""
        depth = self.engine.depth
        if self.blocks is None:
            return tuple(sorted({max(1, round(depth * part / 4)) for part in (1, 2, 3, 4)}))
        if not self.blocks or not all(1 <= number <= depth for number in self.blocks):
            raise ClipError(f"blocks must be in 1..{depth}, those of {self.settings.name}; got {list(self.blocks)}")
        return self.blocks

    def _items(self, images: Iterable[Any]) -> list[Any]:
        items = list(images)
        if not items:
            raise ClipError("fit() needs at least one image; got none: check the folder")
        return items

    def _threshold(self, scores: Scores) -> float:
        return float(np.quantile(scores, 1 - self.contamination))
