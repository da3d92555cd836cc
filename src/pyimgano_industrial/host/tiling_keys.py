"""The keys of `adaptation.tiling` in the files of pyimgano-train and pyimgano-infer: the host's and ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from pyimgano_industrial.core.errors import IndustrialError, UnknownNameError, closest
from pyimgano_industrial.inference.region_files import load_mask
from pyimgano_industrial.tiling.detector import TiledDetector

HOSTS = ("tile_size", "stride", "score_reduce", "score_topk", "map_reduce")
_SECTION = "adaptation.tiling"


class TilingKeyError(IndustrialError, ValueError):
    """A key of `adaptation.tiling` has a value that it cannot have."""


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _are_numbers(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(_is_number(one) for one in value)


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_region(value: Any) -> bool:
    """Say whether it is a box, a polygon or the path of a mask, as far as JSON tells."""
    points = isinstance(value, (list, tuple)) and bool(value) and all(_are_numbers(one) for one in value)
    return _is_text(value) or _are_numbers(value) or points


_INTEGER = "a whole number", _is_integer
_NUMBER = "a number", _is_number
_TEXT = "a text", _is_text

# Key, which is TiledDetector's argument of that name -> what its value must be, and how that is told.
_OURS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "fit_mode": _TEXT,
    "max_fit_tiles": _INTEGER,
    "seed": _INTEGER,
    "batch_size": _INTEGER,
    "scales": ("a list of numbers, such as [1, 0.5]", _are_numbers),
    "score_from": _TEXT,
    "score_quantile": _NUMBER,
    "skip_flat": _NUMBER,
    "pad_mode": _TEXT,
    "pad_value": _INTEGER,
    "roi": ("a box [x0, y0, x1, y1], a polygon [[x, y], ...] or the path of a mask image", _is_region),
    "calibration": _TEXT,
    "folds": _INTEGER,
    "holdout": _NUMBER,
}
OURS = tuple(_OURS)


def given(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a section says of our keys, as it stands there; null says nothing.

    Raises UnknownNameError for a key that is nobody's, TilingKeyError and TilingError for a value that cannot be.
    """
    for key in section:
        if key not in HOSTS and key not in _OURS:
            raise UnknownNameError(f"unknown key {key!r} in {_SECTION}; {closest(key, (*HOSTS, *_OURS))}")
    own = {key: section[key] for key in _OURS if section.get(key) is not None}
    for key, value in own.items():
        what, is_right = _OURS[key]
        if not is_right(value):
            raise TilingKeyError(f"{_SECTION}.{key} must be {what}; got {value!r}")
    if section.get("tile_size") is not None:
        hosts = {key: section[key] for key in HOSTS if section.get(key) is not None}
        TiledDetector(detector=None, **hosts, **{key: value for key, value in own.items() if key != "roi"})
    elif own:
        raise TilingKeyError(f"{_SECTION}.tile_size must be given beside {', '.join(own)}; got none")
    return own


def keywords(own: Mapping[str, Any]) -> dict[str, Any]:
    """Return keyword arguments of TiledDetector for what `given` found; a mask is read here."""
    return {key: _region(value) if key == "roi" else value for key, value in own.items()}


def _region(value: Any) -> Any:
    if isinstance(value, str):
        return load_mask(Path(value))
    return tuple(value) if _are_numbers(value) else [tuple(point) for point in value]
