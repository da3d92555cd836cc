"""What a detector is shown of an image where only one region counts: outside it is of one colour, always the same.

So a detector is fitted on what lies inside only, and nothing that lies outside can change a score, whatever the
detector makes of a pixel's surroundings.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import Images, write_image
from pyimgano_industrial.core.regions import RegionError
from pyimgano_industrial.inference.feed import Input, read_input
from pyimgano_industrial.inference.rois import Rois


@dataclass(frozen=True)
class Paint:
    """The colour (3,) uint8 of what lies outside of `rois`."""

    rois: Rois
    colour: NDArray[np.uint8]

    @classmethod
    def like(cls, item: Input, rois: Rois, *, name: str) -> Paint:
        """Return the mean colour of what lies inside in one image: no bright edge arises around the region."""
        pixels = read_input(item, name=name)
        inside = rois.mask(name, pixels.shape)
        if not inside.any():
            raise RegionError(f"a region of interest must hold a pixel; that of {name} holds none")
        return cls(rois, np.rint(pixels[inside].mean(axis=0)).astype(np.uint8))

    def over(self, pixels: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
        """Return an image (H, W, 3) with what lies outside painted over."""
        return np.where(self.rois.mask(name, pixels.shape)[..., None], pixels, self.colour)

    def over_all(self, images: Images) -> Images:
        """Return a batch with what lies outside painted over; it has no files any more."""
        painted = [self.over(one, name) for one, name in zip(images, images.names, strict=True)]
        return Images(painted, paths=[None] * len(images), names=images.names)


@contextmanager
def painted(items: Sequence[Input], paint: Paint, *, names: Sequence[str]) -> Iterator[list[Any]]:
    """Give inputs that are painted over: arrays, or files of the same names where all of them are files.

    names: of the inputs, by which their regions are found. The files are PNG in a temporary folder and gone afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="pyimgano-") as folder:
        as_files = all(isinstance(item, (str, Path)) for item in items)
        found: list[Any] = []
        for index, (item, name) in enumerate(zip(items, names, strict=True)):
            pixels = paint.over(read_input(item, name=name), name)
            found.append(f"{write_image(pixels, Path(folder, f'{index:06}'), name)}" if as_files else pixels)
        yield found


def name_of(item: Any, index: int) -> str:
    """Return what an input is called in errors, and in regions by name."""
    return f"{item}" if isinstance(item, (str, Path)) else f"image {index}"
