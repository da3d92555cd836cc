"""What an image array means: stated by a format, or inferred by one written rule.

The rule, for an array without a stated format, by shape and dtype: (H, W) and (H, W, 1) are grey, (H, W, 3) is RGB,
(H, W, 4) is RGB with alpha, which is left out; (3, H, W) is RGB with the channels in front where H and W exceed 4.
uint8 is taken as it is, uint16 is scaled by the rule of core.images (12 bits when no value exceeds 4095, else 16),
float must lie in 0..1, bool is 0 and 1. BGR cannot be told from RGB and must be stated. Anything else is an error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import ImageError, closest
from pyimgano_industrial.core.images import to_uint8

Order = Literal["grey", "rgb", "bgr", "rgba", "bgra"]
Layout = Literal["hw", "hwc", "chw"]

_CHANNELS: dict[Order, int] = {"grey": 1, "rgb": 3, "bgr": 3, "rgba": 4, "bgra": 4}
_KINDS = {"u8": np.uint8, "u16": np.uint16, "f32": np.floating}


@dataclass(frozen=True)
class Format:
    """One stated format: the order of the channels, where their axis lies, and the kind of sample."""

    name: str
    order: Order
    layout: Layout
    kind: str

    @property
    def shape(self) -> str:
        """The shape that it wants, for messages."""
        channels = _CHANNELS[self.order]
        return {"hw": "(H, W)", "hwc": f"(H, W, {channels})", "chw": f"({channels}, H, W)"}[self.layout]


def _formats() -> dict[str, Format]:
    rows: list[tuple[str, Order, Layout]] = [("gray_{}_hw", "grey", "hw"), ("gray_{}_hwc1", "grey", "hwc")]
    colours: tuple[Order, ...] = ("rgb", "bgr", "rgba", "bgra")
    rows += [(f"{order}_{{}}_hwc", order, "hwc") for order in colours]
    rows += [(f"{order}_{{}}_chw", order, "chw") for order in colours[:2]]
    return {
        name.format(kind): Format(name.format(kind), order, layout, kind)
        for kind in _KINDS
        for name, order, layout in rows
    }


FORMATS: dict[str, Format] = _formats()


class InputFormatError(ImageError):
    """An array is not what its stated format says, or its format can neither be inferred."""


def parse_format(name: str) -> Format:
    """Return a stated format; raises InputFormatError that lists the known ones, the closest first.

    >>> parse_format("bgr_u8_hwc").order
    'bgr'
    """
    plain = getattr(name, "value", name)  # pyimgano's ImageFormat is an Enum of these names
    if plain not in FORMATS:
        raise InputFormatError(f"input_format must be a known format; got {plain!r}: {closest(f'{plain}', FORMATS)}")
    return FORMATS[plain]


def to_rgb(
    pixels: NDArray[Any], *, input_format: str | None = None, u16_max: int | None = None, name: str = "an image"
) -> NDArray[np.uint8]:
    """Return an image array as (H, W, 3) uint8 RGB.

    input_format: one of FORMATS; None applies the module's rule. u16_max: largest value of uint16 samples, rounded up
    to a whole number of bits; None means 65535 for a stated format, and the rule for an inferred one.
    Raises InputFormatError, a ValueError, naming the image.
    """
    stated = None if input_format is None else parse_format(input_format)
    order, layout = _infer(pixels, name) if stated is None else _check(pixels, stated, name)
    if pixels.size == 0:
        raise InputFormatError(f"an image must have pixels; {name} has shape {pixels.shape}")
    if pixels.dtype == np.bool_:
        samples = pixels.astype(np.uint8) * np.uint8(255)
    else:
        samples = to_uint8(pixels, bit_depth=_bits(pixels, u16_max, stated), path=name)
    if layout == "chw":
        samples = np.moveaxis(samples, 0, -1)
    return _ordered(samples, order)


def _infer(pixels: NDArray[Any], name: str) -> tuple[Order, Layout]:
    if pixels.dtype not in (np.bool_, np.uint8, np.uint16) and not np.issubdtype(pixels.dtype, np.floating):
        raise InputFormatError(
            f"an image without input_format must be bool, uint8, uint16 or float in 0..1; {name} is {pixels.dtype}: "
            f"convert it"
        )
    if pixels.ndim == 2:
        return "grey", "hw"
    by_channels: dict[int, Order] = {1: "grey", 3: "rgb", 4: "rgba"}
    if pixels.ndim == 3 and pixels.shape[0] == 3 and min(pixels.shape[1:]) > 4:
        return "rgb", "chw"
    if pixels.ndim == 3 and pixels.shape[2] in by_channels:
        return by_channels[pixels.shape[2]], "hwc"
    raise InputFormatError(
        f"an image without input_format must be (H, W), (H, W, 1), (H, W, 3), (H, W, 4) or (3, H, W); {name} has shape "
        f"{pixels.shape}: state input_format, such as bgr_u8_hwc or rgb_f32_chw (all of them: inference.FORMATS)"
    )


def _check(pixels: NDArray[Any], stated: Format, name: str) -> tuple[Order, Layout]:
    channels = _CHANNELS[stated.order]
    axis = {"hw": None, "hwc": -1, "chw": 0}[stated.layout]
    right = pixels.ndim == 2 if axis is None else pixels.ndim == 3 and pixels.shape[axis] == channels
    if not right or not np.issubdtype(pixels.dtype, _KINDS[stated.kind]):
        kind = np.dtype(_KINDS[stated.kind]).name if stated.kind != "f32" else "float"
        raise InputFormatError(
            f"input_format {stated.name!r} wants {stated.shape} {kind}; {name} has {pixels.shape} {pixels.dtype}: "
            f"state another format, or none where the rule fits"
        )
    return stated.order, stated.layout


def _bits(pixels: NDArray[Any], u16_max: int | None, stated: Format | None) -> int | None:
    if pixels.dtype != np.uint16:
        return None
    if u16_max is None:
        return 16 if stated is not None else None
    return bits_of(u16_max)


def bits_of(u16_max: int) -> int:
    """Return the bits of samples up to `u16_max`; raises InputFormatError outside 256..65535.

    >>> bits_of(4095)
    12
    """
    if not 256 <= u16_max <= 65535:
        raise InputFormatError(f"u16_max must be in 256..65535, the largest 16-bit sample; got {u16_max}")
    return u16_max.bit_length()


def _ordered(samples: NDArray[np.uint8], order: Order) -> NDArray[np.uint8]:
    if order == "grey":
        return np.repeat(samples.reshape(*samples.shape[:2], 1), 3, axis=2)
    colours = samples[..., :3]
    return np.ascontiguousarray(colours[..., ::-1] if order in ("bgr", "bgra") else colours)
