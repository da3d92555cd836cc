"""What goes in, in whatever form, goes through the model once, and no more of it at a time than batch_size says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import open_clip
import pytest
import torch

from pyimgano_industrial.inference import infer
from pyimgano_industrial.models.clip_batch import OpenCLIPBatch
from pyimgano_industrial.models.clip_few_shot import OpenCLIPFewShot
from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch
from pyimgano_industrial.models.openclip.towers import tower_of
from pyimgano_industrial.presets import PresetDetector, chain

CLIP = {"openclip_model_name": "tiny-ViT-B-16", "openclip_pretrained": None}
KINDS: tuple[Any, ...] = (OpenCLIPPromptPatch, OpenCLIPFewShot, OpenCLIPBatch)
IMAGES = list(np.random.default_rng(0).integers(0, 256, (10, 64, 96, 3), np.uint8))


@contextmanager
def counted(detector: Any) -> Iterator[list[int]]:
    """Give the batch sizes that the image tower is called with; the hook is the test's."""
    seen: list[int] = []
    hook = detector.engine._model.visual.conv1.register_forward_pre_hook(lambda _, args: seen.append(len(args[0])))
    try:
        yield seen
    finally:
        hook.remove()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "call",
    [
        lambda detector: detector.score_and_map(IMAGES),
        lambda detector: infer(detector, IMAGES, include_maps=True),
    ],
)
def test_scores_and_maps_come_from_one_pass_in_batches(kind: Any, call: Callable[[Any], Any]) -> None:
    detector = kind(**CLIP, batch_size=4).fit(IMAGES)
    with counted(detector) as seen:
        call(detector)
    assert sum(seen) == len(IMAGES)
    assert max(seen) <= 4


@pytest.mark.parametrize("kind", KINDS)
def test_windows_of_a_large_image_stay_within_the_batch(kind: Any) -> None:
    detector = kind(**CLIP, batch_size=2, image_size=192, resizing="windows").fit(IMAGES[:2])
    with counted(detector) as seen:
        detector.score_and_map(IMAGES[:1])
    assert len(seen) > 1
    assert max(seen) <= 2


@pytest.mark.parametrize("kind", KINDS)
def test_every_form_of_an_image_scores_alike(kind: Any, tmp_path: Path) -> None:
    grey = IMAGES[0][..., 0]
    rgb = np.dstack([grey] * 3)
    cv2.imwrite(str(tmp_path / "a.png"), grey)
    cv2.imwrite(str(tmp_path / "b.png"), np.dstack([rgb, np.full_like(grey, 7)]))
    cv2.imwrite(str(tmp_path / "c.png"), rgb.astype(np.uint16) * 257)
    forms = [rgb, grey, grey[..., None], np.dstack([rgb, grey]), rgb.astype(np.uint16) * 257, rgb / np.float32(255)]
    forms += [tmp_path / "a.png", str(tmp_path / "b.png"), tmp_path / "c.png"]
    detector = kind(**CLIP).fit(IMAGES[1:])
    expected, expected_map = detector.score_and_map([rgb])
    for form in forms:
        scores, maps = detector.score_and_map([form])
        np.testing.assert_array_equal(scores, expected)
        np.testing.assert_array_equal(maps, expected_map)


@pytest.mark.parametrize("kind", KINDS)
def test_presets_compose(kind: Any) -> None:
    through = PresetDetector(detector=kind(**CLIP), preset="industrial-gray-world").fit(IMAGES)
    by_hand = kind(**CLIP).fit([chain("industrial-gray-world").apply(image) for image in IMAGES])
    balanced = chain("industrial-gray-world").apply(IMAGES[3])
    np.testing.assert_allclose(through.decision_function(IMAGES[3:4]), by_hand.decision_function([balanced]), rtol=1e-6)
    np.testing.assert_allclose(
        through.predict_anomaly_map(IMAGES[3:4]), by_hand.predict_anomaly_map([balanced]), atol=1e-6
    )


def test_mutual_scores_equal_a_literal_loop() -> None:
    """Of each block and neighbourhood: the mean over the nearest 30 % of the other images of the nearest patch."""
    images = IMAGES[:5]
    detector = OpenCLIPBatch(**CLIP)
    seen = detector._seen(images)
    rows, columns = seen[0].grid
    expected = np.zeros((rows, columns))
    for level in range(len(seen[0].levels)):
        for reach in (0, 1, 2):
            pooled = []
            for one in seen:
                grid = one.levels[level].reshape(rows, columns, -1)
                mean = np.array(
                    [
                        grid[max(0, y - reach) : y + reach + 1, max(0, x - reach) : x + reach + 1].mean(axis=(0, 1))
                        for y in range(rows)
                        for x in range(columns)
                    ]
                )
                pooled.append(mean / np.linalg.norm(mean, axis=1, keepdims=True))
            for patch in range(rows * columns):
                nearest = sorted((1 - (other @ pooled[0][patch]).max()) / 2 for other in pooled[1:])
                expected[patch // columns, patch % columns] += nearest[0] / (3 * len(seen[0].levels))  # 30 % of 4: one
    score, maps = detector.score_and_map(images)
    assert score[0] == pytest.approx(expected.max(), abs=1e-5)
    np.testing.assert_allclose(cv2.resize(expected.astype(np.float32), (96, 64)), maps[0], atol=1e-5)


@pytest.mark.parametrize("neighbours", [1, 3])
def test_distances_to_the_bank_equal_a_literal_loop(neighbours: int) -> None:
    detector = OpenCLIPFewShot(**CLIP, neighbours=neighbours).fit(IMAGES[:4])
    views = detector._views(IMAGES[5])
    features = next(detector.engine.views([IMAGES[5]], views, detector._wanted(views.view, plain=True), batch_size=1))
    levels = []
    for part, bank in zip(features.plain, detector._bank, strict=True):
        cosines = part[0].numpy() @ bank.T
        levels.append([np.mean([(1 - one) / 2 for one in np.sort(row)[::-1][:neighbours]]) for row in cosines])
    found = detector._bank_part(features, views.view, [None] * 4)
    np.testing.assert_allclose(found[0].ravel(), np.mean(levels, axis=0), atol=1e-5)


PUBLISHED = {
    "ViT-B-32": (32, 224, 12),
    "ViT-B-16": (16, 224, 12),
    "ViT-B-16-plus-240": (16, 240, 12),
    "ViT-L-14": (14, 224, 24),
    "ViT-L-14-336": (14, 336, 24),
    "ViT-H-14": (14, 224, 32),
    "ViT-B-16-SigLIP": (16, 224, 12),
    "EVA02-B-16": (16, 224, 12),
    "RN50": (32, 224, 1),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_models_themselves_have_a_tower(name: str) -> None:
    """At their full size, but without memory for their weights."""
    with torch.device("meta"):
        tower = tower_of(open_clip.create_model(name, pretrained=None, pretrained_hf=False, device="meta").visual)
    patch, side, depth = PUBLISHED[name]
    assert (tower.patch, tower.native, tower.depth) == (patch, (side, side), depth)
