"""Seam: every place where pyimgano reads an image file reads it by the rules of core.images.

EXIF orientation, 9 to 16 bits, grey as the luma of RGB, and an error that names a file that cannot be read.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.core.images import read_raw, read_rgb
from pyimgano_industrial.host import settings
from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.inference.formats import bits_of

# Models that call cv2.imread through their module's own `cv2`.
THROUGH_CV2 = ("cblof", "cflow", "dfm", "draem", "loda", "one_svm_cnn", "simplenet", "spade", "stfpm")


# Models that ask for cv2 by a function `require`.
THROUGH_REQUIRE = ("padim", "patchcore")


def apply(host: ModuleType) -> None:
    """Replace the reader of one module."""
    name = host.__name__
    if name in _DATASETS:
        _DATASETS[name](host)
        return
    if name.rpartition(".")[2] in THROUGH_REQUIRE:
        _through_require(host)
        return
    if name.rpartition(".")[2] in THROUGH_CV2:
        host.cv2 = Decoding(expect(host, "cv2"))  # type: ignore[attr-defined]  # the host's module attribute
        return
    reader, ours = _OURS.get(name, ("_as_pil_rgb", _as_pil))
    original = expect(host, reader)
    new = wraps(original)(ours if name in _OURS else partial(ours, original))
    setattr(host, reader, new)
    rebind(reader, original, new)


def _training_images(host: ModuleType) -> None:
    """What networks are fitted on; where the host cannot read a file, it fits on black without a word."""
    from PIL import Image

    dataset = expect(host, "VisionImageDataset")
    expect(dataset, "__getitem__", "idx")
    host.cv2 = Decoding(expect(host, "cv2"))  # type: ignore[attr-defined]  # the host's module attribute

    def read_one(self: Any, idx: int) -> tuple[Any, Any]:
        image: Any = Image.fromarray(read_rgb(self.image_paths[idx]))
        image = image if self.transform is None else self.transform(image)
        return image, image if self.target_transform is None else self.target_transform(image)

    dataset.__getitem__ = read_one


def _kept_images(host: ModuleType) -> None:
    """The same where the tensors made of files are kept on disk."""
    from PIL import Image

    dataset = expect(host, "CachedVisionImageDataset")
    kept = expect(dataset, "__getitem__", "idx")

    @wraps(kept)
    def read_one(self: Any, idx: int) -> tuple[Any, Any]:
        path = self.image_paths[idx]
        if self.cache.load(path) is not None:
            found: tuple[Any, Any] = kept(self, idx)
            return found
        image = self.transform(Image.fromarray(read_rgb(path)))
        self.cache.save(path, np.asarray(image, np.float32))
        return image, image

    dataset.__getitem__ = read_one


def _through_require(host: ModuleType) -> None:
    original = expect(host, "require")

    @wraps(original)
    def require(name: str, *args: Any, **kwargs: Any) -> Any:
        found = original(name, *args, **kwargs)
        return Decoding(found) if name == "cv2" else found

    host.require = require  # type: ignore[attr-defined]  # the host's module attribute


def _read_image(path: str | Path, *, color: str = "bgr") -> NDArray[np.uint8]:
    import cv2

    rgb = read_rgb(path)
    if color == "rgb":
        return rgb
    if color not in ("bgr", "gray"):
        raise ImageError(f"color must be bgr, rgb or gray; got {color!r}")
    other: NDArray[np.uint8] = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY if color == "gray" else cv2.COLOR_RGB2BGR)
    return other


def _load_path(path: str | Path, *, u16_max: int | None = None) -> NDArray[np.uint8]:
    return read_rgb(path, bit_depth=None if u16_max is None else bits_of(u16_max))


def _as_pil(original: Callable[..., Any], item: Any, *, input_color: str) -> Any:
    if isinstance(item, (str, Path)):
        return original(read_rgb(item), input_color="rgb")
    return original(item, input_color=input_color)


def _load_resized(path: str, *, resize: tuple[int, int]) -> NDArray[np.uint8]:
    """As `_load_u8_rgb` of the robustness benchmark: reduced by area, at its own size where `resize` holds a 0."""
    import cv2

    rgb = read_rgb(path)
    size = (rgb.shape[0], rgb.shape[1])
    wanted = resize if min(resize) > 0 else size
    settings.resized.add((size, wanted))
    if size == wanted:
        return rgb
    resized: NDArray[np.uint8] = cv2.resize(rgb, wanted[::-1], interpolation=cv2.INTER_AREA)
    return resized


_DATASETS = {"pyimgano.cache.deep_embeddings": _kept_images, "pyimgano.datasets.image": _training_images}
_OURS: dict[str, tuple[str, Callable[..., Any]]] = {
    "pyimgano.io.image": ("read_image", _read_image),
    "pyimgano.inference.image_decode": ("load_path_as_rgb_u8_hwc", _load_path),
    "pyimgano.models._image_batch": ("_load_rgb_path_image", _load_path),
    "pyimgano.services.robustness_service": ("_load_u8_rgb", _load_resized),
    "pyimgano.models.ref_patch_distance": ("_as_rgb_u8_hwc", _load_path),
}


class Decoding:
    """Stands in for a module's `cv2`: `imread` follows our rules, all else is OpenCV's."""

    def __init__(self, cv2: ModuleType) -> None:
        self._cv2 = cv2

    def __reduce__(self) -> tuple[Any, ...]:
        return _decoding, ()  # a detector may keep it, and a module does not pickle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._cv2, name)

    def imread(self, path: str, flags: int | None = None) -> NDArray[Any]:
        """Return (H, W, 3) uint8 BGR, (H, W) for IMREAD_GRAYSCALE, or the file as it is for IMREAD_UNCHANGED."""
        if flags == self._cv2.IMREAD_UNCHANGED:
            return read_raw(path)
        return _read_image(path, color="gray" if flags == self._cv2.IMREAD_GRAYSCALE else "bgr")


def _decoding() -> Decoding:
    import cv2

    return Decoding(cv2)
