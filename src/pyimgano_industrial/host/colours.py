"""Seam: arrays are RGB in the models and features that make them grey; the host takes them for BGR there."""

from __future__ import annotations

from collections.abc import Iterable
from functools import wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.host.contract import expect

# Module -> the function that is handed every array.
TAKES_BGR = {
    "pyimgano.features.color_hist": "_load_image",
    "pyimgano.features.edge_stats": "_load_image",
    "pyimgano.features.fft_lowfreq": "_load_image",
    "pyimgano.features.gabor": "_load_image",
    "pyimgano.features.hog": "_load_image",
    "pyimgano.features.lbp": "_load_image",
    "pyimgano.features.patch_stats": "_load_image",
    "pyimgano.models.phase_corr_map": "_to_gray",
    "pyimgano.models.ssim": "_to_gray",
    "pyimgano.models.ssim_map": "_to_gray",
    "pyimgano.models.ssim_struct": "_to_gray",
    "pyimgano.models.template_ncc_map": "_to_gray",
}
STRUCTURAL = "pyimgano.features.structural"


def apply(host: ModuleType) -> None:
    """Turn RGB arrays round before the module sees them."""
    if host.__name__ == STRUCTURAL:
        _structural(host)
        return
    name = TAKES_BGR[host.__name__]
    original = expect(host, name)

    @wraps(original)
    def from_rgb(item: Any) -> Any:
        return original(turned(item))

    setattr(host, name, from_rgb)


def turned(item: Any) -> Any:
    """Return a colour array (H, W, 3) with its channels in the other order; anything else as it is."""
    if isinstance(item, np.ndarray) and item.ndim == 3 and item.shape[2] == 3:
        return np.ascontiguousarray(item[..., ::-1])
    return item


def _structural(host: ModuleType) -> None:
    """Files are read before the extractor, which would turn an unreadable one into zeros."""
    extractor = expect(host, "StructuralFeaturesExtractor")
    extract = expect(extractor, "extract", "inputs")

    @wraps(extract)
    def from_rgb(self: Any, inputs: Iterable[Any]) -> Any:
        read = (read_rgb(item) if isinstance(item, (str, Path)) else item for item in inputs)
        return extract(self, [turned(item) for item in read])

    extractor.extract = from_rgb
