"""Seam: the classical models' default preprocessor reads arrays; the host turns them into zeros without a word."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np

from pyimgano_industrial.core.images import to_uint8
from pyimgano_industrial.host.contract import expect


def apply(host: ModuleType) -> None:
    """Let the preprocessor's loader take (H, W) or (H, W, 3) arrays, uint8, uint16 or float in 0..1, RGB."""
    load = expect(host, "load_image", "path", "mode")
    expect(host, "ImagePreprocessor")

    @wraps(load)
    def load_image(path: Any, mode: str = "RGB") -> Any:
        if not isinstance(path, np.ndarray):
            return load(path, mode)
        from PIL import Image

        image = Image.fromarray(to_uint8(path, path="an image array"))
        return image if mode is None else image.convert(mode)

    host.load_image = load_image  # type: ignore[attr-defined]  # the host's module attribute
