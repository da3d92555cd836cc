"""How many false alarms does a threshold cause? Promised, then counted on 5,000 good parts.

Run with `python threshold.py`; it downloads nothing and writes calibration.json and infer_config.json here.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.inference import Calibration, Calibrator, fit_and_calibrate

Image = NDArray[np.uint8]


class Nearest:
    """Distance of a part's 64 grey levels to the most similar part that it was fitted on: a small memory bank."""

    def fit(self, images: Sequence[Image]) -> Nearest:
        self.bank_ = np.stack([image.ravel() for image in images]).astype(np.float32)
        return self

    def decision_function(self, images: Sequence[Image]) -> NDArray[np.float32]:
        parts = np.stack([image.ravel() for image in images]).astype(np.float32)
        return np.array([np.sqrt(((self.bank_ - part) ** 2).sum(axis=1).min()) for part in parts], np.float32)

    def predict_anomaly_map(self, images: Sequence[Image]) -> NDArray[np.float32]:
        return np.abs(np.stack(images).astype(np.float32) - self.bank_.mean(axis=0).reshape(8, 8))


def good_parts(count: int, *, seed: int) -> list[Image]:
    """Render good parts, 8 x 8 pixels: noise, light that varies, and now and then a batch with a rougher surface."""
    rng = np.random.default_rng(seed)
    rough = rng.gamma(2, 2, (count, 1, 1))
    levels = 128 + rng.normal(0, 4, (count, 1, 1)) + rough * rng.normal(0, 1, (count, 8, 8))
    return list(levels.clip(0, 255).astype(np.uint8))


def main() -> int:
    train, production = good_parts(300, seed=0), good_parts(5000, seed=1)

    def flagged(calibration: Calibration, detector: Nearest) -> str:
        return f"{(detector.decision_function(production) > calibration.threshold).mean():.1%} of 5,000 new good parts"

    # A fifth of the parts is kept back from fitting: 60, which can show a rate of 5 %.
    detector = Nearest()
    calibration = fit_and_calibrate(detector, train, Calibrator(target_fpr=0.05))
    print(calibration)
    print("flagged:", flagged(calibration, detector))

    # The same promise from the parts that the memory was filled with: it knows them by heart.
    detector = Nearest().fit(train)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        by_heart = Calibrator(target_fpr=0.05).fit(detector.decision_function(train), source="train")
    print("\nwarned:", said[0].message)
    print("flagged:", flagged(by_heart, detector))

    # 0.1 % needs 2,302 good parts. The tail fit gives a number from 60 new ones, and says that it extrapolates.
    scores = detector.decision_function(good_parts(60, seed=2))
    print("\n" + str(Calibrator(method="tail", target_fpr=0.001).fit(scores)))

    # Pixels: in at most 5 % of good parts may any pixel be flagged.
    maps = detector.predict_anomaly_map(good_parts(60, seed=3))
    pixels = Calibrator(target_fpr=0.05).fit_maps(maps, per="images")
    print("\n" + str(pixels))

    # Both go into the host's infer_config.json.
    Path("calibration.json").write_text(json.dumps(calibration.to_dict(), indent=2), encoding="utf-8")
    config = pixels.into(calibration.into({"schema_version": 1, "model": {"name": "vision_knn"}}))
    Path("infer_config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
