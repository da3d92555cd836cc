"""V-V attention: what a block's attention would give if values attended to themselves.

softmax(v v^T / sqrt(d)) v for each head, then the block's own output projection (CLIP Surgery, Li et al.,
arXiv 2304.05653). Patches then attend to patches like themselves; queries and keys of the last blocks attend to a few
tokens that stand for the whole image, which turns plain maps upside down.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from pyimgano_industrial.models.clip_settings import ClipError


def value_attention(attention: nn.Module, tokens: Tensor) -> Tensor:
    """Return what an attention module gives when its values attend to themselves; tokens: (B, L, C), normed."""
    part: Any = attention
    if isinstance(attention, nn.MultiheadAttention):
        width = part.embed_dim
        bias = None if part.in_proj_bias is None else part.in_proj_bias[2 * width :]
        merged = _attend(functional.linear(tokens, part.in_proj_weight[2 * width :], bias), part.num_heads)
        return functional.linear(merged, part.out_proj.weight, part.out_proj.bias)
    if hasattr(part, "in_proj_weight"):  # open_clip's own attention
        width = part.in_proj_weight.shape[0] // 3
        bias = None if part.in_proj_bias is None else part.in_proj_bias[2 * width :]
        merged = _attend(
            functional.linear(tokens, part.in_proj_weight[2 * width :], bias), part.num_heads, part.head_scale
        )
        projected: Tensor = part.out_proj(part.ln_inner(merged))
        return projected
    if hasattr(part, "proj") and (getattr(part, "qkv", None) is not None or getattr(part, "v_proj", None) is not None):
        merged = _attend(_timm_values(part, tokens), part.num_heads)
        norm = getattr(part, "norm", None)
        return cast(Tensor, part.proj(merged if norm is None else norm(merged)))
    raise ClipError(
        f"V-V attention must know the attention module; got {type(attention).__name__}: choose another model, such as "
        f"'ViT-B-16', or pass method='winclip' for open_clip's own ViTs"
    )


def both_attentions(attention: Any, tokens: Tensor, *, queries: int | None) -> tuple[Tensor, Tensor]:
    """Return what an nn.MultiheadAttention gives, and V-V attention beside it, from values computed once.

    queries: how many of the first tokens the plain result is for; None is all. tokens: (B, L, C), normed.
    """
    split = _projected(attention, tokens, queries=queries)
    plain, beside = (
        functional.scaled_dot_product_attention(*three).transpose(1, 2).flatten(2) for three in (split, [split[2]] * 3)
    )
    return attention.out_proj(plain), attention.out_proj(beside)


def first_attention(attention: Any, tokens: Tensor) -> Tensor:
    """Return what an nn.MultiheadAttention gives for the first token alone (B, 1, C); tokens: (B, L, C), normed."""
    split = _projected(attention, tokens, queries=1)
    merged = functional.scaled_dot_product_attention(*split).transpose(1, 2).flatten(2)
    return cast(Tensor, attention.out_proj(merged))


def pooled_values(pool: nn.Module, tokens: Tensor, *, positions: Tensor) -> Tensor:
    """Return V-V attention of a ResNet's attention pool at every position; tokens: (B, 1 + P, C), the mean first."""
    part: Any = pool
    values = part.v_proj(tokens + positions.to(tokens.dtype))
    projected: Tensor = part.c_proj(_attend(values, part.num_heads))
    return projected


def _projected(attention: Any, tokens: Tensor, *, queries: int | None) -> list[Tensor]:
    """Return queries of the first tokens, keys and values of all, split into heads: (B, heads, L, C / heads)."""
    width, heads = attention.embed_dim, attention.num_heads
    weight, bias = attention.in_proj_weight, attention.in_proj_bias
    if queries is None:
        query, key, value = functional.linear(tokens, weight, bias).chunk(3, dim=-1)
    else:
        query = functional.linear(tokens[:, :queries], weight[:width], bias[:width])
        key, value = functional.linear(tokens, weight[width:], bias[width:]).chunk(2, dim=-1)
    return [part.unflatten(-1, (heads, -1)).transpose(1, 2) for part in (query, key, value)]


def _attend(values: Tensor, heads: int, head_scale: Tensor | None = None) -> Tensor:
    batch, length, width = values.shape
    split = values.reshape(batch, length, heads, width // heads).transpose(1, 2)
    found = functional.scaled_dot_product_attention(split, split, split)
    if head_scale is not None:
        found = found * head_scale
    return found.transpose(1, 2).reshape(batch, length, width)


def _timm_values(part: Any, tokens: Tensor) -> Tensor:
    if getattr(part, "v_proj", None) is not None:
        values: Tensor = part.v_proj(tokens)
        return values
    width = part.qkv.weight.shape[0] // 3
    bias = part.qkv.bias
    if getattr(part, "v_bias", None) is not None:  # EVA keeps the biases beside the fused projection
        return functional.linear(tokens, part.qkv.weight[2 * width :], part.v_bias)
    return functional.linear(tokens, part.qkv.weight[2 * width :], None if bias is None else bias[2 * width :])


def residual(block: Any, change: Tensor) -> Tensor:
    """Return a block's attention output as the block adds it: normed and scaled where it does so."""
    for name in ("ln_attn", "ls_1", "ls1"):
        if (layer := getattr(block, name, None)) is not None:
            change = layer(change)
    gamma = getattr(block, "gamma_1", None)  # EVA
    return change if gamma is None else torch.mul(change, gamma)
