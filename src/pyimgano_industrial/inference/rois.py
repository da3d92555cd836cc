"""The region of interest of each image of a run: one for all, one a category, or one an image."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import closest
from pyimgano_industrial.core.regions import Region, RegionError, Roi
from pyimgano_industrial.inference.region_files import load_mask, opened, read_regions

RoiLike = Roi | str | Path | Mapping[str, Any] | Callable[[str], Any]


class Rois:
    """Finds the region of an image.

    roi: a mask (H, W), a box (x0, y0, x1, y1) or a polygon [(x, y), ...] for all images; the path of a mask image;
    a mapping from names to any of these, None for all of an image; a folder of mask images or a JSON file that stand
    for such a mapping, see `region_files`; or a function of the image's name that returns one, or None.
    Names of a mapping: an image's is the end of its path without the suffix ("000", "scratch/000"), a category's is
    the name of a folder that its images lie in ("bolt"). An image's own goes first, the longest name before others,
    then the folder that is closest to the image.
    Masks are non-zero inside and have their image's size; box and polygon are in pixels.
    Raises RegionError, a ValueError, when an image has no region or one that does not fit.

    >>> rois = Rois({"bolt": (0, 0, 4, 2), "nut": (0, 0, 2, 2), "nut/test/crack/007": None})
    >>> [int(rois.mask(f"parts/{name}.png", (4, 4)).sum()) for name in ("bolt/a", "nut/a", "nut/test/crack/007")]
    [8, 4, 16]
    """

    def __init__(self, roi: RoiLike) -> None:
        self._roi = opened(Path(roi)) if isinstance(roi, (str, Path)) else roi
        self._last: tuple[Any, tuple[int, int], Region] | None = None

    def knows(self, name: str) -> bool:
        """Return whether an image of that name has a region, or None for all of it; a function knows every name."""
        return not isinstance(self._roi, Mapping) or any(key in self._roi for key in _names(Path(name)))

    def region(self, name: str, shape: tuple[int, int]) -> Region | None:
        """Return the region of one image of `shape` (H, W), None where all of it counts."""
        roi = self._of(name)
        if roi is None:
            return None
        last = self._last  # another thread may set its own meanwhile
        if last is None or last[0] is not roi or last[1] != shape:
            loaded = load_mask(roi) if isinstance(roi, (str, Path)) else roi
            try:
                last = roi, shape, Region(loaded, height=shape[0], width=shape[1])
            except RegionError as error:
                raise RegionError(f"{error}; the image is {name}") from error
        self._last = last
        return last[2]

    def mask(self, name: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
        """Return the pixels (H, W) of one image that count, True inside its region."""
        region = self.region(name, (shape[0], shape[1]))
        return np.ones((shape[0], shape[1]), np.bool_) if region is None else region.rows(0, shape[0])

    def _of(self, name: str) -> Any:
        if callable(self._roi):
            return self._roi(name)
        if not isinstance(self._roi, Mapping):
            return self._roi
        for key in _names(Path(name)):
            if key in self._roi:
                return self._roi[key]
        stem = Path(name).stem
        raise RegionError(
            f"every image must have a region; {name} has none under {stem!r} and none under a folder's name: add one, "
            f"or null (None) for all of it (arrays are called 'image 0', 'image 1', ...); {closest(stem, self._roi)}"
        )


def differ(roi: RoiLike) -> bool:
    """Return whether images may have different regions."""
    return callable(roi) or isinstance(roi, Mapping) or (isinstance(roi, (str, Path)) and Path(roi).is_dir())


def _names(path: Path) -> Iterator[str]:
    """Yield the names that an image's region may have, the one that says most about the image first."""
    parts = [*path.parent.parts, path.stem]
    yield from ("/".join(parts[start:]) for start in range(len(parts)))
    yield from reversed(parts[:-1])


def parse_roi(text: str) -> RoiLike:
    """Return the region that a command's flag states: a box, a polygon, or the path of a mask, a folder or a JSON file.

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
            f"--roi must be a box x0,y0,x1,y1 or a polygon x,y,x,y,x,y... in pixels, a mask image, a folder of masks "
            f"or a JSON file of regions by name; got {text!r}"
        )
    return read_regions(Path(text)) if text.lower().endswith(".json") else Path(text)
