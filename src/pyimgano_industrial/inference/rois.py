"""The region of interest of each image of a run: one for all, or one an image, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import closest
from pyimgano_industrial.core.images import IMAGE_SUFFIXES, read_raw
from pyimgano_industrial.core.regions import Region, RegionError, Roi

RoiLike = Roi | str | Path | Mapping[str, Any] | Callable[[str], Any]


class Rois:
    """Finds the region of an image.

    roi: a mask (H, W), a box (x0, y0, x1, y1) or a polygon [(x, y), ...] for all images; the path of a mask image;
    a folder of mask images, each named as its image is, whatever the suffix (one category: one folder); a mapping
    from an image's stem to any of these; or a function of the image's name that returns one, or None for all of it.
    Masks are non-zero inside and have their image's size; box and polygon are in pixels.
    Raises RegionError, a ValueError, when an image has no region or one that does not fit.
    """

    def __init__(self, roi: RoiLike) -> None:
        self._roi = _folder(Path(roi)) if isinstance(roi, (str, Path)) else roi
        self._last: tuple[Any, tuple[int, int], Region] | None = None

    def region(self, name: str, shape: tuple[int, int]) -> Region | None:
        """Return the region of one image of `shape` (H, W), None where all of it counts."""
        roi = self._of(name)
        if roi is None:
            return None
        if self._last is None or self._last[0] is not roi or self._last[1] != shape:
            loaded = load_mask(roi) if isinstance(roi, (str, Path)) else roi
            try:
                self._last = roi, shape, Region(loaded, height=shape[0], width=shape[1])
            except RegionError as error:
                raise RegionError(f"{error}; the image is {name}") from error
        return self._last[2]

    def mask(self, name: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return the pixels (H, W) of one image that count, True inside its region."""
        region = self.region(name, (shape[0], shape[1]))
        return np.ones((shape[0], shape[1]), np.bool_) if region is None else region.rows(0, shape[0])

    def _of(self, name: str) -> Any:
        if callable(self._roi):
            return self._roi(name)
        if not isinstance(self._roi, Mapping):
            return self._roi
        stem = Path(name).stem
        if stem not in self._roi:
            raise RegionError(
                f"every image must have a region of its own; {name} has none under {stem!r}: add one, or pass a "
                f"function of the name, which may give None for all of an image (arrays are called 'image 0', "
                f"'image 1', ...); {closest(stem, self._roi)}"
            )
        return self._roi[stem]


def parse_roi(text: str) -> RoiLike:
    """Return the region that a command's flag states: a box, a polygon, or the path of a mask or of a folder of masks.

    text: x0,y0,x1,y1 is a box; x,y,x,y,x,y and so on, three points or more, a polygon.

    >>> parse_roi("0,10,640,470")
    (0, 10, 640, 470)
    >>> parse_roi("0,0,640,0,320,480")
    [(0, 0), (640, 0), (320, 480)]
    """
    parts = text.split(",")
    if len(parts) >= 4 and len(parts) % 2 == 0 and all(part.strip().isdigit() for part in parts):
        numbers = [int(part) for part in parts]
        if len(numbers) == 4:
            return numbers[0], numbers[1], numbers[2], numbers[3]
        return list(zip(numbers[::2], numbers[1::2], strict=True))
    if not Path(text).exists():
        raise RegionError(
            f"--roi must be a box x0,y0,x1,y1 or a polygon x,y,x,y,x,y... in pixels, a mask image or a folder of "
            f"masks; got {text!r}"
        )
    return Path(text)


def _folder(path: Path) -> Any:
    if not path.is_dir():
        return path
    found = {file.stem: file for file in sorted(path.iterdir()) if file.suffix.lower() in IMAGE_SUFFIXES}
    if not found:
        raise RegionError(f"a folder of regions must hold mask images; {path} holds none")
    return found


def load_mask(path: str | Path) -> NDArray[np.bool_]:
    """Return a mask image as (H, W) bool, True inside; raises ImageError naming the file."""
    pixels = read_raw(path)
    inside: NDArray[np.bool_] = (pixels if pixels.ndim == 2 else pixels[..., :3].any(axis=2)) != 0
    return inside
