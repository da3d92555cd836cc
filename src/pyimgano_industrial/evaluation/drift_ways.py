"""The ways of meeting drift that this package has: its presets, the profile, variants of good images, and both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.evaluation.drift_proof import Way
from pyimgano_industrial.presets import CHAINS, CameraProfile, chain
from pyimgano_industrial.presets.augmentation import STRENGTHS, CameraRobust

Image = NDArray[np.uint8]


def ways(*, seed: int = 0) -> dict[str, Way]:
    """Return every way by its name: "none" first, presets, then what learns from the line's own good images."""
    blind = [Way(name, prepare=partial(_chained, name)) for name in CHAINS if not chain(name).waits]
    variants = [Way(f"variants-{strength}", augment=CameraRobust(strength, seed)) for strength in STRENGTHS]
    both = Way("profile+variants", prepare=_profile, augment=CameraRobust("normal", seed))
    return {way.name: way for way in (Way("none"), *blind, Way("profile", prepare=_profile), *variants, both)}


def _chained(name: str, _: Sequence[Image]) -> Callable[[Image], Image]:
    return chain(name).apply


def _profile(good: Sequence[Image]) -> Callable[[Image], Image]:
    profile = CameraProfile.fit(good)
    return lambda image: profile.correct(image)[0]
