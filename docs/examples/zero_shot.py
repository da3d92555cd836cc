"""Zero-shot and few-shot inspection with OpenCLIP, with random weights: it shows the calls, its numbers mean nothing.

With weights, leave `openclip_pretrained=None` out, or pass `checkpoint_path="weights.safetensors"`.
"""

from __future__ import annotations

import warnings

import numpy as np

from pyimgano_industrial import load
from pyimgano_industrial.core.errors import IndustrialWarning

load()

from pyimgano.models import create_model  # noqa: E402 - after the plugin, as any program of yours may have it

generator = np.random.default_rng(0)


def part(*, dented: bool) -> np.ndarray:
    """Return a grey part of 120 x 320 pixels; the dent is at its right end, where a centre crop would miss it."""
    image = generator.integers(110, 130, (120, 320, 3), np.uint8)
    if dented:
        image[40:80, 275:315] = (30, 25, 20)
    return image


model = {"openclip_model_name": "ViT-B-32", "openclip_pretrained": None}
good, dented = [part(dented=False) for _ in range(4)], part(dented=True)

with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always", IndustrialWarning)
    zero_shot = create_model(
        "vision_openclip_prompt_patch",
        class_name="metal bracket",
        text_prompts={
            "normal": ["a photo of a flawless {}", "a close-up photo of a {} with an even surface"],
            "dent": ["a photo of a dented {}", "a close-up photo of a {} with a dark dent"],
            "scratch": ["a photo of a scratched {}"],
        },
        **model,
    )
    scores, maps = zero_shot.score_and_map([*good, dented])
print("it says:", next(str(one.message) for one in caught).partition(" Pass")[0])
print("zero-shot scores, without meaning:", np.round(scores, 3))

few_shot = create_model("vision_openclip_few_shot", class_name="metal bracket", lighting=True, **model).fit(good)
anomaly_map = few_shot.get_anomaly_map(dented)
row, column = np.unravel_index(anomaly_map.argmax(), anomaly_map.shape)
print(f"few-shot, four good parts: the map of shape {anomaly_map.shape} peaks at row {row}, column {column}")
np.save("map.npy", anomaly_map)
