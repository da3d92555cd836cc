"""A loaded OpenCLIP model that turns images into features, and features into similarities; tensors stay inside."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any
from weakref import WeakValueDictionary

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from pyimgano_industrial.models.clip_settings import ClipError, ClipSettings
from pyimgano_industrial.models.openclip.loading import load, normalisation, registered, tokenizer_of
from pyimgano_industrial.models.openclip.towers import NativeViT, Tokens, tower_of
from pyimgano_industrial.models.patch_scores import windows
from pyimgano_industrial.models.prompts import Prompts
from pyimgano_industrial.models.text_cache import remembered
from pyimgano_industrial.models.views import Views

_DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}
_SENTENCES = 64  # encoded at once
_WINDOW_TOKENS = 65536  # window tokens at once: bounds memory
_SIMILARITIES = 1 << 25  # of patches to a bank at once: 128 MiB


@dataclass(frozen=True)
class Wanted:
    """What a forward pass reads. taps: blocks, counted from 1. scales: sides of WinCLIP's windows in patches."""

    taps: tuple[int, ...]
    dual: bool = False
    plain: bool = False
    scales: tuple[int, ...] = ()


@dataclass
class Features:
    """Normalised features of B views: the image's (B, D), and lists of (B, P or windows, D or width)."""

    whole: Tensor
    dual: list[Tensor]
    plain: list[Tensor]
    windows: list[Tensor]
    last: Tensor | None


