"""From a torch file to something that runs."""

from __future__ import annotations

from pathlib import Path

from pyimgano_industrial.models.anomalib.building import module_of
from pyimgano_industrial.models.anomalib.reading import read
from pyimgano_industrial.models.anomalib.running import TorchRuntime
from pyimgano_industrial.models.anomalib_table import AnomalibModel


def load(path: Path, *, model: AnomalibModel | None, device: str, trust: bool) -> TorchRuntime:
    """Return the runtime of a .ckpt or .pt; raises CheckpointError and DeviceError."""
    content = read(path, trust=trust)
    return TorchRuntime(module_of(content, path, wanted=model), device=device, kind="torch")
