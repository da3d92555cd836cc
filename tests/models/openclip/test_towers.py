"""Our passes against open_clip's own and against slow literal implementations, for every family of models."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from models.openclip.tiny import NAMES, NATIVE
from pyimgano_industrial.core.errors import UnknownNameError
from pyimgano_industrial.models.clip_settings import ClipError, ClipSettings
from pyimgano_industrial.models.openclip.attention import value_attention
from pyimgano_industrial.models.openclip.engine import Engine, Wanted
from pyimgano_industrial.models.openclip.towers import resampled, tower_of


def pixels_for(engine: Engine, count: int = 3) -> Tensor:
    return torch.randn(count, 3, *engine.native, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("name", NAMES)
def test_a_plain_pass_equals_encode_image_bit_for_bit_and_leaves_the_model_alone(name: str, scaled: Any) -> None:
    engine = scaled(name)
    model, pixels = engine._model, pixels_for(engine)
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    calls = {module: module.__dict__.get("forward") for module in model.modules()}
    with torch.inference_mode():
        expected = model.encode_image(pixels)
        found = engine._tower(pixels, taps=(1, engine.depth), dual=False, plain=True).whole
        assert torch.equal(found, expected)
        both = engine._tower(pixels, taps=(1, engine.depth), dual=True, plain=False)
        torch.testing.assert_close(both.whole, expected, rtol=1e-4, atol=1e-5)
        assert torch.equal(model.encode_image(pixels), expected)
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())
    assert {module: module.__dict__.get("forward") for module in model.modules()} == calls
    assert not [module for module in model.modules() if module._forward_hooks or module._forward_pre_hooks]


def literal(values: Tensor, heads: int) -> Tensor:
    """softmax(v v^T / sqrt(d)) v, head by head, query by query; values: (L, C)."""
    length, width = values.shape
    size = width // heads
    found = torch.zeros_like(values)
    for head in range(heads):
        part = values[:, head * size : (head + 1) * size]
        for query in range(length):
            logits = torch.stack([part[query] @ part[key] / math.sqrt(size) for key in range(length)])
            weights = logits.exp() / logits.exp().sum()
            for key in range(length):
                found[query, head * size : (head + 1) * size] += weights[key] * part[key]
    return found


def projected_values(attention: Any, tokens: Tensor) -> Tensor:
    if hasattr(attention, "in_proj_weight"):
        width = attention.in_proj_weight.shape[1]
        return tokens @ attention.in_proj_weight[2 * width :].T + attention.in_proj_bias[2 * width :]
    if getattr(attention, "v_proj", None) is not None:
        return tokens @ attention.v_proj.weight.T + attention.v_proj.bias
    return (tokens @ attention.qkv.weight.T + attention.qkv.bias).chunk(3, dim=-1)[2]


@pytest.mark.parametrize("name", [name for name in NAMES if "RN50" not in name])
def test_value_attention_equals_the_paper_s_formula(name: str, scaled: Any) -> None:
    visual = scaled(name)._model.visual
    block = visual.transformer.resblocks[1] if hasattr(visual, "transformer") else visual.trunk.blocks[1]
    attention = block.attn
    width = attention.embed_dim if hasattr(attention, "embed_dim") else attention.proj.out_features
    tokens = torch.randn(2, 5, width, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for bias in [tensor for key, tensor in attention.named_parameters() if key.endswith("bias")]:
            bias.normal_(generator=torch.Generator().manual_seed(3))  # zeros would hide a wrong slice
        merged = torch.stack([literal(projected_values(attention, one), attention.num_heads) for one in tokens])
        norm = getattr(attention, "norm", torch.nn.Identity())
        expected = (attention.out_proj if hasattr(attention, "out_proj") else attention.proj)(norm(merged))
        torch.testing.assert_close(value_attention(attention, tokens), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", NATIVE)
@pytest.mark.parametrize("plain", [False, True])
def test_the_dual_path_equals_a_literal_one(name: str, plain: bool, scaled: Any) -> None:
    """From the first block that is read: its input, plus V-V attention on the unchanged path; no MLP."""
    engine = scaled(name)
    visual, pixels = engine._model.visual, pixels_for(engine)
    taps = (2, engine.depth)
    inputs: list[Tensor] = []
    hooks = [
        block.register_forward_pre_hook(lambda _, args: inputs.append(args[0]))
        for block in visual.transformer.resblocks
    ]
    with torch.no_grad():
        engine._model.encode_image(pixels)
        for hook in hooks:
            hook.remove()
        beside, expected = inputs[1], []
        for number, block in enumerate(visual.transformer.resblocks, start=1):
            if number >= 2:
                values = projected_values(block.attn, block.ln_1(inputs[number - 1]))
                merged = torch.stack([literal(one, block.attn.num_heads) for one in values])
                beside = beside + block.ls_1(block.attn.out_proj(merged))
            if number in taps:
                expected.append(visual.ln_post(beside)[:, 1:] @ visual.proj)
        found = engine._tower(pixels, taps=taps, dual=True, plain=plain).dual
    assert len(found) == 2
    for one, literal_one in zip(found, expected, strict=True):
        torch.testing.assert_close(one, literal_one, rtol=1e-4, atol=1e-4)


def test_a_resnet_s_patches_are_v_v_attention_of_its_pool(scaled: Any) -> None:
    engine = scaled("tiny-RN50")
    visual, pixels = engine._model.visual, pixels_for(engine, 1)
    pool, seen = visual.attnpool, []
    hook = pool.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    with torch.no_grad():
        engine._model.encode_image(pixels)
        hook.remove()
        flat = seen[0].flatten(2).transpose(1, 2)[0]
        tokens = torch.cat([flat.mean(dim=0, keepdim=True), flat]) + pool.positional_embedding
        expected = pool.c_proj(literal(pool.v_proj(tokens), pool.num_heads))[1:]
        found = engine._tower(pixels, taps=(1,), dual=True, plain=False).dual[0][0]
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_the_projection_of_a_patch_is_that_of_an_image_of_one_patch(scaled: Any) -> None:
    """SigLIP pools by attention: one token alone is pooled to itself."""
    engine = scaled("tiny-ViT-B-16-SigLIP")
    trunk, tokens = engine._model.visual.trunk, torch.randn(2, 3, 32)
    with torch.no_grad():
        expected = torch.stack([trunk.forward_head(trunk.norm(tokens[:, [index]])) for index in range(3)], dim=1)
        torch.testing.assert_close(engine._tower._projected(tokens), expected)


@pytest.mark.parametrize("name", NATIVE)
def test_windows_equal_a_loop_over_windows(name: str, scaled: Any) -> None:
    engine = scaled(name)
    visual, pixels = engine._model.visual, pixels_for(engine, 2)
    rows, columns = visual.grid_size
    side = min(3, rows)
    found = engine.features(pixels, Wanted((engine.depth,), scales=(side,))).windows[0]
    with torch.no_grad():
        patches = visual.conv1(pixels).flatten(2).transpose(1, 2) + visual.positional_embedding[1:]
        first = (visual.class_embedding + visual.positional_embedding[0]).expand(len(pixels), 1, -1)
        number = 0
        for row in range(rows - side + 1):
            for column in range(columns - side + 1):
                own = [(row + y) * columns + column + x for y in range(side) for x in range(side)]
                stream = visual.transformer(visual.ln_pre(torch.cat([first, patches[:, own]], dim=1)))
                pooled, _ = visual._pool(stream)
                expected = torch.nn.functional.normalize(pooled @ visual.proj, dim=-1)
                torch.testing.assert_close(found[:, number], expected, rtol=0, atol=1e-4)
                number += 1
    assert number == found.shape[1]


@pytest.mark.parametrize("name", ["tiny-ViT-B-16", "tiny-RN50"])
def test_another_size_is_the_model_with_resized_position_embeddings(name: str, scaled: Any) -> None:
    engine = scaled(name)
    visual = engine._model.visual
    pixels = torch.randn(2, 3, 96, 160) if "ViT" in name else torch.randn(2, 3, 64, 224)
    owner = visual if "ViT" in name else visual.attnpool
    own = tuple(side // engine.patch for side in engine.native)
    grid = (pixels.shape[2] // engine.patch, pixels.shape[3] // engine.patch)
    found = engine.features(pixels, Wanted((engine.depth,), dual=True)).whole
    with torch.no_grad():
        owner.positional_embedding = torch.nn.Parameter(resampled(owner.positional_embedding, own, grid))
        expected = torch.nn.functional.normalize(engine._model.encode_image(pixels), dim=-1)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_bf16_stays_within_its_stated_tolerance(scaled: Any) -> None:
    exact, quick = scaled("tiny-ViT-B-16"), scaled("tiny-ViT-B-16", precision="bf16")
    wanted, pixels = Wanted((2, 4), dual=True), pixels_for(exact)
    for one, other in zip(exact.features(pixels, wanted).dual, quick.features(pixels, wanted).dual, strict=True):
        assert float((one * other).sum(dim=-1).min()) > 0.999


@pytest.mark.parametrize(
    ("settings", "kind", "said"),
    [
        (ClipSettings("ViT-B-61"), UnknownNameError, "did you mean 'ViT-B-16"),
        (ClipSettings("ViT-B-16", "laion400m_e3"), UnknownNameError, "did you mean 'laion400m_e3"),
        (ClipSettings("tiny-ViT-B-16", device="cuda:7"), ClipError, "this machine has"),
        (ClipSettings("tiny-ViT-B-16", device="gpu"), ClipError, "device must be cpu, cuda"),
    ],
)
def test_what_is_not_there_is_an_error(settings: ClipSettings, kind: type[Exception], said: str) -> None:
    with pytest.raises(kind, match=said):
        Engine(settings)


def test_windows_of_a_model_that_has_none_are_an_error(scaled: Any) -> None:
    engine = scaled("tiny-EVA02-B-16")
    with pytest.raises(ClipError, match="pass method='dual'"):
        engine.features(pixels_for(engine), Wanted((1,), scales=(2,)))


def test_an_image_tower_of_another_kind_is_an_error() -> None:
    with pytest.raises(ClipError, match="the image tower must be a ViT"):
        tower_of(torch.nn.Linear(2, 2))
