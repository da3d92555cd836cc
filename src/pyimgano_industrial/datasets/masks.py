"""Mask files: found by an image's name, read as booleans, and made smaller without losing a defect."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.images import read_raw
from pyimgano_industrial.datasets.faults import Fault, FaultError
from pyimgano_industrial.datasets.tree import image_files, loose

_LOSSY = frozenset({".jpg", ".jpeg", ".webp"})


def read_mask(path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Read a mask file as (H, W) bool, True where anomalous.

    size: (H, W) of the image that the mask belongs to. In lossless files every non-zero value is anomalous, in lossy
    ones (.jpg, .jpeg, .webp) every value above 127; colours count as their largest channel, alpha does not count.
    Raises ImageError for an unreadable file, FaultError for one of another size; both name the file.
    """
    anomalous: NDArray[np.bool_] = mask_values(path, size) > (127 if path.suffix.lower() in _LOSSY else 0)
    return anomalous


def mask_values(path: Path, size: tuple[int, int]) -> NDArray[Any]:
    """Read a mask file's values as (H, W) of its own dtype: the largest channel of a pixel, alpha left out.

    Raises as `read_mask` does.
    """
    pixels = read_raw(path)
    values: NDArray[Any] = pixels if pixels.ndim == 2 else pixels[..., :3].max(axis=2)
    if values.shape != size:
        raise FaultError(_wrong_size(path, values.shape, size))
    return values


def reduce_mask(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Resize a mask to `size` so that no defect vanishes: a pixel is anomalous if any pixel that it covers is.

    mask: (H, W) bool; size: (h, w), smaller or larger; returns (h, w) bool. Target row i covers the source rows
    floor(i * H / h) up to and including ceil((i + 1) * H / h) - 1, and columns likewise.

    >>> reduce_mask(np.array([[False, False, False, True]]), (1, 2))
    array([[False,  True]])
    """
    if min(*mask.shape, *size) < 1:
        raise ValueError(f"a mask and its new size must have rows and columns; got {mask.shape} to {size}")
    return np.ascontiguousarray(_any_over_columns(_any_over_columns(mask, size[1]).T, size[0]).T)


def _any_over_columns(mask: NDArray[np.bool_], width: int) -> NDArray[np.bool_]:
    edges = np.arange(width + 1) * mask.shape[1]
    first, end = edges[:-1] // width, -(-edges[1:] // width)
    seen = np.zeros((mask.shape[0], mask.shape[1] + 1), np.int32)
    np.cumsum(mask, axis=1, out=seen[:, 1:])
    covered: NDArray[np.bool_] = seen[:, end] > seen[:, first]
    return covered


class MaskIndex:
    """The mask files in and below one folder, found by relative path without suffix.

    Names match exactly, or else without case and with accents composed.
    """

    def __init__(self, folder: Path, files: Iterable[Path] | None = None) -> None:
        self._exact: dict[PurePath, list[Path]] = defaultdict(list)
        self._loose: dict[str, list[Path]] = defaultdict(list)
        for path in image_files(folder) if files is None else files:
            name = path.relative_to(folder).with_suffix("")
            self._exact[name].append(path)
            self._loose[loose(name.as_posix())].append(path)

    def find(self, name: PurePath) -> tuple[Path, ...]:
        """Return the masks of that name, sorted: several only where they differ in suffix alone."""
        return tuple(self._exact.get(name) or self._loose.get(loose(name.as_posix())) or ())


def _wrong_size(path: Path, got: tuple[int, ...], want: tuple[int, int]) -> Fault:
    rotated = got == want[::-1]
    exif = " (transposed, it fits: the image's EXIF orientation turns it, the mask was made without)" if rotated else ""
    return Fault(
        "mask-size",
        f"a mask must have the size of its image, {want[1]} x {want[0]} (width x height); "
        f"{path} is {got[1]} x {got[0]}{exif}",
        "turn the mask like its image" if rotated else "export the mask at the size of its image",
        path,
    )
