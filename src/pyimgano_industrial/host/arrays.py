"""Seam: the classical models' default preprocessor reads arrays, and files by the rules of core.images.

The host turns arrays and files that it cannot read into zeros, without a word.
"""

from __future__ import annotations

import copy
from functools import wraps
from types import ModuleType
from typing import Any

import numpy as np

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.core.images import read_rgb, to_uint8
from pyimgano_industrial.host.contract import expect


def apply(host: ModuleType) -> None:
    """Let the loader take (H, W) or (H, W, 3) arrays, uint8, uint16 or float in 0..1, RGB, and name what is broken."""
    load = expect(host, "load_image", "path", "mode")
    preprocessor = expect(host, "ImagePreprocessor")
    process = expect(preprocessor, "process", "path")

    @wraps(load)
    def load_image(path: Any, mode: str | None = "RGB") -> Any:
        from PIL import Image

        if isinstance(path, np.ndarray):
            image = Image.fromarray(to_uint8(path, path="an image array"))
        elif mode is None:  # the file's own mode
            return load(path, mode)
        else:
            image = Image.fromarray(read_rgb(path))
        return image if mode is None else image.convert(mode)

    @wraps(process)
    def process_or_raise(self: Any, path: Any) -> Any:
        strict = copy.copy(self)
        strict.error_mode = "raise"
        try:
            return process(strict, path)
        except ImageError:  # an unreadable input is no black image, whatever the mode
            raise
        except Exception:  # noqa: BLE001 - the host's own error mode decides
            return process(self, path)

    host.load_image = load_image  # type: ignore[attr-defined]  # the host's module attribute
    preprocessor.process = process_or_raise
