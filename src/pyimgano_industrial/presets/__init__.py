"""Presets: pure image steps, chains of them, the profile of a camera and its light, and drift away from it.

>>> from pyimgano_industrial.presets import CameraProfile, chain, gray_world
>>> gray_world(np.full((1, 1, 3), 7, np.uint8)).tolist()
[[[7, 7, 7]]]
>>> chain("industrial-camera-profile").waits
True
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyimgano_industrial.core.names import on_demand

if TYPE_CHECKING:
    from pyimgano_industrial.presets.catalog import CHAINS, chain
    from pyimgano_industrial.presets.chains import Chain, ProfileStep
    from pyimgano_industrial.presets.correction import Correction
    from pyimgano_industrial.presets.detail import deblock, denoise, glare_mask, mask_glare, mask_roi, match_sharpness
    from pyimgano_industrial.presets.detector import PresetDetector
    from pyimgano_industrial.presets.drift import DriftMonitor, Moved, Verdict
    from pyimgano_industrial.presets.light import flatten, homomorphic, retinex
    from pyimgano_industrial.presets.measurement import PROPERTIES, Measurement
    from pyimgano_industrial.presets.pixels import PresetError
    from pyimgano_industrial.presets.profile import CameraProfile, ProfileError
    from pyimgano_industrial.presets.steps import STEPS, Step
    from pyimgano_industrial.presets.tone import clahe, gamma, match_exposure, stretch_contrast
    from pyimgano_industrial.presets.white import gray_world, max_rgb, reference_white, shades_of_gray

__all__ = [
    "CHAINS",
    "PROPERTIES",
    "STEPS",
    "CameraProfile",
    "Chain",
    "Correction",
    "DriftMonitor",
    "Measurement",
    "Moved",
    "PresetDetector",
    "PresetError",
    "ProfileError",
    "ProfileStep",
    "Step",
    "Verdict",
    "chain",
    "clahe",
    "deblock",
    "denoise",
    "flatten",
    "gamma",
    "glare_mask",
    "gray_world",
    "homomorphic",
    "mask_glare",
    "mask_roi",
    "match_exposure",
    "match_sharpness",
    "max_rgb",
    "reference_white",
    "retinex",
    "shades_of_gray",
    "stretch_contrast",
]

_MODULES = {
    "CHAINS": "catalog",
    "CameraProfile": "profile",
    "Chain": "chains",
    "Correction": "correction",
    "DriftMonitor": "drift",
    "Measurement": "measurement",
    "Moved": "drift",
    "PROPERTIES": "measurement",
    "PresetDetector": "detector",
    "PresetError": "pixels",
    "ProfileError": "profile",
    "ProfileStep": "chains",
    "STEPS": "steps",
    "Step": "steps",
    "Verdict": "drift",
    "chain": "catalog",
    "clahe": "tone",
    "deblock": "detail",
    "denoise": "detail",
    "flatten": "light",
    "gamma": "tone",
    "glare_mask": "detail",
    "gray_world": "white",
    "homomorphic": "light",
    "mask_glare": "detail",
    "mask_roi": "detail",
    "match_exposure": "tone",
    "match_sharpness": "detail",
    "max_rgb": "white",
    "reference_white": "white",
    "retinex": "light",
    "shades_of_gray": "white",
    "stretch_contrast": "tone",
}

__getattr__, __dir__ = on_demand(__name__, _MODULES)
