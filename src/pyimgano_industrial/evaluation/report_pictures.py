"""Previews of a cell as pictures in a page: image, ground truth, map and contour side by side, as data URIs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.images import read_raw, read_rgb
from pyimgano_industrial.evaluation.results import Cell, Preview, Scale

Image = NDArray[np.uint8]

_TRUTH, _FOUND = (230, 159, 0), (86, 180, 233)  # orange and sky blue of Okabe and Ito, told apart by all readers
_SIDE = 320
_QUALITY = 88


@dataclass(frozen=True)
class Panel:
    """One picture: what it is called, what it shows in words, and a data URI."""

    name: str
    alt: str
    uri: str


def panels(folder: Path, cell: Cell, preview: Preview) -> list[Panel]:
    """Return the pictures of a preview, whose files lie below a cell's folder; raises ImageError for a damaged file.

    The contour is where the map exceeds the cell's pixel threshold.
    """
    image = _enlarged(read_rgb(folder / preview.image), smooth=True)
    size = image.shape[1], image.shape[0]
    mask = None if preview.mask is None else _resized(_grey(folder / preview.mask), size, smooth=False) > 127
    found = [Panel("image", f"{preview.file}", _uri(image))]
    if mask is not None:
        shown = _dimmed(image)
        shown[mask] = _TRUTH
        found.append(Panel("ground truth", f"annotated defects of {preview.file}, in orange", _uri(shown)))
    elif preview.label == 0:
        found.append(
            Panel("ground truth: normal", f"{preview.file} is normal, nothing is annotated", _uri(_dimmed(image)))
        )
    if preview.map is None or cell.scale is None:
        return found
    levels = _resized(_grey(folder / preview.map), size, smooth=True)
    found.append(Panel("anomaly map", f"anomaly map of {preview.file}, bright is anomalous", _uri(coloured(levels))))
    if cell.pixel_threshold is not None:
        above = levels > _level(cell.pixel_threshold.threshold, cell.scale)
        outlined = _outlined(_dimmed(image), mask, above)
        share = f"{100 * above.mean():.2g} % of the pixels"
        found.append(
            Panel("above the threshold", f"contour of the {share} above the threshold, in blue", _uri(outlined))
        )
    return found


def scale_bar(scale: Scale, threshold: float | None) -> str:
    """Return the colour scale of a cell's maps with its numbers, as HTML."""
    ramp = _uri(coloured(np.arange(256, dtype=np.uint8)[None].repeat(12, axis=0)), lossless=True)
    mark = ""
    if threshold is not None and scale.low <= threshold <= scale.high:
        place = 100 * (threshold - scale.low) / (scale.high - scale.low)
        mark = f'<i style="left:{place:.1f}%" title="pixel threshold {threshold:.4g}"></i>'
    return (
        f'<figure class="scale"><figcaption>one scale for all maps</figcaption><span>{scale.low:.3g}</span>'
        f'<div><img src="{ramp}" alt="colour scale from {scale.low:.4g}, dark blue, to {scale.high:.4g}, yellow">{mark}'
        f"</div><span>{scale.high:.3g}</span></figure>"
    )


def figure(folder: Path, cell: Cell, preview: Preview) -> str:
    """Return a preview as HTML: its pictures in a row, and a caption with its score and decision."""
    threshold = None if cell.threshold is None else cell.threshold.threshold
    label = "anomalous" if preview.label else "normal"
    kind = f" · {preview.kind}" if preview.kind and preview.label else ""
    light = f" · {preview.lighting}" if preview.lighting else ""
    verdict = ""
    if threshold is not None:
        flagged = preview.score > threshold
        wrong = flagged != bool(preview.label)
        said = {
            (True, 1): "found", (False, 1): "missed", (True, 0): "false alarm", (False, 0): "passed",
        }[flagged, preview.label]  # fmt: skip
        verdict = f'<b class="verdict {"wrong" if wrong else "right"}">{"✗" if wrong else "✓"} {said}</b>'
    shown = panels(folder, cell, preview)
    pictures = "".join(
        f'<div><img src="{one.uri}" alt="{escape(one.alt)}" loading="lazy"><span>{escape(one.name)}</span></div>'
        for one in shown
    )
    caption = (
        f"{verdict}<span>{label}{escape(kind + light)}</span><span>score <b>{preview.score:.4g}</b></span>"
        f"<code>{escape(preview.file)}</code>"
    )
    return f'<figure class="preview"><figcaption>{caption}</figcaption><div class="panels">{pictures}</div></figure>'


