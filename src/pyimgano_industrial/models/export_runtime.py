"""Running anomalib's exports: what is alike whichever library runs the graph."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.models.checkpoint_files import CheckpointError, Kind
from pyimgano_industrial.models.export_graph import Value, interpolation_of, raw_source, steps_of
from pyimgano_industrial.models.placing import CentreCrop, Resize, Step
from pyimgano_industrial.models.runtime import Output, Thresholds


class ExportRuntime(ABC):
    """Runs an export; its graph holds the preprocessing, and takes images of any size or of one fixed size.

    anomalib's exports end in their own normalisation, which clips to 0..1; `normalized` gives that, otherwise scores
    and maps are read from the place in the graph where the normalisation begins. They resize without antialiasing,
    unlike training: so images are resized here, with it, and the graph then finds them at its own size.
    """

    class_name = "unknown"

    def __init__(self, path: Path, *, kind: Kind, alone: bool) -> None:
        """alone: the table's, whether an image's numbers change with the others of its batch."""
        self.kind: str = kind
        self.steps: tuple[Step, ...] = ()
        self.preprocessing: tuple[str, ...] = ()
        self.thresholds = Thresholds()
        self._path, self._alone = path, alone
        self._batch: int | None = None
        self._cubic = False
        self._names: list[str] = []
        self._size: tuple[int, int] | None = None

    @abstractmethod
    def run(self, batch: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Return what the graph computes of images (N, 3, H, W): by the names of its outputs, and raw_... of those."""

    def __call__(self, images: Sequence[NDArray[np.uint8]], *, normalized: bool) -> Output:
        """Return scores (N,) and maps as the graph gives them; images of one size go through in one batch.

        A graph of a fixed batch gets as many, the last one repeated.
        """
        prepared = [self._prepare(image) for image in images]
        results: dict[int, dict[str, NDArray[np.float32]]] = {}
        for shape in dict.fromkeys(one.shape for one in prepared):
            indices = [index for index, one in enumerate(prepared) if one.shape == shape]
            step = 1 if self._alone else self._batch or len(indices)
            for part in (indices[start : start + step] for start in range(0, len(indices), step)):
                filled = part + part[-1:] * ((self._batch or 0) - len(part))
                found = self.run(np.stack([prepared[index] for index in filled]))
                for name in self._names:
                    values = found[name if normalized else f"raw_{name}"].astype(np.float32, copy=False)
                    for index, value in zip(part, values[: len(part)], strict=True):
                        results.setdefault(index, {})[name] = value
        each = [results[index] for index in range(len(images))]
        maps = [one["anomaly_map"].reshape(one["anomaly_map"].shape[-2:]) for one in each if "anomaly_map" in one]
        scores = [one["pred_score"].max() if "pred_score" in one else one["anomaly_map"].max() for one in each]
        return np.array(scores, np.float32), maps or None

    def _read(self, image: Value, shape: tuple[int | None, ...], outputs: Mapping[str, Any]) -> dict[str, Any]:
        """Learn from the graph what it does around the network; return its raw values by name, raw_....

        image: its input, of that shape, None where it is not fixed; outputs: by name. Raises CheckpointError.
        """
        self._names = [name for name in ("pred_score", "anomaly_map") if name in outputs]
        if not self._names:
            raise CheckpointError(
                f"{self._path} must have the outputs pred_score or anomaly_map, as anomalib's exports do; "
                f"it has {', '.join(sorted(outputs)) or 'none with a name'}"
            )
        if len(shape) != 4 or shape[1] != 3:
            raise CheckpointError(
                f"{self._path} must take images of shape (N, 3, H, W), as anomalib's exports do; it takes {shape}"
            )
        raw, limits = {}, dict[str, float | None]()
        for name in self._names:
            found = raw_source(outputs[name])
            if found is None:
                self._warn(f"normalises {name} in a way that cannot be undone: its values are clipped to 0..1")
            raw[f"raw_{name}"], limits[name] = found or (outputs[name], None)
        self.thresholds = Thresholds(limits.get("pred_score"), limits.get("anomaly_map"))
        fixed = (shape[2], shape[3]) if shape[2] is not None and shape[3] is not None else None
        steps = steps_of(image, fixed)
        if steps is None:
            self._warn("moves pixels in a way that cannot be followed: its maps are laid over the whole image")
        self.steps = steps or ()
        self._size = next((one.size for one in self.steps if isinstance(one, Resize) and len(one.size) == 2), None)
        interpolation = interpolation_of(image)
        self._cubic = "cubic" in interpolation
        if fixed is None and "linear" not in interpolation and not self._cubic:
            self._size = None  # to the nearest pixel, without antialiasing, as the graph does it
        self._batch = shape[0]
        self.preprocessing = (*map(_words, self.steps), "whatever else is inside the graph")
        return raw

    def _warn(self, what: str) -> None:
        warnings.warn(f"{self._path} {what}; give the checkpoint instead", IndustrialWarning, stacklevel=6)

    def _prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (3, H, W) float32 in 0..1, of the size to which the graph resizes, where it says one."""
        scaled = image.astype(np.float32) / 255
        if self._size is None or scaled.shape[:2] == self._size:
            return np.ascontiguousarray(np.moveaxis(scaled, -1, 0))
        from PIL import Image

        size = (self._size[1], self._size[0])
        method = Image.Resampling.BICUBIC if self._cubic else Image.Resampling.BILINEAR
        planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(scaled, -1, 0)]
        return np.stack([np.asarray(plane.resize(size, method)) for plane in planes])


def _words(step: Step) -> str:
    name = "CenterCrop" if isinstance(step, CentreCrop) else type(step).__name__
    return f"{name}(size={list(step.size)})" if isinstance(step, (CentreCrop, Resize)) else f"{name}()"
