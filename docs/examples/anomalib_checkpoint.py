"""A model fitted in place, saved as anomalib's own checkpoint, and scored from it: arrays in, native maps out.

Run with `python anomalib_checkpoint.py`; it needs `pip install "pyimgano-industrial[anomalib]"`, downloads nothing and
writes padim.ckpt and map.npy here. The backbone has random weights, which is enough to show the way, not to inspect.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pyimgano.models import create_model

SIZE = (240, 320)  # rows, columns
DENT = (100, 180)  # y, x


def part(seed: int, *, dent: bool = False) -> NDArray[np.uint8]:
    """Render a part, (240, 320, 3) uint8 RGB."""
    image = np.random.default_rng(seed).normal(120, 3, (*SIZE, 3))
    if dent:
        image[DENT[0] : DENT[0] + 32, DENT[1] : DENT[1] + 32] += 90
    return image.clip(0, 255).astype(np.uint8)


def main() -> None:
    backbone = {"backbone": "resnet18", "layers": ["layer1"], "n_features": 32, "pre_trained": False}
    fitted = create_model("vision_padim_anomalib", init_args=backbone, image_size=(128, 128), device="cpu")
    fitted.fit([part(seed) for seed in range(40)])
    path = fitted.save("padim.ckpt")

    detector = create_model("vision_anomalib_checkpoint", checkpoint_path=path, device="cpu")
    print(detector.class_name, *detector.preprocessing, sep="\n  ")
    detector.fit([part(seed) for seed in range(40, 60)])  # the threshold alone, from other good parts
    for name, image in {"good": part(100), "dented": part(101, dent=True)}.items():
        scores, maps = detector.score_and_map([image])
        print(f"{name}: score {scores[0]:.2f}, defective: {scores[0] > detector.threshold_}")
    np.save("map.npy", maps[0])


if __name__ == "__main__":
    main()
