"""The WinCLIP mode against anomalib's own WinCLIP; tox -e winclip, since that needs open_clip 2.24."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import numpy as np
import pytest
import torch

pytest.importorskip("anomalib")
if tuple(map(int, version("open_clip_torch").split(".")[:2])) >= (2, 26):
    pytest.skip("anomalib's WinCLIP is silently wrong with this open_clip", allow_module_level=True)

from anomalib.models.image.winclip import torch_model
from anomalib.models.image.winclip.prompting import create_prompt_ensemble

from pyimgano_industrial.models.clip_few_shot import OpenCLIPFewShot
from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch
from pyimgano_industrial.models.patch_scores import to_image

NAME, SCALE = "tiny-ViT-B-16-plus-240", 40.0


@pytest.fixture
def pair(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes ours and anomalib's of the same weights and prompts."""
    monkeypatch.setattr(torch_model, "BACKBONE", NAME)
    monkeypatch.setattr(torch_model, "PRETRAINED", None)

    def make(kind: type[OpenCLIPPromptPatch], **options: Any) -> tuple[Any, Any]:
        normal, anomalous = create_prompt_ensemble("gear")
        ours = kind(
            text_prompts={"normal": normal, "anomaly": anomalous},
            method="winclip",
            openclip_model_name=NAME,
            openclip_pretrained=None,
            **options,
        )
        model = ours.engine._model
        model.logit_scale.data.fill_(np.log(SCALE))
        ours.engine.logit_scale = SCALE
        with torch.no_grad():  # or the towers' features of any two images are nearly one
            generator = torch.Generator().manual_seed(5)
            model.visual.positional_embedding.normal_(std=0.5, generator=generator)
            model.visual.class_embedding.normal_(generator=generator)
        theirs = torch_model.WinClipModel()
        theirs.clip.load_state_dict(model.state_dict())
        theirs.eval().setup("gear")
        sentences = ours.engine.sentences(ours.prompts)
        means = torch.from_numpy(np.stack([one.mean(axis=0) for one in sentences]))
        torch.testing.assert_close(theirs.text_embeddings, means, rtol=0, atol=1e-4)
        # anomalib averages the sentences as they are, we average their directions: the same features from here on.
        unit = torch.nn.functional.normalize(theirs.text_embeddings, dim=-1).numpy()
        ours.engine._texts[ours.prompts.digest] = unit
        return ours, theirs

    return make


def images(count: int, seed: int) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return [np.kron(generator.integers(0, 256, (10, 10, 3)), np.ones((8, 8, 1))).astype(np.uint8) for _ in range(count)]


def compare(ours: Any, theirs: Any, parts: list[np.ndarray]) -> None:
    expected = theirs(ours.engine.prepare(parts, (80, 80)))
    reference = expected.anomaly_map.numpy()
    assert reference.std(axis=(1, 2)).min() > 1e-3, "the reference's map is constant"
    scores, maps = ours.score_and_map(parts)
    np.testing.assert_allclose(scores, expected.pred_score.numpy(), rtol=0, atol=1e-4)
    np.testing.assert_allclose(maps, reference, rtol=0, atol=1e-4)


def test_zero_shot_scores_and_maps_equal_anomalib_s(pair: Any) -> None:
    ours, theirs = pair(OpenCLIPPromptPatch)
    compare(ours, theirs, images(5, seed=1))


@pytest.mark.parametrize("shots", [1, 4])
@pytest.mark.filterwarnings("ignore:the threshold of a single good image")
def test_few_shot_scores_and_maps_equal_anomalib_s(pair: Any, shots: int) -> None:
    ours, theirs = pair(OpenCLIPFewShot)
    good = images(shots, seed=2)
    theirs.setup(reference_images=ours.engine.prepare(good, (80, 80)))
    compare(ours.fit(good), theirs, [*images(4, seed=3), good[0]])


def test_the_map_of_an_image_is_linear_between_patches_as_theirs() -> None:
    grid = np.random.default_rng(0).random((5, 5), np.float32)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(grid)[None, None], size=(80, 80), mode="bilinear")
    ours = np.empty((80, 80), np.float32)
    to_image(grid, ours)
    np.testing.assert_allclose(ours, theirs[0, 0].numpy(), atol=1e-6)
