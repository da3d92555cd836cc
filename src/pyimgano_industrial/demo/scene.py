"""A tray with six machined parts under a camera, rendered with its defects and their exact masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError, UnknownNameError, closest
from pyimgano_industrial.demo import tray
from pyimgano_industrial.demo.flaws import SURFACE_FLAWS, chip
from pyimgano_industrial.demo.light import expose
from pyimgano_industrial.demo.parts import PARTS, sprite
from pyimgano_industrial.demo.relief import Plane

HEIGHT = tray.HEIGHT
LOGICAL = ("missing_part", "additional_part", "wrong_part")
STRUCTURAL = (*SURFACE_FLAWS, "chipped_edge")

_CORNERS = ((-185, -195), (185, -195), (-185, 195), (185, 195))  # where an additional part has room


@dataclass(frozen=True)
class Defect:
    """One defect: mask (H, W) bool, exactly the pixels whose colour it changed; name, of LOGICAL or STRUCTURAL."""

    mask: NDArray[np.bool_]
    name: str


@dataclass(frozen=True)
class Scene:
    """image: (H, W, 3) uint8 RGB. defects: in the order in which they were asked for."""

    image: NDArray[np.uint8]
    defects: tuple[Defect, ...]


@dataclass(frozen=True)
class _Piece:
    """A part that lies somewhere: its offset from the compartment's centre, its turn in degrees, its look."""

    part: str
    x: float
    y: float
    turn: float
    brightness: float
    size: float = 1.0


def render(
    seed: int,
    *,
    defects: Sequence[str] = (),
    lighting: str = "regular",
    noise: bool = True,
    height: int = HEIGHT,
) -> Scene:
    """Render one scene of `height` x `height * 4 / 3` pixels; the same arguments give the same pixels.

    defects: at most one for each of the six compartments, which the seed chooses. The parts of one seed lie alike
    with and without defects, and under every lighting, one of `light.LIGHTINGS`.

    >>> scene = render(3, defects=["scratch"], height=192)
    >>> scene.image.shape, scene.defects[0].name
    ((192, 256, 3), 'scratch')
    """
    _check(defects, height)
    scale = height / HEIGHT
    lying, choosing, lamp = (np.random.default_rng([seed, stream]) for stream in range(3))
    surface, pieces = _lie_down(lying, scale)
    places = choosing.permutation(len(PARTS))[: len(defects)].tolist()
    planned = dict(zip(places, defects, strict=True))
    masks = {}
    for place, piece in enumerate(pieces):
        box = _compartment(place, scale)
        rng = np.random.default_rng([seed, 3, place])
        normal, shown = _fill(surface[box].astype(np.float32), piece, planned.get(place), rng, scale)
        surface[box] = shown
        if place in planned:
            masks[place] = np.zeros(surface.shape[:2], bool)
            masks[place][box] = (normal != shown).any(axis=2)
    image = expose(
        surface,
        lighting=lighting,
        flicker=lamp.uniform(-0.01, 0.01),
        noise_seed=int(lamp.integers(2**32)) if noise else None,
    )
    return Scene(image, tuple(Defect(masks[place], name) for place, name in planned.items()))


def _check(defects: Sequence[str], height: int) -> None:
    for name in defects:
        if name not in LOGICAL + STRUCTURAL:
            raise UnknownNameError(f"unknown defect {name!r}; {closest(name, LOGICAL + STRUCTURAL)}")
    if len(defects) > len(PARTS):
        raise IndustrialError(f"defects must be at most {len(PARTS)}, one a compartment; got {len(defects)}")
    if height < 96 or height % 3:
        raise IndustrialError(f"height must be a multiple of 3 and at least 96; got {height}")


def _lie_down(rng: np.random.Generator, scale: float) -> tuple[NDArray[np.uint8], list[_Piece]]:
    """Put the tray under the camera and a part into each compartment; nothing lies twice in quite the same place."""
    import cv2

    empty = tray.tray(scale)
    shift = rng.normal(0, 0.8, 2)
    moving = np.array([[1, 0, shift[0] * scale], [0, 1, shift[1] * scale]])
    surface = cv2.warpAffine(empty, moving, empty.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    pieces = []
    for part in PARTS:
        x, y = shift + np.clip(rng.normal(0, 1, 2), -3, 3)
        pieces.append(_Piece(part, x, y, turn=rng.normal(0, 0.15), brightness=rng.normal(1, 0.015)))
    return surface, pieces


def _compartment(place: int, scale: float) -> tuple[slice, slice]:
    x, y = tray.CENTRES[place]
    rows = slice(round((y - tray.HALF_HEIGHT) * scale), round((y + tray.HALF_HEIGHT) * scale))
    return rows, slice(round((x - tray.HALF_WIDTH) * scale), round((x + tray.HALF_WIDTH) * scale))


def _fill(
    floor: Plane, piece: _Piece, defect: str | None, rng: np.random.Generator, scale: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the compartment as it should be and as it is, (h, w, 3) uint8 each."""
    normal, part = _lay(floor, piece, scale)
    if defect is None:
        shown = normal
    elif defect == "missing_part":
        shown = floor
    elif defect == "additional_part":
        x, y = _CORNERS[rng.integers(4)]
        extra = replace(piece, part=_other(piece.part, rng), x=x, y=y, turn=rng.uniform(0, 360), size=0.36)
        shown, _ = _lay(normal, extra, scale)
    elif defect == "wrong_part":
        shown, _ = _lay(floor, replace(piece, part=_other(piece.part, rng)), scale)
    elif defect == "chipped_edge":
        shown, _ = _lay(floor, piece, scale, left=chip(sprite(piece.part, scale).alpha, rng, scale))
    else:
        shown = SURFACE_FLAWS[defect](normal, part, rng, scale)
    return np.rint(normal).astype(np.uint8), np.rint(shown).astype(np.uint8)


def _other(part: str, rng: np.random.Generator) -> str:
    return str(rng.choice([name for name in PARTS if name != part]))


def _lay(floor: Plane, piece: _Piece, scale: float, *, left: Plane | None = None) -> tuple[Plane, Plane]:
    """Lay a piece on the floor, with its shadow; `left` is the share of it that is not chipped away.

    Returns the tile (h, w, 3) and the piece's coverage (h, w), both float32.
    """
    import cv2

    shape = sprite(piece.part, scale)
    rows, columns = floor.shape[:2]
    middle = (len(shape.alpha) - 1) / 2
    placing = cv2.getRotationMatrix2D((middle, middle), piece.turn, piece.size)
    placing[:, 2] += ((columns - 1) / 2 + piece.x * scale - middle, (rows - 1) / 2 + piece.y * scale - middle)
    placed = cv2.warpAffine(shape.rgba if left is None else shape.rgba * left[..., None], placing, (columns, rows))
    shadow = cv2.warpAffine(shape.shadow, placing, (columns, rows))
    covered = placed[..., 3]
    through = (1 - shadow) * (1 - covered)
    return floor * through[..., None] + placed[..., :3] * np.float32(piece.brightness), covered
