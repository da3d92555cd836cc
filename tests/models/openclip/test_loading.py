"""Weights from files, and every way in which they cannot be had."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from distributions import python
from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch
from pyimgano_industrial.models.clip_settings import ClipSettings, WeightsError
from pyimgano_industrial.models.openclip.engine import Engine
from pyimgano_industrial.models.openclip.loading import tokenizer_of
from pyimgano_industrial.models.prompts import prompts_of

NAME = "tiny-ViT-B-16"


def other_weights(name: str = NAME) -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return open_clip.create_model(name, pretrained=None).state_dict()


@pytest.mark.parametrize("kind", ["safetensors", "pt", "nested"])
def test_a_file_fills_the_model(kind: str, tmp_path: Path) -> None:
    state = other_weights()
    path = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pt")
    if kind == "safetensors":
        save_file(state, path)
    else:
        nested = {"state_dict": {f"module.{key}": tensor for key, tensor in state.items()}}
        torch.save(nested if kind == "nested" else state, path)
    loaded = Engine(ClipSettings(NAME, "laion2b", path))._model.state_dict()
    assert all(torch.equal(tensor, state[key]) for key, tensor in loaded.items())


def test_no_weights_warn_and_are_the_same_every_time() -> None:
    with pytest.warns(IndustrialWarning, match="random weights: its scores mean nothing. Pass openclip_pretrained"):
        one = Engine(ClipSettings(NAME))._model.state_dict()
    two = Engine(ClipSettings(NAME))._model.state_dict()
    assert all(torch.equal(tensor, two[key]) for key, tensor in one.items())


def test_a_checkpoint_of_another_model_says_which_keys_do_not_fit(tmp_path: Path) -> None:
    save_file(other_weights("tiny-ViT-L-14"), tmp_path / "w.safetensors")
    with pytest.raises(WeightsError) as caught:
        Engine(ClipSettings(NAME, None, tmp_path / "w.safetensors"))
    text = str(caught.value)
    assert "w.safetensors does not fit tiny-ViT-B-16" in text
    assert "not of the model: visual.transformer.resblocks.4.attn.in_proj_bias" in text
    assert "of another shape: visual.conv1.weight (64, 3, 14, 14) where the model has (64, 3, 16, 16)" in text


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("w.safetensors", b"not safe", "cannot be read|is no whole .safetensors file"),
        ("w.pt", b"not a zip", "cannot read weights"),
        ("w.pt", {"a": 1}, "must hold a state dict"),
        ("w.pt", {"a": os.getcwd}, "reads with weights_only=True"),
    ],
)
def test_a_file_that_holds_no_weights_is_an_error(name: str, content: Any, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(WeightsError, match=said):
        Engine(ClipSettings(NAME, None, path))


def test_offline_the_error_says_which_file_to_put_where(tmp_path: Path) -> None:
    done = python(
        "from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch as Detector\n"
        "import numpy as np\n"
        "try: Detector(openclip_model_name='RN50', openclip_pretrained='openai').decision_function(\n"
        "    [np.zeros((64, 64, 3), np.uint8)])\n"
        "except Exception as error: print(type(error).__name__, error)",
        env={"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path), "HOME": str(tmp_path)},
    )
    assert done.startswith("WeightsError the weights openai of RN50 are not on this machine and cannot be downloaded")
    assert re.search(r"fetch the file \S+ of huggingface.co/\S+; copy it here and pass checkpoint_path=FILE", done)


def test_siglip_without_its_tokenizer_names_transformers_and_the_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match=r"install transformers .* and pass tokenizer_path=FOLDER"):
        tokenizer_of(ClipSettings("tiny-ViT-B-16-SigLIP"))


def test_siglip_reads_a_local_tokenizer_folder(siglip_tokenizer: Path) -> None:
    detector = OpenCLIPPromptPatch(
        class_name="gear",
        openclip_model_name="tiny-ViT-B-16-SigLIP",
        openclip_pretrained=None,
        tokenizer_path=siglip_tokenizer,
    )
    scores, maps = detector.score_and_map([np.zeros((70, 90, 3), np.uint8)])
    assert maps.shape == (1, 70, 90)
    assert np.isfinite(scores).all()


def test_text_is_encoded_once_for_a_model_and_its_prompts(scaled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pyimgano_industrial.models.text_cache import forget

    first = scaled(NAME).text(prompts_of("gear", None))
    forget()
    again = scaled(NAME)
    monkeypatch.setattr(again, "_encode", lambda sentences: pytest.fail(f"encoded {len(sentences)} anew"))
    np.testing.assert_array_equal(again.text(prompts_of("gear", None)), first)
    other = scaled(NAME)
    with torch.no_grad():
        other._model.ln_final.bias += 0.1
    assert np.abs(other.text(prompts_of("gear", None)) - first).max() > 1e-3


def test_a_class_s_feature_is_the_mean_of_its_sentences_directions(scaled: Any) -> None:
    engine = scaled(NAME)
    prompts = prompts_of("gear", {"normal": ["a {}", "one good {}"], "dent": ["a dented {}"]})
    with torch.no_grad():
        tokens = open_clip.get_tokenizer(NAME)(["a gear", "one good gear"])
        each = [engine._model.encode_text(one[None])[0] for one in tokens]
    mean = sum(one / one.norm() for one in each)
    np.testing.assert_allclose(engine.text(prompts)[0], (mean / mean.norm()).numpy(), atol=1e-5)
