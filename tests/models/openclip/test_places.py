"""A defect moved along an image moves in the map to the same place: every family of models, border and corner."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.openclip.tiny import NAMES, NATIVE
from pyimgano_industrial.models.clip_batch import OpenCLIPBatch
from pyimgano_industrial.models.clip_few_shot import OpenCLIPFewShot
from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch

Image = NDArray[np.uint8]


def clean(count: int, size: tuple[int, int]) -> list[Image]:
    return list(np.random.default_rng(0).integers(100, 120, (count, *size, 3)).astype(np.uint8))


def moved(detector: Any, image: Image) -> Iterator[tuple[Image, tuple[float, float], float]]:
    """Yield the image with a defect of a patch at each corner, border and inside; its middle, and its side."""
    engine, size = detector.engine, image.shape[:2]
    side = min(size) // (engine.native[0] // engine.patch)
    for row in (0, (size[0] - side) // 2, size[0] - side):
        for column in (0, (size[1] - side) // 2, size[1] - side):
            part = image.copy()
            part[row : row + side, column : column + side] = (250, 20, 30)
            yield part, (row + side / 2, column + side / 2), side


def check(found: NDArray[np.float32], at: tuple[float, float], within: float) -> None:
    place = np.unravel_index(found.argmax(), found.shape)
    assert abs(place[0] - at[0]) <= within, (at, place)
    assert abs(place[1] - at[1]) <= within, (at, place)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [(64, 64), (64, 200), (150, 50)])
@pytest.mark.parametrize("resizing", ["auto", "windows"])
def test_in_the_map_of_a_batch(name: str, size: tuple[int, int], resizing: str) -> None:
    detector = OpenCLIPBatch(openclip_model_name=name, openclip_pretrained=None, resizing=resizing)
    images = clean(3, size)
    detector.fit(images)
    for part, at, side in moved(detector, images[0]):
        found = detector.get_anomaly_map(part)
        assert found.shape == size
        check(found, at, 1.5 * side)


@pytest.mark.parametrize(
    ("name", "method"), [*((name, "dual") for name in NAMES), *((name, "winclip") for name in NATIVE)]
)
def test_in_the_maps_of_prompts_and_of_good_parts(name: str, method: str, siglip_tokenizer: Path) -> None:
    """What random weights say of the prompts has no meaning, so that of their map the change is looked at."""
    settings: dict[str, Any] = {
        "class_name": "gear",
        "openclip_model_name": name,
        "openclip_pretrained": None,
        "method": method,
        "tokenizer_path": siglip_tokenizer if "SigLIP" in name else None,
    }
    image = clean(1, (64, 192))[0]
    prompts, bank = OpenCLIPPromptPatch(**settings), OpenCLIPFewShot(**settings)
    before = prompts.get_anomaly_map(image)
    bank.fit(clean(3, (64, 192)))
    for part, at, side in moved(prompts, image):
        change = prompts.get_anomaly_map(part) - before
        check(np.abs(change), at, 2 * side)
        check(bank.get_anomaly_map(part) - prompts.get_anomaly_map(part) / 2, at, 2 * side)
