"""Pictures that show an image, its ground truth and a detector's map side by side, and sheets of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError

Image = NDArray[np.uint8]
Map = NDArray[np.floating]

PANEL_WIDTH = 640
_GAP = 14
_TOP = 56  # the caption's strip
_BOTTOM = 40  # the strip of the panels' names
_BAR = 118  # the colour bar with its numbers
_PAPER, _INK, _FAINT = (255, 255, 255), (32, 34, 38), (110, 114, 120)
_TRUTH = (230, 120, 0)  # orange, told apart from blue and yellow by colour-blind readers too


def side_by_side(
    image: Image,
    mask: NDArray[np.bool_] | None,
    anomaly_map: Map,
    *,
    limits: tuple[float, float],
    caption: str,
    panel_width: int = PANEL_WIDTH,
) -> Image:
    """Return one picture of three panels, `panel_width` wide and of the image's aspect, with a colour bar.

    image: (H, W, 3) uint8 RGB. mask: (H, W) bool, or None where nothing is annotated. anomaly_map: (h, w) real and
    finite, of any size. limits: the values at the two ends of the colour bar, the same for every picture that is to
    be compared. Returns (height, width, 3) uint8 RGB; raises IndustrialError for input of another kind.
    """
    _check(image, mask, anomaly_map, limits)
    import cv2

    size = panel_width, max(1, round(panel_width * image.shape[0] / image.shape[1]))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    truth = np.zeros(size[::-1], bool) if mask is None else _reduced(mask, size)
    outlines = _outlines(truth)

    shown = cv2.cvtColor(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) // 2 + 60
    shown[truth] = _TRUTH
    cv2.drawContours(shown, outlines, -1, _TRUTH, 2, cv2.LINE_AA)
    heat = _coloured(cv2.resize(anomaly_map.astype(np.float32), size, interpolation=cv2.INTER_AREA), limits)
    cv2.drawContours(heat, outlines, -1, (0, 0, 0), 4, cv2.LINE_AA)
    cv2.drawContours(heat, outlines, -1, (255, 255, 255), 2, cv2.LINE_AA)

    found = "ground truth" if truth.any() else "ground truth: no defect"
    names = ("image", found if mask is not None else "ground truth: not annotated", "anomaly map")
    return _assembled((small, shown, heat), names, limits, caption)


def contact_sheet(pictures: Sequence[Image], *, columns: int = 2, width: int = 2200) -> Image:
    """Return the pictures, which may differ in size, in rows of `columns`; (height, width, 3) uint8 RGB."""
    import cv2

    if not pictures:
        raise IndustrialError("a contact sheet needs at least one picture; got none")
    each = (width - _GAP * (columns + 1)) // columns
    rows = []
    for first in range(0, len(pictures), columns):
        scaled = [
            cv2.resize(picture, (each, round(each * picture.shape[0] / picture.shape[1])), interpolation=cv2.INTER_AREA)
            for picture in pictures[first : first + columns]
        ]
        row = np.full((max(map(len, scaled)) + _GAP, width, 3), _PAPER, np.uint8)
        for column, picture in enumerate(scaled):
            left = _GAP + column * (each + _GAP)
            row[_GAP : _GAP + len(picture), left : left + each] = picture
        rows.append(row)
    return np.vstack([*rows, np.full((_GAP, width, 3), _PAPER, np.uint8)])


def common_limits(maps: Iterable[Map]) -> tuple[float, float]:
    """Return one colour scale for the pictures of a category, from the maps of normal images.

    It starts at their median, and its middle is what one pixel in 2000 of them exceeds: bright is rare on normal
    images. Where the two are equal, as for a detector that gives normal images one value, the scale is 1 wide.
    """
    values = [one[::2, ::2].ravel() for one in maps]
    if not values:
        raise IndustrialError("a colour scale needs the map of at least one image; got none")
    low, middle = np.percentile(np.concatenate(values), (50, 99.95)).tolist()
    return low, middle + (middle - low) if middle > low else low + 1


def _check(image: Image, mask: NDArray[np.bool_] | None, anomaly_map: Map, limits: tuple[float, float]) -> None:
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise IndustrialError(f"an image must be (H, W, 3) uint8; got {image.shape} {image.dtype}")
    if mask is not None and (mask.shape != image.shape[:2] or mask.dtype != bool):
        raise IndustrialError(f"a mask must be {image.shape[:2]} bool as its image; got {mask.shape} {mask.dtype}")
    if anomaly_map.ndim != 2 or not np.isfinite(anomaly_map).all():
        raise IndustrialError(f"an anomaly map must be (h, w) and finite; got {anomaly_map.shape}, or NaN or infinity")
    if not limits[0] < limits[1]:
        raise IndustrialError(f"limits must be (low, high) with low < high; got {limits}")


def _reduced(mask: NDArray[np.bool_], size: tuple[int, int]) -> NDArray[np.bool_]:
    """Resize a mask so that a pixel is set when any pixel that it covers is."""
    import cv2

    share = cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_AREA)
    reduced: NDArray[np.bool_] = share > 0
    return reduced


def _outlines(truth: NDArray[np.bool_]) -> Sequence[NDArray[np.int32]]:
    """Outlines a few pixels off the defects, so that a line of two pixels does not hide a small one."""
    import cv2

    grown = cv2.dilate(truth.astype(np.uint8), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    outlines: Sequence[NDArray[np.int32]] = cv2.findContours(grown, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)[0]
    return outlines


def _coloured(values: Map, limits: tuple[float, float]) -> Image:
    import cv2

    low, high = limits
    levels = np.rint(np.clip((values - low) / (high - low), 0, 1) * 255).astype(np.uint8)
    coloured: Image = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)
    return coloured


def _assembled(panels: Sequence[Image], names: Sequence[str], limits: tuple[float, float], caption: str) -> Image:
    height, width = panels[0].shape[:2]
    page = np.full((_TOP + height + _BOTTOM, 3 * width + 4 * _GAP + _BAR, 3), _PAPER, np.uint8)
    _write(page, caption, (_GAP, 38), 0.95, _INK)
    for number, (panel, name) in enumerate(zip(panels, names, strict=True)):
        left = _GAP + number * (width + _GAP)
        page[_TOP : _TOP + height, left : left + width] = panel
        _write(page, name, (left, _TOP + height + 27), 0.75, _FAINT)
    left = 3 * (width + _GAP) + _GAP
    ramp = np.linspace(limits[1], limits[0], height, dtype=np.float32)[:, None].repeat(18, axis=1)
    page[_TOP : _TOP + height, left : left + 18] = _coloured(ramp, limits)
    for share in (0.0, 0.5, 1.0):
        value = limits[0] + share * (limits[1] - limits[0])
        y = round(_TOP + (1 - share) * (height - 1))
        page[y - (share > 0.5) : y + 1, left + 18 : left + 24] = _INK
        _write(page, f"{value:.3g}", (left + 30, y + (16 if share > 0.5 else 6 if share else 0)), 0.7, _INK)
    return page


def _write(page: Image, text: str, corner: tuple[int, int], size: float, colour: tuple[int, int, int]) -> None:
    import cv2

    printable = text.encode("ascii", "replace").decode()  # the fonts of OpenCV 4 have nothing else
    cv2.putText(page, printable, corner, cv2.FONT_HERSHEY_SIMPLEX, size, colour, 1, cv2.LINE_AA)
