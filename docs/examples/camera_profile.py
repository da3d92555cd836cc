"""The light of a line sinks: when is it noticed, and what do corrected images look like?

Run with `python camera_profile.py`; it downloads nothing and writes line.json, line.npz and corrected.png here.
"""

from __future__ import annotations

import sys

import cv2
import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.demo.scene import render
from pyimgano_industrial.presets import CameraProfile, DriftMonitor

Image = NDArray[np.uint8]
GOOD, STREAM, FROM = 40, 60, 25  # images; the light sinks from this image of the stream on
LIGHT = 0.7  # half a stop less light: in the values of an image, which are a power of it, 0.23 stops


def tray(seed: int, *, light: float = 1.0) -> Image:
    """Render a good tray, (240, 320, 3) uint8 RGB, under a share of the light; the light of each varies by 1 %."""
    light *= np.random.default_rng(seed).normal(1, 0.01)
    linear = (render(seed, height=240).image / 255.0) ** 2.2 * light  # a camera's values are a power of the light
    return np.rint(255 * linear.clip(0, 1) ** (1 / 2.2)).astype(np.uint8)


def away(image: Image, other: Image) -> float:
    return float(np.abs(image.astype(np.float32) - other).mean())


def main() -> int:
    # What good images look like today: from good images alone.
    CameraProfile.fit([tray(seed) for seed in range(GOOD)]).save("line.json")
    profile = CameraProfile.load("line.json")

    # The stream: each image is compared, and the first verdict that something has moved is the alarm.
    monitor = DriftMonitor(profile)
    alarm = None
    before, after = [], []
    for number in range(STREAM):
        seed = 1000 + number
        image = tray(seed, light=LIGHT if number >= FROM else 1.0)
        verdict = monitor.observe(image)
        if verdict.drifting and alarm is None:
            alarm = number
            print(f"image {number}: {verdict.reason}")
        corrected, correction = profile.correct(image)
        if number >= FROM:  # beside the same tray under the light of the good ones
            before.append(away(image, tray(seed)))
            after.append(away(corrected, tray(seed)))
    print(f"the light sank at image {FROM}, the alarm came at image {alarm}")
    moved = verdict.moved[0]
    print(f"at the end: {moved.property} {moved.shift:+.2f} {moved.unit} since image {moved.since}: {verdict.action}")
    print(f"the last image: {correction}")
    print(f"mean distance from the tray as set up: {np.mean(before):.1f} grey levels, corrected {np.mean(after):.1f}")

    assert alarm is not None
    assert FROM <= alarm < FROM + 25
    assert (moved.property, verdict.action) == ("exposure", "correct")
    assert abs(moved.since - FROM) <= 3
    assert np.mean(after) < 0.25 * np.mean(before)

    # As set up, as the camera took it, and corrected.
    pictures = np.hstack([tray(seed), image, corrected])
    cv2.imwrite("corrected.png", cv2.cvtColor(pictures, cv2.COLOR_RGB2BGR))
    return 0


if __name__ == "__main__":
    sys.exit(main())
