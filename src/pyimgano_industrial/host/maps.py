"""Seam: pixel metrics work on images of mixed sizes, and a detector whose maps fail says so.

The host asks for all maps in one array; sizes that differ make that fail, and the failure is swallowed.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Sequence
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import ImageError, IndustrialWarning
from pyimgano_industrial.core.images import image_size
from pyimgano_industrial.host.contract import expect, rebind


def apply(host: ModuleType) -> None:
    """Ask for maps one image size at a time, and warn with the cause where the host keeps silent."""
    extract = expect(host, "_extract_raw_maps_from_detector", "detector", "paths")
    compute = expect(host, "_compute_pixel_scores_from_detector", "detector", "paths", "masks", "postprocess")

    @wraps(extract)
    def _extract_raw_maps_from_detector(detector: Any, paths: list[str]) -> list[NDArray[Any]]:
        groups = by_size(paths)
        maps: dict[int, NDArray[Any]] = {}
        for indices in groups:
            found = extract(detector, [paths[index] for index in indices])
            maps.update(zip(indices, found, strict=True))
        return [maps[index] for index in range(len(paths))]

    @wraps(compute)
    def _compute_pixel_scores_from_detector(*args: Any, **kwargs: Any) -> NDArray[np.float32]:
        try:
            scores: NDArray[np.float32] = compute(*args, **kwargs)
        except Exception as error:  # the host's caller swallows it
            warnings.warn(
                f"no pixel metrics: the detector's anomaly maps failed with {type(error).__name__}: {error}",
                IndustrialWarning,
                stacklevel=2,
            )
            raise
        return scores

    for old, new in ((extract, _extract_raw_maps_from_detector), (compute, _compute_pixel_scores_from_detector)):
        setattr(host, new.__name__, new)
        rebind(new.__name__, old, new)


def by_size(paths: Sequence[str]) -> list[list[int]]:
    """Return the indices of the images in groups of one size, in order of first appearance."""
    groups: dict[object, list[int]] = defaultdict(list)
    for index, path in enumerate(paths):
        try:
            size: object = image_size(path)
        except ImageError:  # the detector itself will say what is wrong with the file
            size = "unknown"
        groups[size].append(index)
    return list(groups.values())