def gallery(folder: Path, cell: Cell) -> str:
    """Return all previews of a cell, the worst first."""
    if not cell.previews:
        return ""
    bar = "" if cell.scale is None or all(one.map is None for one in cell.previews) else _bar(cell, cell.scale)
    parts = [bar]
    titles = {"worst": "Hardest to tell", "best": "Clearest"}
    said = {
        "worst": "anomalous images with the lowest scores, normal images with the highest",
        "best": "anomalous images with the highest scores, normal images with the lowest",
    }
    for role, title in titles.items():
        some: Sequence[Preview] = [one for one in cell.previews if one.role == role]
        if some:
            figures = "".join(figure(folder, cell, one) for one in some)
            parts.append(f'<h4>{title} <small>{said[role]}</small></h4><div class="gallery">{figures}</div>')
    return "".join(parts)


def coloured(levels: NDArray[np.uint8]) -> Image:
    """Return grey levels (H, W) in the colours of cividis, made for colour-blind readers; (H, W, 3) RGB."""
    import cv2

    found: Image = cv2.cvtColor(cv2.applyColorMap(levels, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)
    return found


def _bar(cell: Cell, scale: Scale) -> str:
    threshold = None if cell.pixel_threshold is None else cell.pixel_threshold.threshold
    return scale_bar(scale, threshold)


def _level(threshold: float, scale: Scale) -> float:
    return 255 * (threshold - scale.low) / (scale.high - scale.low)


def _outlined(image: Image, mask: NDArray[np.bool_] | None, above: NDArray[np.bool_]) -> Image:
    """Draw the area above the threshold, tinted, and the outlines of the defects over it."""
    import cv2

    image[above] = (0.7 * image[above] + 0.3 * np.array(_FOUND)).astype(np.uint8)
    cv2.drawContours(image, _outlines(above), -1, _FOUND, 1, cv2.LINE_AA)
    if mask is not None:
        cv2.drawContours(image, _outlines(mask), -1, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.drawContours(image, _outlines(mask), -1, _TRUTH, 1, cv2.LINE_AA)
    return image


def _outlines(area: NDArray[np.bool_]) -> Sequence[NDArray[np.int32]]:
    import cv2

    found: Sequence[NDArray[np.int32]] = cv2.findContours(area.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[
        0
    ]
    return found


def _dimmed(image: Image) -> Image:
    import cv2

    grey: Image = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB) // 2 + 50
    return grey


def _enlarged(image: Image, *, smooth: bool) -> Image:
    """Return an image with its longer side at least `_SIDE`, so that outlines are thin beside it."""
    factor = max(1.0, _SIDE / max(image.shape[:2]))
    size = round(image.shape[1] * factor), round(image.shape[0] * factor)
    return _resized(image, size, smooth=smooth and factor < 4)


def _resized(image: Image, size: tuple[int, int], *, smooth: bool) -> Image:
    import cv2

    found: Image = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR if smooth else cv2.INTER_NEAREST)
    return found


def _grey(path: Path) -> Image:
    found: Image = read_raw(path)
    return found if found.ndim == 2 else found[..., 0]


def _uri(pixels: Image, *, lossless: bool = False) -> str:
    import cv2

    suffix, settings = (".png", []) if lossless else (".jpg", [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    data = cv2.imencode(suffix, np.ascontiguousarray(pixels[..., ::-1]), settings)[1].tobytes()
    return f"data:image/{'png' if lossless else 'jpeg'};base64,{base64.b64encode(data).decode()}"
