"""The demo's job written as data set folders: MVTec LOCO AD's layout and MVTec AD 2's, object `tray`."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.images import write_png
from pyimgano_industrial.core.progress import Progress
from pyimgano_industrial.demo.light import LIGHTINGS
from pyimgano_industrial.demo.scene import HEIGHT, LOGICAL, STRUCTURAL, render

CATEGORY = "tray"

# defect name: (pixel value, saturation threshold). A logical defect counts as found once so many pixels of a
# full-size scene are found (int), a structural one once that share of it is (float), as in MVTec LOCO AD.
_LOCO_DEFECTS: dict[str, tuple[int, int | float]] = {
    "missing_part": (255, 20_000),
    "additional_part": (254, 5_000),
    "wrong_part": (253, 20_000),
    "scratch": (252, 1.0),
    "dent": (251, 1.0),
    "contamination": (250, 0.5),
    "chipped_edge": (249, 1.0),
}
_AD2_DEFECTS = ("chipped_edge", "contamination", "missing_part", "scratch", "dent", "additional_part")
_TOGETHER = (1, 1, 2, 1, 3)  # defects in the first, second, ... anomalous image


@dataclass(frozen=True)
class Counts:
    """Images of each kind: `good` and `bad` are those of one test folder (LOCO) or of one lighting (AD 2)."""

    fit: int
    validation: int
    good: int
    bad: int


LOCO_COUNTS = Counts(fit=16, validation=5, good=8, bad=8)
AD2_COUNTS = Counts(fit=16, validation=5, good=2, bad=3)
LOCO_SMALL = Counts(fit=8, validation=4, good=4, bad=4)
AD2_SMALL = Counts(fit=8, validation=4, good=1, bad=2)


@dataclass(frozen=True)
class _Shot:
    """One image to render; `channels` is a folder for one mask a defect, `union` a file for one mask of all."""

    file: Path
    seed: int
    defects: Sequence[str] = ()
    lighting: str = "regular"
    channels: Path | None = None
    union: Path | None = None


def write_loco(
    root: Path, *, counts: Counts = LOCO_COUNTS, seed: int = 0, height: int = HEIGHT, progress: Progress | None = None
) -> int:
    """Write `root/tray` in the layout of MVTec LOCO AD and return the number of images.

    progress: called with (images written, images in all).
    Raises IndustrialError when `root/tray` holds something already.
    """
    folder = empty_folder(root)
    shots = _good(folder / "train/good", counts.fit, seed)
    shots += _good(folder / "validation/good", counts.validation, seed + 1000)
    shots += _good(folder / "test/good", counts.good, seed + 2000)
    for kind, names, first in (("logical", LOGICAL, 3000), ("structural", STRUCTURAL, 4000)):
        for number in range(counts.bad):
            file = folder / f"test/{kind}_anomalies/{number:03}.png"
            truth = folder / f"ground_truth/{kind}_anomalies/{number:03}"
            shots.append(_Shot(file, seed + first + number, _defects(names, number), channels=truth))
    _shoot(shots, height, progress)
    (folder / "defects_config.json").write_text(json.dumps(_defects_config(height), indent=2), encoding="utf-8")
    return len(shots)


def write_ad2(
    root: Path, *, counts: Counts = AD2_COUNTS, seed: int = 0, height: int = HEIGHT, progress: Progress | None = None
) -> int:
    """Write `root/tray` in the layout of MVTec AD 2, five splits, and return the number of images.

    What is fitted is lit regularly; every tray of the public test split is seen under all lightings.
    progress: called with (images written, images in all).
    Raises IndustrialError when `root/tray` holds something already.
    """
    folder = empty_folder(root)
    shots = _good(folder / "train/good", counts.fit, seed + 5000, "_regular")
    shots += _good(folder / "validation/good", counts.validation, seed + 6000, "_regular")
    public = folder / "test_public"
    for lighting in LIGHTINGS:
        shots += _good(public / "good", counts.good, seed + 7000, f"_{lighting}", lighting)
        for number in range(counts.bad):
            name, defects = f"{number:03}_{lighting}", _defects(_AD2_DEFECTS, number)
            truth = public / f"ground_truth/bad/{name}_mask.png"
            shots.append(_Shot(public / f"bad/{name}.png", seed + 8000 + number, defects, lighting, union=truth))
    for number, lighting in enumerate(LIGHTINGS):
        defects = _defects(_AD2_DEFECTS, number) if number % 2 else []
        regular = folder / f"test_private/{number:03}_regular.png"
        mixed = folder / f"test_private_mixed/{number:03}_mixed.png"
        shots.append(_Shot(regular, seed + 9000 + number, defects))
        shots.append(_Shot(mixed, seed + 9500 + number, defects, lighting))
    _shoot(shots, height, progress)
    return len(shots)


def empty_folder(root: Path) -> Path:
    """Return `root/tray`, which must be empty or missing; raises IndustrialError when it holds something."""
    folder = root / CATEGORY
    if folder.exists() and any(folder.iterdir()):
        raise IndustrialError(f"the folder to render into must be empty; {folder} is not: remove it or choose another")
    return folder


def _good(folder: Path, count: int, seed: int, suffix: str = "", lighting: str = "regular") -> list[_Shot]:
    return [_Shot(folder / f"{n:03}{suffix}.png", seed + n, lighting=lighting) for n in range(count)]


def _defects(names: Sequence[str], number: int) -> list[str]:
    together = _TOGETHER[number % len(_TOGETHER)]
    return [names[(number + k) % len(names)] for k in range(together)]


def _defects_config(height: int) -> list[dict[str, Any]]:
    shrink = (height / HEIGHT) ** 2
    return [
        {
            "defect_name": name,
            "pixel_value": value,
            "saturation_threshold": at if isinstance(at, float) else max(1, round(at * shrink)),
            "relative_saturation": isinstance(at, float),
        }
        for name, (value, at) in _LOCO_DEFECTS.items()
    ]


def _shoot(shots: Sequence[_Shot], height: int, progress: Progress | None) -> None:
    for folder in {path.parent for shot in shots for path in (shot.file, shot.union) if path}:
        folder.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # numpy and OpenCV work outside the GIL
        for done, _ in enumerate(pool.map(lambda shot: _develop(shot, height), shots), 1):
            if progress is not None:
                progress(done, len(shots))


def _develop(shot: _Shot, height: int) -> None:
    scene = render(shot.seed, defects=shot.defects, lighting=shot.lighting, height=height)
    write_png(shot.file, scene.image)
    if shot.channels:
        shot.channels.mkdir(parents=True, exist_ok=True)
        for number, defect in enumerate(scene.defects):
            value = _LOCO_DEFECTS[defect.name][0]
            write_png(shot.channels / f"{number:03}.png", defect.mask * np.uint8(value))
    if shot.union:
        write_png(shot.union, np.any([defect.mask for defect in scene.defects], axis=0) * np.uint8(255))
