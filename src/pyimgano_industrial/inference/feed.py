"""From inputs to frames: files decoded ahead in threads, arrays converted, in batches of bounded size."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.inference.formats import InputFormatError, bits_of, parse_format, to_rgb

Input = NDArray[Any] | str | Path

_BY_ROWS = (".npy", ".tif", ".tiff", ".zarr")

READERS = min(4, os.cpu_count() or 1)  # threads that read files; OpenCV decodes without Python's lock
BATCH = 16  # images a call where the caller states none
BATCH_BYTES = 64 * 2**20  # pixels a call where the caller states no batch size


@dataclass(frozen=True)
class Frame:
    """One input: its pixels (H, W, 3) uint8 RGB, or the error that reading it gave.

    path: its file, if it has one; without pixels and error, the detector reads it.
    """

    index: int
    name: str
    pixels: NDArray[np.uint8] | None
    path: Path | None = None
    error: ImageError | None = None

    @property
    def image(self) -> Any:
        """What a detector is given: the pixels, or the path of a file that it reads by itself."""
        return f"{self.path}" if self.pixels is None else self.pixels


@dataclass(frozen=True)
class Reader:
    """How inputs are read: the arguments of `read_input`; by_rows: the detector reads files that may exceed memory."""

    input_format: str | None = None
    u16_max: int | None = None
    by_rows: bool = False

    def __post_init__(self) -> None:
        if self.input_format is not None:
            parse_format(self.input_format)
        if self.u16_max is not None:
            bits_of(self.u16_max)

    def frame(self, index: int, item: Input) -> Frame:
        """Return the frame of one input; an unreadable one carries its error."""
        path = Path(item) if isinstance(item, (str, Path)) else None
        name = f"image {index}" if path is None else f"{item}"
        if self.by_rows and path is not None and path.suffix.lower() in _BY_ROWS:
            return Frame(index, name, None, path)
        try:
            pixels = read_input(item, input_format=self.input_format, u16_max=self.u16_max, name=name)
            return Frame(index, name, pixels, path)
        except ImageError as error:
            return Frame(index, name, None, path, error)


def read_input(
    item: Input, *, input_format: str | None = None, u16_max: int | None = None, name: str = "an image"
) -> NDArray[np.uint8]:
    """Return a file or an array as (H, W, 3) uint8 RGB, the same pixels either way.

    item: a path, read as `core.images.read_rgb` reads it (EXIF orientation, 9 to 16 bits), or an array, read as its
    `input_format` says or, without one, by the rule of `inference.formats`. u16_max: largest 16-bit sample.
    Raises ImageError, which is a ValueError and names the input, when it cannot be read or is of no known format.

    >>> read_input(np.zeros((4, 6), np.uint8)).shape
    (4, 6, 3)
    """
    if isinstance(item, (str, Path)):
        return read_rgb(item, bit_depth=None if u16_max is None else bits_of(u16_max))
    if isinstance(item, np.ndarray):
        return to_rgb(item, input_format=input_format, u16_max=u16_max, name=name)
    raise InputFormatError(
        f"an input must be a path or a numpy array; {name} is a {type(item).__module__}.{type(item).__qualname__}: "
        f"convert it with numpy.asarray"
    )


def items(inputs: Iterable[Input] | NDArray[Any], *, input_format: str | None = None) -> Iterable[Input]:
    """Return the inputs one by one; one array is a batch (N, H, W, C), or (N, H, W) of grey images."""
    if isinstance(inputs, (str, Path)):
        raise InputFormatError(f"inputs must be a list of paths or arrays; got one path: infer(detector, [{inputs!r}])")
    if not isinstance(inputs, np.ndarray) or inputs.dtype == object:
        return inputs
    grey = input_format is not None and parse_format(input_format).layout == "hw"
    if inputs.ndim == 4 or (inputs.ndim == 3 and (grey or (inputs.shape[0] != 3 and inputs.shape[2] not in (1, 3, 4)))):
        return list(inputs)
    raise InputFormatError(
        f"one array must be a batch (N, H, W, C) or (N, H, W); got shape {inputs.shape}: put one image into a list, "
        f"or state input_format='gray_u8_hw' for grey images"
    )


def frames(inputs: Iterable[Input], reader: Reader, *, ahead: int = BATCH) -> Iterator[Frame]:
    """Yield the frames in order; up to `ahead` files are read meanwhile. Arrays come without delay."""
    with ThreadPoolExecutor(READERS, "pyimgano-read") as pool:
        waiting: deque[Future[Frame]] = deque()
        for index, item in enumerate(inputs):
            if isinstance(item, np.ndarray) and not waiting:
                yield reader.frame(index, item)
                continue
            waiting.append(pool.submit(reader.frame, index, item))
            if len(waiting) > ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def batches(found: Iterable[Frame], size: int | None) -> Iterator[list[Frame]]:
    """Yield batches of `size` frames; without a size, of at most BATCH frames and BATCH_BYTES of pixels."""
    batch: list[Frame] = []
    held = 0
    for frame in found:
        batch.append(frame)
        held += 0 if frame.pixels is None else frame.pixels.nbytes
        if len(batch) == (size or BATCH) or (size is None and held >= BATCH_BYTES):
            yield batch
            batch, held = [], 0
    if batch:
        yield batch
