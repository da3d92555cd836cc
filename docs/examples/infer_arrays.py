"""Images from memory and from files through one detector: scores, labels, maps, and a file that cannot be read.

Run with `python infer_arrays.py`; it downloads nothing and writes part.png, broken.png and map.npy here.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.inference import Latency, RegionDetector, infer_iter

SIZE = (480, 640)  # rows, columns
DENT = (200, 300)  # y, x
INSIDE = (40, 40, 600, 440)  # x0, y0, x1, y1: without the clamps at the border


class Unlike:
    """How far each pixel lies from the mean of the normal images; score and map come from one pass."""

    contamination = 0.1

    def fit(self, images: Sequence[NDArray[np.uint8]]) -> Unlike:
        self.mean_ = np.mean([_smooth(image) for image in images], axis=0)
        return self

    def score_and_map(self, images: Sequence[NDArray[np.uint8]]) -> tuple[list[float], list[NDArray[np.float32]]]:
        maps = [np.abs(_smooth(image) - self.mean_) for image in images]
        return [one.max().item() for one in maps], maps


def _smooth(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    return cv2.blur(image[..., 1].astype(np.float32), (15, 15))


def part(seed: int, *, dent: bool = False, clamp: bool = False) -> NDArray[np.uint8]:
    """Render a part, (480, 640) uint8, grey; `clamp` is a bright thing at the border, which is allowed."""
    grey = np.random.default_rng(seed).normal(120, 6, SIZE)
    if dent:
        grey[DENT[0] : DENT[0] + 24, DENT[1] : DENT[1] + 24] -= 60
    if clamp:
        grey[:30, :30] = 250
    return grey.clip(0, 255).astype(np.uint8)


def camera() -> Iterator[NDArray[np.uint8] | NDArray[np.uint16] | str]:
    """Yield what a line may hand over: arrays of several kinds, a file, a file that is damaged."""
    yield part(10)
    yield np.repeat(part(11, dent=True)[..., None], 3, axis=2)  # RGB
    yield part(12, clamp=True).astype(np.uint16) * 16  # 12 bits
    yield "part.png"
    yield "broken.png"


def main() -> int:
    cv2.imwrite("part.png", part(13, dent=True))
    Path("broken.png").write_bytes(Path("part.png").read_bytes()[:2000])

    detector = RegionDetector(Unlike(), roi=INSIDE)
    detector.fit([np.repeat(part(seed)[..., None], 3, axis=2) for seed in range(10)])
    # The threshold of `fit` lies among the scores of images that it was fitted on; these are others.
    normal = infer_iter(detector, [part(seed) for seed in range(20, 40)])
    threshold = 1.2 * max(result.score for result in normal)

    latency = Latency()
    results = infer_iter(
        detector, camera(), include_maps=True, threshold=threshold, on_error="report", latency=latency, batch_size=1
    )
    for number, result in enumerate(results):
        if result.error is not None:
            print(f"image {number}: {result.error}")
            continue
        print(f"image {number}: score {result.score:.1f}, defective: {result.label == 1}")
        if number == 1:
            np.save("map.npy", result.anomaly_map)
    print(f"{latency.summary()['images']} images, {1e3 * latency.summary()['p50']:.1f} ms each")
    return 0


if __name__ == "__main__":
    sys.exit(main())
