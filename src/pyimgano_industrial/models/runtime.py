"""What every backend of a checkpoint offers, whatever library runs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.models.placing import Step

Output = tuple[NDArray[np.float32], list[NDArray[np.float32]] | None]


class DeviceError(IndustrialError, ValueError):
    """A device is unknown or not there."""


@dataclass(frozen=True)
class Thresholds:
    """A checkpoint's own thresholds of raw scores and maps; None where anomalib's training set none."""

    image: float | None = None
    pixel: float | None = None


class Runtime(Protocol):
    """Runs one checkpoint on (H, W, 3) uint8 RGB images of any sizes."""

    kind: str
    class_name: str
    preprocessing: tuple[str, ...]
    steps: tuple[Step, ...]
    thresholds: Thresholds

    def __call__(self, images: Sequence[NDArray[np.uint8]], *, normalized: bool) -> Output:
        """Return scores (N,) float32 and maps [(h, w) float32] of the model's size, None where it gives none."""
        ...
