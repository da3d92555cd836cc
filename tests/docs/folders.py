"""The small folders that the documentation's commands run on, named as the pages name them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from acme import save, write_bolts
from pictures import part, stored
from pyimgano_industrial.datasets import MVTecAD2

SIZE = (60, 80)  # rows, columns


def write_all(root: Path) -> Path:
    """Write every folder that a page names below `root`, and return it."""
    own = _mvtec(root / "parts", "bolt", defect="scratch", fit=12)
    _images(own / "validation/good", 8, seed=300)
    without = _mvtec(root / "line7", "gear", defect="dent")
    (without / "ground_truth/dent/003_mask.png").unlink()
    _mvtec(root / "mvtec_ad", "bottle", defect="broken_large")
    _mvtec(root / "mpdd", "bracket_black", defect="hole")
    _btad(root / "btad" / "01")
    _loco(root / "mvtec_loco" / "pushpins")
    for name in MVTecAD2.known_categories:
        _ad2(root / "mvtec_ad2" / name)
    _visa(root / "visa", "candle")
    _ksdd2(root / "ksdd2")
    write_bolts(root / "bolts")
    _images(root / "good_parts", 300, seed=500)
    _line(root / "line3")
    return root


def _mvtec(root: Path, category: str, *, defect: str, fit: int = 6) -> Path:
    folder = root / category
    _images(folder / "train/good", fit)
    _images(folder / "test/good", 4, seed=100)
    _images(folder / "test" / defect, 4, seed=200, spot=True)
    _masks(folder / "ground_truth" / defect, [f"{number:03}_mask.png" for number in range(4)])
    return folder


def _line(folder: Path) -> None:
    """Sixty good images, and fifty of today, of which all from the twentieth on are darker."""
    for index in range(60):
        save(stored(part(index)), folder / f"good/{index:03}.png")
    for index in range(50):
        save(stored(part(500 + index) * np.float32(1 if index < 20 else 0.8)), folder / f"today/{index:03}.png")


def _btad(folder: Path) -> None:
    _images(folder / "train/ok", 6, name="{:04}.bmp")
    _images(folder / "test/ok", 3, name="{:04}.bmp", seed=100)
    _images(folder / "test/ko", 3, name="{:04}.bmp", seed=200, spot=True)
    _masks(folder / "ground_truth/ko", [f"{number:04}.png" for number in range(3)])


def _loco(folder: Path) -> None:
    _images(folder / "train/good", 6)
    _images(folder / "validation/good", 4, seed=300)
    _images(folder / "test/good", 3, seed=100)
    for kind, first, count in (("logical_anomalies", 255, 2), ("structural_anomalies", 250, 1)):
        _images(folder / "test" / kind, 2, seed=first, spot=True)
        for image in range(2):
            for channel in range(count):  # the spot, cut into one part a channel
                part = _spot(image) & (np.arange(SIZE[1]) % count == channel)
                save(part * np.uint8(first - channel), folder / f"ground_truth/{kind}/{image:03}/{channel:03}.png")
    names = {255: "1_additional_pushpin", 254: "2_additional_pushpins", 250: "broken"}
    entries = [
        {"defect_name": name, "pixel_value": value, "saturation_threshold": 90, "relative_saturation": False}
        for value, name in names.items()
    ]
    (folder / "defects_config.json").write_text(json.dumps(entries), encoding="utf-8")


def _ad2(folder: Path) -> None:
    _images(folder / "train/good", 6, name="{:03}_regular.png")
    _images(folder / "validation/good", 4, name="{:03}_regular.png", seed=300)
    public = folder / "test_public"
    for lighting, seed in (("regular", 100), ("overexposed", 150)):
        name = f"{{:03}}_{lighting}.png"
        _images(public / "good", 2, name=name, seed=seed)
        _images(public / "bad", 2, name=name, seed=seed + 20, spot=True)
        _masks(public / "ground_truth/bad", [f"{number:03}_{lighting}_mask.png" for number in range(2)])
    _images(folder / "test_private", 3, name="{:03}_regular.png", seed=400)
    _images(folder / "test_private_mixed", 3, name="{:03}_mixed.png", seed=500)


def _visa(root: Path, category: str) -> None:
    data = root / category / "Data"
    _images(data / "Images/Normal", 9, name="{:04}.JPG")
    _images(data / "Images/Anomaly", 3, name="{:03}.JPG", seed=200, spot=True)
    _masks(data / "Masks/Anomaly", [f"{number:03}.png" for number in range(3)], value=2)
    rows = ["object,split,label,image,mask"]
    for number in range(9):
        split = "train" if number < 6 else "test"
        rows.append(f"{category},{split},normal,{category}/Data/Images/Normal/{number:04}.JPG,")
    for number in range(3):
        image, mask = f"Images/Anomaly/{number:03}.JPG", f"Masks/Anomaly/{number:03}.png"
        rows.append(f"{category},test,anomaly,{category}/Data/{image},{category}/Data/{mask}")
    (root / "split_csv").mkdir()
    (root / "split_csv" / "1cls.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")


def _ksdd2(root: Path) -> None:
    for split, first, normal, defective in (("train", 10000, 6, 2), ("test", 20000, 3, 3)):
        _images(root / split, normal, name="{}.png", seed=first, start=first)
        _images(root / split, defective, name="{}.png", seed=first + 50, spot=True, start=first + 50)
        for number in range(first, first + normal):
            save(np.zeros(SIZE, np.uint8), root / split / f"{number}_GT.png")
        _masks(root / split, [f"{first + 50 + number}_GT.png" for number in range(defective)])


def _images(
    folder: Path, count: int, *, name: str = "{:03}.png", seed: int = 0, spot: bool = False, start: int = 0
) -> None:
    for number in range(count):
        pixels = np.random.default_rng(seed + number).normal(100, 4, (*SIZE, 3)).clip(0, 255).astype(np.uint8)
        if spot:
            pixels[_spot(number)] = 230
        save(pixels, folder / name.format(start + number))


def _masks(folder: Path, names: list[str], *, value: int = 255) -> None:
    for number, name in enumerate(names):
        save(_spot(number) * np.uint8(value), folder / name)


def _spot(number: int) -> NDArray[np.bool_]:
    spot = np.zeros(SIZE, np.bool_)
    spot[10 + 5 * number : 24 + 5 * number, 30:44] = True
    return spot
