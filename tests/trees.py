"""Tiny data sets on disk, for tests: 8 x 12 pixels an image unless said otherwise."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIZE = (8, 12)  # rows, columns
CONFIG = [
    {"defect_name": "missing", "pixel_value": 255, "saturation_threshold": 5, "relative_saturation": False},
    {"defect_name": "scratch", "pixel_value": 250, "saturation_threshold": 0.5, "relative_saturation": True},
]


def write(path: Path, pixels: NDArray[np.generic]) -> Path:
    """Write (H, W) grey or (H, W, 3) RGB samples in the format of the suffix, upper case and non-ASCII names too."""
    path.parent.mkdir(parents=True, exist_ok=True)
    channels = pixels[..., ::-1] if pixels.ndim == 3 else pixels
    done, data = cv2.imencode(path.suffix.lower(), channels)
    assert done
    path.write_bytes(data.tobytes())
    return path


def image(path: Path, value: int = 100, size: tuple[int, int] = SIZE) -> Path:
    """Write a textured image whose content depends on its value."""
    texture = np.random.default_rng(value).integers(0, 100, (*size, 3))
    return write(path, (texture + value // 2).astype(np.uint8))


def images(folder: Path, names: Sequence[str], value: int = 100, size: tuple[int, int] = SIZE) -> list[Path]:
    """Write one image a name, all of different content."""
    return [image(folder / name, value + position, size) for position, name in enumerate(names)]


def mask(path: Path, marked: int = 4, value: int = 255, size: tuple[int, int] = SIZE) -> Path:
    """Write a mask whose first `marked` pixels, row by row, have the value."""
    flat = np.zeros(size[0] * size[1], np.uint8)
    flat[:marked] = value
    return write(path, flat.reshape(size))


def png16(path: Path, samples: NDArray[np.uint16], significant_bits: int | None = None) -> Path:
    """Write (H, W) samples as a grey 16-bit PNG, with an sBIT chunk if `significant_bits` is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = samples.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in samples)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, 0, 0, 0, 0))]
    if significant_bits is not None:
        chunks.append((b"sBIT", bytes([significant_bits])))
    chunks += [(b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    packed = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    ]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(packed))
    return path


def rotated_jpeg(path: Path, pixels: NDArray[np.uint8]) -> Path:
    """Write an RGB image as a JPEG whose EXIF orientation says: turn a quarter clockwise to display."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels).save(path, exif=exif, quality=95)
    return path


def mvtec(root: Path, category: str = "bottle", *, normal: str = "good", mask_stem: str = "{stem}_mask") -> Path:
    """Three training images, two normal test images, two defects with masks of 4 and 6 pixels; returns the folder."""
    folder = root / category
    images(folder / "train" / normal, ["000.png", "001.png", "002.png"], value=10)
    images(folder / "test" / normal, ["000.png", "001.png"], value=40)
    images(folder / "test" / "crack", ["000.png", "001.png"], value=70)
    mask(folder / "ground_truth" / "crack" / f"{mask_stem.format(stem='000')}.png", marked=4)
    mask(folder / "ground_truth" / "crack" / f"{mask_stem.format(stem='001')}.png", marked=6)
    return folder


def loco(root: Path, category: str = "pushpins", *, config: bool = True) -> Path:
    """One image a type; the logical one has two channels of 8 and 3 pixels, the structural one a channel of 1."""
    folder = root / category
    images(folder / "train" / "good", ["000.png", "001.png", "002.png"], value=10)
    images(folder / "validation" / "good", ["000.png"], value=30)
    images(folder / "test" / "good", ["000.png"], value=40)
    images(folder / "test" / "logical_anomalies", ["000.png"], value=50)
    images(folder / "test" / "structural_anomalies", ["000.png"], value=60)
    mask(folder / "ground_truth" / "logical_anomalies" / "000" / "000.png", marked=8, value=255)
    mask(folder / "ground_truth" / "logical_anomalies" / "000" / "001.png", marked=3, value=250)
    mask(folder / "ground_truth" / "structural_anomalies" / "000" / "000.png", marked=1, value=250)
    if config:
        (folder / "defects_config.json").write_text(json.dumps(CONFIG))
    return folder


def ad2(root: Path, category: str = "can", *, private: bool = True) -> Path:
    """All five splits, the public test under two lightings."""
    folder = root / category
    images(folder / "train" / "good", ["000_regular.png", "001_regular.png"], value=10)
    images(folder / "validation" / "good", ["000_regular.png"], value=30)
    images(folder / "test_public" / "good", ["000_regular.png", "000_shift_1.png"], value=40)
    images(folder / "test_public" / "bad", ["000_overexposed.png"], value=60)
    mask(folder / "test_public" / "ground_truth" / "bad" / "000_overexposed_mask.png")
    if private:
        images(folder / "test_private", ["000_regular.png", "001_regular.png"], value=70)
        images(folder / "test_private_mixed", ["000_mixed.png"], value=80)
    return folder


def btad(root: Path, category: str = "01", mask_suffix: str = ".png") -> Path:
    folder = root / category
    images(folder / "train" / "ok", ["0000.bmp", "0001.bmp"], value=10)
    images(folder / "test" / "ok", ["0000.bmp"], value=40)
    images(folder / "test" / "ko", ["0001.bmp"], value=60)
    mask(folder / "ground_truth" / "ko" / f"0001{mask_suffix}")
    return folder


def visa_published(root: Path, category: str = "candle") -> Path:
    """The published layout, with a mask of defect ids; the table lists a second object too."""
    folder = root / category
    images(folder / "Data" / "Images" / "Normal", ["0000.JPG", "0001.JPG"], value=10)
    images(folder / "Data" / "Images" / "Anomaly", ["000.JPG"], value=60)
    mask(folder / "Data" / "Masks" / "Anomaly" / "000.png", value=3)
    (folder / "image_anno.csv").write_text("image,label,mask\n")
    (root / "split_csv").mkdir(exist_ok=True)
    (root / "split_csv" / "1cls.csv").write_text(
        "object,split,label,image,mask\n"
        f"{category},train,normal,{category}/Data/Images/Normal/0001.JPG,\n"
        f"{category},test,anomaly,{category}/Data/Images/Anomaly/000.JPG,{category}/Data/Masks/Anomaly/000.png\n"
        f"{category},test,normal,{category}/Data/Images/Normal/0000.JPG,\n"
        "pcb9,train,normal,pcb9/Data/Images/Normal/0000.JPG,\n"
    )
    return folder


def visa_converted(root: Path, category: str = "candle", *, normal: str = "good", bad: str = "bad") -> Path:
    folder = root / category
    images(folder / "train" / normal, ["0000.JPG", "0001.JPG"], value=10)
    images(folder / "test" / normal, ["0000.JPG"], value=40)
    images(folder / "test" / bad, ["000.JPG"], value=60)
    mask(folder / "ground_truth" / "bad" / "000.png", value=3)
    return folder


def ksdd2(folder: Path) -> Path:
    """Three training images of which 10001 is defective, two test images of which 20001 is defective."""
    for split, first, count in (("train", 10000, 3), ("test", 20000, 2)):
        for number in range(first, first + count):
            image(folder / split / f"{number}.png", number)
            mask(folder / split / f"{number}_GT.png", marked=5 if number in (10001, 20001) else 0)
    return folder