class Engine:
    """One model on one device. patch, native (pixels) and depth are its image tower's."""

    def __init__(self, settings: ClipSettings) -> None:
        settings = replace(settings, name=registered(settings.name))
        self.settings = settings
        self._model: Any = load(settings)
        self._tower = tower_of(self._model.visual)
        self.patch, self.native, self.depth = self._tower.patch, self._tower.native, self._tower.depth
        self.any_size = self._tower.any_size
        self.device = torch.device(settings.device)
        mean, deviation = normalisation(settings)
        self._mean = torch.tensor(mean, device=self.device).view(1, 3, 1, 1)
        self._deviation = torch.tensor(deviation, device=self.device).view(1, 3, 1, 1)
        self.logit_scale = float(self._model.logit_scale.exp())
        self._texts: dict[str, NDArray[np.float32]] = {}
        self._print: str | None = None
        self._forward: Any = torch.compile(self._tower.__call__) if settings.compile else self._tower

    def text(self, prompts: Prompts) -> NDArray[np.float32]:
        """Return one feature a class (classes, D), of length 1: the mean of its sentences' features of length 1."""
        if prompts.digest not in self._texts:
            means = [np.mean(_unit(one), axis=0) for one in self.sentences(prompts)]
            self._texts[prompts.digest] = _unit(np.stack(means)).astype(np.float32)
        return self._texts[prompts.digest]

    def sentences(self, prompts: Prompts) -> list[NDArray[np.float32]]:
        """Return each class's features (sentences, D) as the text tower gives them; kept in memory and on disk."""
        self._print = self._print or f"{self.settings.name}|{self._fingerprint()}"
        key = sha256(f"{self._print}|{prompts.digest}".encode()).hexdigest()
        flat = remembered(key, lambda: self._encode([one for group in prompts.classes for one in group]))
        ends = np.cumsum([len(group) for group in prompts.classes])
        return np.split(flat, ends[:-1])

    def prepare(self, images: Sequence[NDArray[np.uint8]], size: tuple[int, int]) -> Tensor:
        """Return images (H, W, 3) of one shape as normalised pixels (B, 3, *size), resized on the device."""
        stack = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2)
        pixels = stack.float()
        if tuple(pixels.shape[-2:]) != size:
            pixels = functional.interpolate(pixels, size=size, mode="bicubic", antialias=True, align_corners=False)
            pixels = pixels.round().clamp_(0, 255)
        return (pixels / 255 - self._mean) / self._deviation

    def views(
        self, images: Sequence[NDArray[np.uint8]], views: Views, wanted: Wanted, *, batch_size: int
    ) -> Iterator[Features]:
        """Yield the features of each image's views in order, at most `batch_size` views at a time."""
        pixels = self.prepare(images, views.size)
        rows, columns = (side * self.patch for side in views.view)
        if len(views.offsets) > 1:
            starts = [(row * self.patch, column * self.patch) for row, column in views.offsets]
            cut = [pixels[:, :, row : row + rows, column : column + columns] for row, column in starts]
            pixels = torch.stack(cut, dim=1).flatten(0, 1)
        for chunk in pixels.split(batch_size):
            yield self.features(chunk, wanted)

    def features(self, pixels: Tensor, wanted: Wanted) -> Features:
        """Return the features of normalised pixels (B, 3, H, W) on the device."""
        with torch.inference_mode():
            if wanted.scales and not isinstance(self._tower, NativeViT):
                raise ClipError(
                    f"method 'winclip' needs one of open_clip's own ViTs; got {self.settings.name}: pass "
                    f"method='dual', or choose a model such as 'ViT-B-16-plus-240'"
                )
            with self._autocast():
                tokens: Tokens = self._forward(pixels, taps=wanted.taps, dual=wanted.dual, plain=wanted.plain)
                parts = [self._windows(tokens.start, pixels, side) for side in wanted.scales]
            return Features(
                whole=_normal(tokens.whole),
                dual=[_normal(one) for one in tokens.dual],
                plain=[_normal(one) for one in tokens.plain],
                windows=parts,
                last=None if tokens.last is None or not wanted.plain else _normal(tokens.last),
            )

    def similarity(self, features: Tensor, text: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return cosines (..., classes) of features (..., D) to text features (classes, D)."""
        with torch.inference_mode():
            found: NDArray[np.float32] = (features @ torch.from_numpy(text).to(self.device).T).cpu().numpy()
            return found

    def distance(
        self,
        features: Tensor,
        bank: NDArray[np.float32],
        *,
        neighbours: int = 1,
        hidden: NDArray[np.bool_] | None = None,
    ) -> NDArray[np.float32]:
        """Return the mean of (1 - cosine) / 2 to the nearest of a bank (M, width): (B, P), 0..1.

        hidden: (M,), those of the bank that are left out.
        """
        with torch.inference_mode():
            rows = torch.from_numpy(bank if hidden is None else bank[~hidden]).to(self.device)
            step = max(1, _SIMILARITIES // len(rows))
            count = min(neighbours, len(rows))
            parts = features.flatten(0, 1).split(step)
            nearest = [(part @ rows.T).topk(count, dim=1).values.mean(dim=1) for part in parts]
            far = ((1 - torch.cat(nearest)) / 2).clamp_min_(0).reshape(features.shape[:2])
            found: NDArray[np.float32] = far.cpu().numpy()
            return found

    def pooled(self, patches: NDArray[np.float32], *, grid: tuple[int, int], side: int) -> Tensor:
        """Return patches (P, width) averaged over their neighbourhood of side x side, of length 1 again."""
        with torch.inference_mode():
            flat = torch.from_numpy(patches).to(self.device)
            if side == 1:
                return flat
            image = flat.T.reshape(1, -1, *grid)
            mean = functional.avg_pool2d(image, side, stride=1, padding=side // 2, count_include_pad=False)
            return _normal(mean[0].flatten(1).T)

    def nearest(self, features: Tensor, other: Tensor) -> NDArray[np.float32]:
        """Return (1 - cosine) / 2 from each of (P, width) to the nearest of another image's patches (Q, width)."""
        with torch.inference_mode():
            step = max(1, _SIMILARITIES // len(other))
            closest = torch.cat([(part @ other.T).amax(dim=1) for part in features.split(step)])
            found: NDArray[np.float32] = ((1 - closest) / 2).clamp_min_(0).cpu().numpy()
            return found

    def _windows(self, start: Tensor | None, pixels: Tensor, side: int) -> Tensor:
        assert start is not None
        assert isinstance(self._tower, NativeViT)  # which `features` has checked
        grid = (pixels.shape[-2] // self.patch, pixels.shape[-1] // self.patch)
        patches = torch.tensor(windows(grid, side), device=self.device)
        step = max(1, _WINDOW_TOKENS // (len(start) * (side * side + 1)))
        return torch.cat([_normal(self._tower.windows(start, part)) for part in patches.split(step)], dim=1)

    def _autocast(self) -> AbstractContextManager[Any]:
        dtype = _DTYPES.get(self.settings.precision)
        return nullcontext() if dtype is None else torch.autocast(self.device.type, dtype=dtype)

    def _encode(self, sentences: list[str]) -> NDArray[np.float32]:
        with torch.inference_mode():
            tokens = tokenizer_of(self.settings)(sentences)
            parts = [self._model.encode_text(part.to(self.device)).float().cpu() for part in tokens.split(_SENTENCES)]
            found: NDArray[np.float32] = torch.cat(parts).numpy()
            return found

    def _fingerprint(self) -> str:
        """Return a name for the weights outside the image tower, which make text features what they are."""
        with torch.inference_mode():
            digest = sha256(f"{self.settings.tokenizer}".encode())
            for name, tensor in self._model.state_dict().items():
                if not name.startswith("visual.") and tensor.is_floating_point():
                    flat = tensor.float().flatten()
                    sample = torch.cat(
                        [flat[:: max(1, len(flat) // 64)], flat.abs().sum(dtype=torch.float64).float()[None]]
                    )
                    digest.update(f"{name}{tuple(tensor.shape)}".encode() + sample.cpu().numpy().tobytes())
            return digest.hexdigest()


_held: WeakValueDictionary[tuple[ClipSettings, float], Engine] = WeakValueDictionary()
_recent: deque[Engine] = deque(maxlen=2)


def engine_of(settings: ClipSettings) -> Engine:
    """Return the loaded model of these settings, one for all detectors that hold it; the last two loaded are kept."""
    key = (settings, settings.checkpoint.stat().st_mtime if settings.checkpoint else 0.0)  # a new file is another
    engine = _held.get(key)
    if engine is None:
        engine = _held[key] = Engine(settings)
        _recent.append(engine)
    return engine


def forget() -> None:
    """Let go of the models that no detector holds, and share none of the others any longer."""
    _held.clear()
    _recent.clear()


def _normal(features: Tensor) -> Tensor:
    return functional.normalize(features.float(), dim=-1)


def _unit(features: NDArray[Any]) -> NDArray[Any]:
    unit: NDArray[Any] = features / np.linalg.norm(features, axis=-1, keepdims=True)
    return unit
