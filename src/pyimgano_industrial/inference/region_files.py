"""Files that hold regions of interest: a mask image, a folder of masks, a JSON file of boxes, polygons and masks.

A folder stands for a mapping of names: `bolt.png` in it is the mask of the images in folders called bolt, `000.png`
that of the images called 000, `bolt/test/scratch/000.png` that of one image. A JSON file is an object of names, each
with a box [x0, y0, x1, y1], a polygon [[x, y], ...], the path of a mask (from the JSON file's own folder), or null for
all of an image.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.images import IMAGE_SUFFIXES, read_raw
from pyimgano_industrial.core.regions import RegionError


def opened(path: Path) -> Any:
    """Return what a path stands for: a mapping for a folder and a JSON file, else the path, of a mask image."""
    if path.is_dir():
        return read_folder(path)
    return read_regions(path) if path.suffix.lower() == ".json" else path


def read_folder(folder: Path) -> dict[str, Path]:
    """Return the masks of a folder by name; raises RegionError where there are none, or two of one name."""
    found: dict[str, Path] = {}
    for file in sorted(folder.rglob("*")):
        if file.suffix.lower() not in IMAGE_SUFFIXES:
            continue
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise RegionError(f"a region must have one mask; {name} has {found[name]} and {file}: remove one")
        found[name] = file
    if not found:
        raise RegionError(f"a folder of regions must hold mask images; {folder} holds none")
    return found


def read_regions(path: Path) -> dict[str, Any]:
    """Return the regions of a JSON file by name; raises RegionError that names the file and the region."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RegionError(f"cannot read {path}: {error}; {_WANTED}") from error
    if not isinstance(found, dict) or not found:
        raise RegionError(f"{path} must hold an object of names; got {json.dumps(found)[:60]}; {_WANTED}")
    return {name: _region(value, name, path) for name, value in found.items()}


def load_mask(path: str | Path) -> NDArray[np.bool_]:
    """Return a mask image as (H, W) bool, True inside; raises ImageError naming the file."""
    pixels = read_raw(path)
    inside: NDArray[np.bool_] = (pixels if pixels.ndim == 2 else pixels[..., :3].any(axis=2)) != 0
    return inside


_WANTED = 'a JSON file of regions is like {"bolt": [0, 0, 640, 480], "nut": [[0, 0], [9, 0], [9, 9]], "pin": "pin.png"}'


def _region(value: Any, name: str, path: Path) -> Any:
    if isinstance(value, str):
        mask = path.parent / value
        if not mask.is_file():
            raise RegionError(f"the mask of {name!r} in {path} does not exist: {mask}")
        return mask
    if value is None or _are_numbers(value, 4):
        return value
    if isinstance(value, list) and len(value) >= 3 and all(_are_numbers(point, 2) for point in value):
        return value
    raise RegionError(
        f"a region must be a box [x0, y0, x1, y1], a polygon [[x, y], ...] of three points or more, the path of a "
        f"mask, or null; {name!r} in {path} is {json.dumps(value)[:60]}"
    )


def _are_numbers(value: Any, count: int) -> bool:
    return (
        isinstance(value, list)
        and len(value) == count
        and all(isinstance(one, (int, float)) and not isinstance(one, bool) for one in value)
    )
