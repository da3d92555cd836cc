"""The example plugin, installed for real, and a folder of its bolts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from distributions import pip

EXAMPLE = Path(__file__).parent.parent / "docs" / "examples" / "acme-bolts"


def install(folder: Path) -> Path:
    """Install the example with pip into a folder for PYTHONPATH."""
    pip("install", "--no-deps", "--no-build-isolation", "--target", str(folder), str(EXAMPLE))
    return folder


def write_bolts(root: Path, *, fit: int = 6, fine: int = 4, reject: int = 4, size: tuple[int, int] = (60, 80)) -> Path:
    """Write one category, line3, in Acme's own layout: noisy grey bolts, rejects with a bright spot and its mask."""
    rng = np.random.default_rng(0)
    counts = {"fit/fine": fit, "check/fine": fine, "check/reject": reject}
    for folder, count in counts.items():
        for index in range(count):
            image = rng.normal(100, 4, (*size, 3)).clip(0, 255).astype(np.uint8)
            if folder == "check/reject":
                mask = np.zeros(size, np.uint8)
                mask[10 + 5 * index : 24 + 5 * index, 30:44] = 255
                image[mask > 0] = 230
                save(mask, root / "line3" / "marks" / "reject" / f"{index:03}.png")
            save(image, root / "line3" / folder / f"{index:03}.png")
    return root


def write_mvtec(root: Path, *, category: str = "bolt", bolts: Path) -> Path:
    """Copy the bolts of `write_bolts` into the MVTec AD layout."""
    names = {
        "fit/fine": "train/good",
        "check/fine": "test/good",
        "check/reject": "test/spot",
        "marks/reject": "ground_truth/spot",
    }
    for old, new in names.items():
        for path in (bolts / "line3" / old).glob("*.png"):
            stem = f"{path.stem}_mask" if old == "marks/reject" else path.stem
            save(np.asarray(Image.open(path)), root / category / new / f"{stem}.png")
    return root


def save(pixels: np.ndarray, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
