"""An anomalib module as a function of images: its own preprocessing, one forward, raw or normalised output."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from anomalib.data import InferenceBatch
from anomalib.data.transforms import ExportableCenterCrop
from anomalib.data.transforms import SquarePad as SquarePadTransform
from anomalib.models.components import AnomalibModule
from numpy.typing import NDArray
from torchvision.transforms import v2

from pyimgano_industrial.core.errors import closest
from pyimgano_industrial.models.anomalib_table import BY_CLASS
from pyimgano_industrial.models.checkpoint_files import CheckpointError
from pyimgano_industrial.models.placing import CentreCrop, Resize, SquarePad, Step
from pyimgano_industrial.models.runtime import DeviceError, Output, Thresholds

_UNMOVED = (v2.Normalize, v2.Grayscale, v2.Identity, v2.ToDtype, v2.ToImage)


class TorchRuntime:
    """Runs a model on a torch device; images are (H, W, 3) uint8 RGB arrays of any sizes."""

    def __init__(self, module: AnomalibModule, *, device: str, kind: str) -> None:
        self.module = module.eval()
        self.kind = kind
        self.class_name = type(module).__name__
        self.alone = self.class_name in BY_CLASS and BY_CLASS[self.class_name].alone
        self.transform = module.pre_processor.transform if module.pre_processor else None
        self.steps = steps_of(self.transform)
        self.preprocessing = tuple(_words(one) for one in _flat(self.transform))
        self.thresholds = _thresholds(module)
        self.device = torch_device(device)
        self.module.to(self.device)

    def __call__(self, images: Sequence[NDArray[np.uint8]], *, normalized: bool) -> Output:
        """Return scores (N,) float32 and maps [(h, w) float32] as the model gives them, None where it gives none.

        normalized: the checkpoint's own scale, 0..1 with its threshold at 0.5, instead of the model's raw output.
        Images of one size after preprocessing go through in one batch, unless the model mixes a batch's images.
        """
        scores = np.empty(len(images), np.float32)
        maps: dict[int, NDArray[np.float32]] = {}
        with torch.inference_mode():
            prepared = [self.prepare(image) for image in images]
            for shape in dict.fromkeys(one.shape for one in prepared):
                indices = [index for index, one in enumerate(prepared) if one.shape == shape]
                for part in [[index] for index in indices] if self.alone else [indices]:
                    found = self._predict(torch.cat([prepared[index] for index in part]))
                    if normalized and self.module.post_processor is not None:
                        found = self.module.post_processor(found)
                    scores[part] = found.pred_score.float().reshape(len(part)).cpu().numpy()
                    if found.anomaly_map is not None:
                        batch = found.anomaly_map.float().cpu().numpy()
                        maps.update(zip(part, batch.reshape(len(part), *batch.shape[-2:]), strict=True))
        return scores, [maps[index] for index in range(len(images))] if maps else None

    def prepare(self, image: NDArray[np.uint8]) -> torch.Tensor:
        """Return an image as the model takes it: (1, 3, h, w) float32 on the device."""
        tensor = torch.from_numpy(np.ascontiguousarray(image)).to(self.device).permute(2, 0, 1)[None]
        scaled = v2.functional.to_dtype(tensor, torch.float32, scale=True)
        return scaled if self.transform is None else self.transform(scaled)

    def _predict(self, batch: torch.Tensor) -> InferenceBatch:
        found = self.module.model(batch)
        if not isinstance(found, InferenceBatch):  # AnomalyVFM gives (scores, maps)
            found = InferenceBatch(pred_score=found[0], anomaly_map=found[1])
        if found.pred_score is None:
            found = found._replace(pred_score=found.anomaly_map.flatten(1).amax(1))
        return found


def torch_device(name: str) -> torch.device:
    """Return the device of that name, "auto" for the best one there is; raises DeviceError where it is not there."""
    if name == "auto":
        found = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
        return found or torch.device("cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        known = ["auto", "cpu", "cuda", "cuda:0", "mps", "xpu"]
        raise DeviceError(f"device must be a torch device; got {name!r}: {closest(name, known)}") from error
    if device.type == "cpu":
        return device
    backend = getattr(torch, device.type, None)
    count = backend.device_count() if backend is not None and backend.is_available() else 0
    if (device.index or 0) >= count:
        there = f"{count} of kind {device.type}" if count else f"no {device.type} device"
        raise DeviceError(f"device must be there; got {name!r}, and torch sees {there}: use device='auto' or 'cpu'")
    return device


def steps_of(transform: Any) -> tuple[Step, ...]:
    """Return how a transform moves pixels; raises CheckpointError for one that cannot be followed back."""
    steps: list[Step] = []
    for one in _flat(transform):
        if isinstance(one, v2.Resize):
            size = one.size if isinstance(one.size, (list, tuple)) else [one.size]
            steps.append(Resize(tuple(size), one.max_size))
        elif isinstance(one, (v2.CenterCrop, ExportableCenterCrop)):
            steps.append(CentreCrop((one.size[0], one.size[1])))
        elif isinstance(one, SquarePadTransform):
            steps.append(SquarePad())
        elif not isinstance(one, _UNMOVED):
            raise CheckpointError(
                f"maps cannot be laid on the image after {type(one).__name__}; known: Resize, CenterCrop, SquarePad, "
                f"Normalize, Grayscale. Train with these, and put random transforms among the augmentations"
            )
    return tuple(steps)


def _flat(transform: Any) -> list[Any]:
    if transform is None:
        return []
    if isinstance(transform, v2.Compose):
        return [one for part in transform.transforms for one in _flat(part)]
    return [transform]


def _words(transform: Any) -> str:
    return f"{type(transform).__name__}({transform.extra_repr()})"


def _thresholds(module: AnomalibModule) -> Thresholds:
    """Return the raw thresholds, None where the training set none."""
    values = [
        float(getattr(module.post_processor, name, torch.tensor(torch.nan)))
        for name in ("image_threshold", "pixel_threshold")
    ]
    image, pixel = (None if np.isnan(value) else value for value in values)
    return Thresholds(image, pixel)
