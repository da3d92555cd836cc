"""Maps written as TIFF files in the layout of MVTec's evaluators: `<dir>/<category>/test/<type>/NNN.tiff`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.files import written
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.sample import Sample


class MapExportError(IndustrialError, ValueError):
    """Maps cannot be written as asked."""


def map_file(folder: Path, dataset: FolderDataset, sample: Sample) -> Path:
    """Return where the map of a sample goes: as its image lies in the category, with the suffix .tiff."""
    image = sample.image
    inside = dataset.folder in image.parents
    below = image.relative_to(dataset.folder) if inside else Path(sample.split, f"{sample.anomaly_type}", image.name)
    return folder / dataset.category / below.with_suffix(".tiff")


def check_names(folder: Path, dataset: FolderDataset, samples: tuple[Sample, ...]) -> None:
    """Raise MapExportError where two images would share a file, such as 000.png and 000.jpg of one folder."""
    taken: dict[Path, Path] = {}
    for sample in samples:
        file = map_file(folder, dataset, sample)
        if file in taken:
            raise MapExportError(
                f"each map needs a file of its own; {taken[file]} and {sample.image} would both be {file}: rename one"
            )
        taken[file] = sample.image


def write_map(path: Path, anomaly_map: NDArray[np.float32]) -> None:
    """Write a map (H, W) as float32 TIFF without compression, which every reader knows."""
    import cv2

    uncompressed = [cv2.IMWRITE_TIFF_COMPRESSION, 1]
    encoded = cv2.imencode(".tiff", np.ascontiguousarray(anomaly_map, np.float32), uncompressed)[1]
    with written(path) as spare:
        spare.write_bytes(encoded.tobytes())
