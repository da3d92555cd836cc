"""torch.compile, bf16 and fp16 against fp32, on the CPU; a GPU runs the same code."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from pyimgano_industrial.models.clip_batch import OpenCLIPBatch
from pyimgano_industrial.models.clip_few_shot import OpenCLIPFewShot
from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch
from pyimgano_industrial.models.openclip.engine import forget

NAME = "tiny-ViT-B-16"
KINDS: tuple[Any, ...] = (OpenCLIPPromptPatch, OpenCLIPFewShot, OpenCLIPBatch)
IMAGES = list(np.random.default_rng(0).integers(0, 256, (4, 64, 96, 3), np.uint8))
TOLERANCE = 0.02  # of scores and maps, which lie in 0..1: what the how-to states
no_compiler = pytest.mark.skipif(
    sys.platform == "win32" or not (shutil.which("c++") or shutil.which("clang++")),
    reason="torch.compile needs a C++ compiler on a CPU",
)


@pytest.fixture(autouse=True)
def _own_models() -> Iterator[None]:
    """Detectors share a loaded model, whose logit scale these tests set."""
    forget()
    yield
    forget()


def results(kind: Any, **options: Any) -> tuple[Any, Any]:
    detector = kind(openclip_model_name=NAME, openclip_pretrained=None, **options)
    detector.engine.logit_scale = 100.0  # of trained models; it multiplies what rounding does
    return detector.fit(IMAGES).score_and_map(IMAGES)


def can_autocast(dtype: torch.dtype) -> bool:
    try:
        with torch.autocast("cpu", dtype=dtype), torch.inference_mode():
            return torch.nn.functional.linear(torch.ones(2, 4), torch.ones(3, 4)).dtype == dtype
    except RuntimeError:
        return False


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_stays_within_the_stated_tolerance(kind: Any, precision: str) -> None:
    if not can_autocast({"bf16": torch.bfloat16, "fp16": torch.float16}[precision]):
        pytest.skip(f"this torch has no {precision} autocast on the CPU")
    (exact, exact_maps), (scores, maps) = results(kind), results(kind, precision=precision)
    assert scores.dtype == np.float64
    assert maps.dtype == np.float32
    np.testing.assert_allclose(scores, exact, rtol=0, atol=TOLERANCE)
    np.testing.assert_allclose(maps, exact_maps, rtol=0, atol=TOLERANCE)
    assert not np.array_equal(maps, exact_maps), f"{precision} did not run"


@no_compiler
@pytest.mark.parametrize("method", ["dual", "winclip"])
def test_a_compiled_model_gives_the_same_within_rounding(method: str) -> None:
    """On two image sizes, so that it is compiled anew or with a free size."""
    settings = {"openclip_model_name": NAME, "openclip_pretrained": None, "method": method}
    plain, compiled = OpenCLIPPromptPatch(**settings), OpenCLIPPromptPatch(**settings, compile=True)
    torch._dynamo.utils.counters.clear()
    for images in (IMAGES[:2], [image[:, :64] for image in IMAGES[:2]]):
        expected, found = plain.score_and_map(images), compiled.score_and_map(images)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-4)
    assert torch._dynamo.utils.counters["stats"]["calls_captured"] > 0, "nothing was compiled"
