"""`vision_openclip_prompt_patch`: a zero-shot baseline that compares every patch with sentences about the part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence, Sized
from functools import partial
from os import PathLike
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.models.clip_detector import MODEL, WEIGHTS, ClipDetector, Maps, Scores
from pyimgano_industrial.models.clip_settings import Method, Precision, Resizing, one_of
from pyimgano_industrial.models.inputs import RGB, KeptMaps, batches
from pyimgano_industrial.models.patch_scores import (
    WINCLIP_SCALES,
    WINCLIP_TEMPERATURE,
    Grids,
    anomaly_probability,
    join_scales,
    spread,
    to_image,
)
from pyimgano_industrial.models.prompts import prompts_of
from pyimgano_industrial.models.views import Views

if TYPE_CHECKING:
    from pyimgano_industrial.models.openclip.engine import Features, Wanted


class OpenCLIPPromptPatch(ClipDetector):
    """Zero-shot: no image is needed; fit() only sets the threshold. A baseline: nothing is trained.

    class_name: what the part is, in the prompts
    text_prompts: own sentences in place of the ensemble, class -> list; "normal" is the good part, every other class a
        kind of defect, and {} stands for the class name
    method: "dual", V-V attention beside the unchanged path, read after several blocks, at the model's own logit scale
        (CLIP Surgery, arXiv 2304.05653; CLIP-AD, arXiv 2311.00453), whose score is the mean of the whole image's
        probability and the map's maximum; or "winclip", windows of 2 x 2 and 3 x 3 patches at temperature 0.07
        (WinCLIP, arXiv 2303.14814), whose score is the whole image's probability
    openclip_model_name: a model of open_clip, or a configuration of one's own in its format, a path ending in .json
    openclip_pretrained: a tag of its weights; None: random weights, which warns
    checkpoint_path: a file of weights in place of the tag, best .safetensors
    tokenizer_path: a folder, for SigLIP
    image_size: pixels of the short side after resizing; None is the model's own
    resizing: "interpolate", one view of the whole image; "windows", overlapping ones of the model's own size; "auto",
        the first where the model can
    blocks: those after which patches are read, from 1; None is four, evenly spread
    device: cpu, cuda, cuda:N, mps
    precision: fp32, bf16, fp16
    compile: torch.compile
    batch_size: views at once, which bounds the memory
    contamination: share of the images of fit() above the threshold

    Raises ClipError for a setting that the model cannot follow, WeightsError for weights that cannot be had,
    PromptError, UnknownNameError with the closest names, ViewError for an image smaller than a patch, and ImageError.
    """

    def __init__(
        self,
        *,
        class_name: str = "object",
        text_prompts: Mapping[str, Sequence[str]] | None = None,
        method: Method = "dual",
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
        one_of("method", method, get_args(Method))
        self.class_name = class_name
        self.prompts = prompts_of(class_name, text_prompts)
        self.method: Method = method
        super().__init__(
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

    def _score(self, images: Iterable[Any], *, want_maps: bool) -> tuple[Scores, Maps]:
        scores: dict[int, float] = {}
        maps = KeptMaps(len(images) if isinstance(images, Sized) else None)
        for positions, group in batches(images, size=self.batch_size):
            found, grids = self._score_batch(group, self._views(group[0]))
            scores |= dict(zip(positions, found.tolist(), strict=True))
            if want_maps:
                size = (group[0].shape[0], group[0].shape[1])
                for index, grid in zip(positions, grids, strict=True):
                    to_image(grid, maps.room(index, size))
        return np.array([scores[index] for index in range(len(scores))], np.float64), maps.all()

    def _score_batch(self, images: list[RGB], views: Views) -> tuple[NDArray[np.float32], Grids]:
        """Return scores (N,) and grids (N, *views.grid) of images of one shape."""
        each = self.engine.views(images, views, self._wanted(views.view), batch_size=self.batch_size)
        return self._joined(list(map(partial(self._prompt_part, view=views.view), each)), views)

    def _wanted(self, view: tuple[int, int], *, plain: bool = False) -> Wanted:
        from pyimgano_industrial.models.openclip.engine import Wanted

        if self.method == "winclip":
            scales = tuple(side for side in WINCLIP_SCALES if side <= min(view))
            return Wanted((self.engine.depth,), plain=plain, scales=scales)
        return Wanted(self._taps(), dual=True, plain=plain)

    def _prompt_part(self, features: Features, view: tuple[int, int]) -> tuple[NDArray[np.float32], Grids]:
        """Return each view's probability of a defect (B,), and its grid (B, *view)."""
        engine, text = self.engine, self.engine.text(self.prompts)
        scale = engine.logit_scale if self.method == "dual" else 1 / WINCLIP_TEMPERATURE

        def probability(part: Any) -> NDArray[np.float32]:
            return anomaly_probability(engine.similarity(part, text), scale=scale)

        whole = probability(features.whole)
        if self.method == "dual":
            levels = np.mean([probability(part) for part in features.dual], axis=0)
            return whole, levels.reshape(-1, *view).astype(np.float32)
        everywhere = np.broadcast_to(whole[:, None, None], (len(whole), *view))
        scales = [
            spread(probability(part), grid=view, size=side)
            for part, side in zip(features.windows, WINCLIP_SCALES, strict=False)
        ]
        return whole, join_scales([everywhere, *scales])

    def _joined(
        self, found: Sequence[tuple[NDArray[np.float32], Grids]], views: Views
    ) -> tuple[NDArray[np.float32], Grids]:
        """Return scores and grids of images from those of their views; the likeliest view speaks for the image."""
        each = len(views.offsets)
        whole = np.concatenate([part for part, _ in found]).reshape(-1, each).max(axis=1)
        grids = views.merge(np.concatenate([part for _, part in found]).reshape(-1, each, *views.view))
        scores = whole if self.method == "winclip" else (whole + grids.max(axis=(1, 2))) / 2
        return scores.astype(np.float32), grids
