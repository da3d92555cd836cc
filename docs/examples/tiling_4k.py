"""A 4K image through a detector that is fitted on tiles: its score, its map, and pictures of the map and of seams.

Run with `python tiling_4k.py`; it downloads nothing and writes map.npy, tiling-map.png and tiling-seams.png here.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.tiling import TiledDetector

SIZE = (2160, 3840)  # rows, columns
DEFECTS = [(410, 700), (1300, 1490), (1730, 3100)]  # y, x
INK = (60, 60, 60)


class Spots:
    """Spots, as multiples of normal ones, plus how unusual the brightness of the whole tile is."""

    def fit(self, images: Sequence[NDArray[np.uint8]]) -> Spots:
        self.spread_ = np.mean([_detail(image) for image in images])
        brightness = [image.mean() for image in images]
        self.mean_, self.deviation_ = np.mean(brightness), np.std(brightness)
        return self

    def decision_function(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        return self.predict_anomaly_map(images).max(axis=(1, 2))

    def predict_anomaly_map(self, images: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        spots = np.stack([_detail(image) for image in images]) / self.spread_
        unusual = [abs(image.mean() - self.mean_) / self.deviation_ for image in images]
        return (spots + np.array(unusual)[:, None, None]).astype(np.float32)


def _detail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    grey = image[..., 0].astype(np.float32)
    return cv2.blur(np.abs(cv2.GaussianBlur(grey, (0, 0), 4) - cv2.blur(grey, (61, 61))), (31, 31))


def sheet(seed: int, *, defects: Sequence[tuple[int, int]] = ()) -> NDArray[np.uint8]:
    """Render a brushed sheet of metal, (H, W, 3) uint8, lit from one side, with a dent of 26 pixels at each (y, x)."""
    rng = np.random.default_rng(seed)
    height, width = SIZE
    brushed = cv2.blur(rng.normal(0, 30, SIZE).astype(np.float32), (61, 1))
    light = np.linspace(190, 90, width, dtype=np.float32) + np.linspace(0, 30, height, dtype=np.float32)[:, None]
    dents = np.zeros(SIZE, np.float32)
    for y, x in defects:
        cv2.circle(dents, (x, y), 13, -70, -1)
    grey = (brushed + light + cv2.GaussianBlur(dents, (0, 0), 3)).clip(0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def coloured(anomaly_map: NDArray[np.float32], *, highest: float) -> NDArray[np.uint8]:
    levels = (anomaly_map / highest * 255).clip(0, 255).astype(np.uint8)
    return cv2.applyColorMap(levels, cv2.COLORMAP_CIVIDIS)


def named(picture: NDArray[np.uint8], name: str) -> NDArray[np.uint8]:
    strip = np.full((44, picture.shape[1], 3), 255, np.uint8)
    cv2.putText(strip, name, (8, 30), cv2.FONT_HERSHEY_SIMPLEX, 0.7, INK, 1, cv2.LINE_AA)
    return np.vstack([strip, picture])


def main() -> int:
    normal = [sheet(seed) for seed in range(5)]
    bad = sheet(9, defects=DEFECTS)

    # The detector sees 60 tiles, not four whole images; the tiled score of the fifth image gives the threshold.
    tiled = TiledDetector(
        detector=Spots(), tile_size=512, stride=384, map_reduce="hann", max_fit_tiles=60, contamination=0.1
    )
    tiled.fit(normal)
    score = tiled.write_anomaly_map(bad, "map.npy")  # for an image and a map of any size
    print(f"score {score:.1f}, threshold {tiled.threshold_:.1f}, defective: {score > tiled.threshold_}")

    anomaly_map = np.load("map.npy")
    small = cv2.resize(anomaly_map, None, fx=1 / 6, fy=1 / 6, interpolation=cv2.INTER_AREA)
    shown = cv2.resize(bad, None, fx=1 / 6, fy=1 / 6, interpolation=cv2.INTER_AREA)
    pages = [named(shown, "image, 3840 x 2160"), named(coloured(small, highest=score), "map, 512 x 512 tiles")]
    cv2.imwrite("tiling-map.png", np.hstack(pages))

    # The same corner of the map, blended in four ways.
    pages = []
    for blend, stride in (("max", 512), ("max", 384), ("mean", 384), ("hann", 384)):
        other = TiledDetector(detector=tiled.detector, tile_size=512, stride=stride, map_reduce=blend)
        corner = other.get_anomaly_map(bad[:1280, :1280])
        name = "no overlap" if stride == 512 else f"{blend}, overlap 128"
        small = cv2.resize(corner, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
        pages.append(named(coloured(small, highest=5), name))
    cv2.imwrite("tiling-seams.png", np.hstack(pages))
    print("wrote", ", ".join(sorted(path.name for path in Path().glob("*.*p*") if path.suffix in (".npy", ".png"))))
    return 0


if __name__ == "__main__":
    sys.exit(main())
