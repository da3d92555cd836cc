"""The image towers of open_clip, run block by block so that patches can be read on the way.

Nothing is patched and no hook is set: a tower's own modules are called in the order in which its forward calls them,
so that a plain pass equals `encode_image` bit for bit at the model's own size. The dual path begins at the first block
that is read: the residual stream before it, plus the V-V attention of every block from there on, without the MLPs. In
open_clip's standard blocks both attentions then share their projections, which changes nothing but rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from pyimgano_industrial.models.clip_settings import ClipError
from pyimgano_industrial.models.openclip.attention import (
    both_attentions,
    first_attention,
    pooled_values,
    residual,
    value_attention,
)


@dataclass
class Tokens:
    """What one forward pass gives.

    whole: (B, D), the image's feature, not normalised. dual: per tapped block (B, P, D), V-V features projected beside
    the texts. plain: per tapped block (B, P, width), the unchanged path, not projected. last: (B, P, width), patches
    after the last norm. start: (B, 1 + P, width), tokens with positions, before the first norm.
    """

    whole: Tensor
    dual: list[Tensor] = field(default_factory=list)
    plain: list[Tensor] = field(default_factory=list)
    last: Tensor | None = None
    start: Tensor | None = None


class Tower(Protocol):
    """One kind of image tower. patch: pixels. native: (height, width) in pixels. depth: its number of blocks."""

    patch: int
    native: tuple[int, int]
    depth: int
    any_size: bool

    def __call__(self, pixels: Tensor, *, taps: tuple[int, ...], dual: bool, plain: bool) -> Tokens:
        """Run normalised pixels (B, 3, H, W); taps: blocks counted from 1 after which patches are read."""


def tower_of(visual: nn.Module) -> Tower:
    """Return the tower that runs open_clip's `visual`; raises ClipError for a kind that is not known."""
    part: Any = visual
    if hasattr(part, "conv1") and hasattr(part, "transformer") and getattr(part, "attn_pool", None) is None:
        return NativeViT(part)
    if hasattr(part, "attnpool") and hasattr(part, "layer4"):
        return ResNet(part)
    trunk = getattr(part, "trunk", None)
    if trunk is not None and hasattr(trunk, "blocks") and all(_is_pre_norm(block) for block in trunk.blocks):
        return TimmViT(part)
    kind = type(visual if trunk is None else trunk).__name__
    raise ClipError(
        f"the image tower must be a ViT of open_clip or timm with norms before the attention, or a ResNet with an "
        f"attention pool; got {kind}: choose a model such as 'ViT-B-16', 'EVA02-B-16', 'ViT-B-16-SigLIP' or 'RN50'"
    )


class NativeViT:
    """open_clip's own VisionTransformer; any size, by interpolated position embeddings."""

    any_size = True

    def __init__(self, visual: Any) -> None:
        self._visual = visual
        self._blocks = list(visual.transformer.resblocks)
        self.depth = len(self._blocks)
        self.patch = int(_pair(visual.patch_size)[0])
        self.native = _pair(visual.image_size)
        self._grid: tuple[int, int] = _pair(visual.grid_size)
        # Before 2.26 the blocks took the sequence first; since then the transformer says which.
        self._batch_first = bool(getattr(visual.transformer, "batch_first", False))

    def __call__(self, pixels: Tensor, *, taps: tuple[int, ...], dual: bool, plain: bool) -> Tokens:
        visual = self._visual
        patches = visual.conv1(pixels)
        grid = (patches.shape[-2], patches.shape[-1])
        patches = patches.reshape(patches.shape[0], patches.shape[1], -1).permute(0, 2, 1)
        first = visual.class_embedding.view(1, 1, -1).expand(patches.shape[0], -1, -1).to(patches.dtype)
        start = torch.cat([first, patches], dim=1)
        start = start + resampled(visual.positional_embedding, self._grid, grid).to(start.dtype)
        stream = visual.ln_pre(visual.patch_dropout(start))
        stream, duals, plains = _run(
            self._blocks,
            stream,
            taps,
            dual=dual,
            plain=plain,
            call=self._block,
            norm="ln_1",
            class_alone=visual.pool_type == "tok",
        )
        return Tokens(
            whole=self._pooled(stream),
            dual=[self._projected(one) for one in duals],
            plain=[one[:, 1:] for one in plains],
            last=(stream if visual_norm_is_last(visual) else visual.ln_post(stream))[:, 1:] if plain else None,
            start=start,
        )

    def windows(self, start: Tensor, patches: Tensor) -> Tensor:
        """Return the features (B, W, D) of windows (W, patches each) of tokens (B, 1 + P, width)."""
        batch, count = start.shape[0], patches.shape[0]
        index = torch.cat([patches.new_zeros(count, 1), patches + 1], dim=1)
        stream = start[:, index].reshape(batch * count, index.shape[1], -1)
        stream = self._visual.ln_pre(self._visual.patch_dropout(stream))
        *before, last = self._blocks
        for block in before:
            stream = self._block(block, stream)
        alone = self._visual.pool_type == "tok" and _is_standard(last)
        stream = _first(last, stream) if alone else self._block(last, stream)
        return self._pooled(stream).reshape(batch, count, -1)

    def _block(self, block: Any, stream: Tensor) -> Tensor:
        if self._batch_first:
            called: Tensor = block(stream)
            return called
        turned: Tensor = block(stream.permute(1, 0, 2))
        return turned.permute(1, 0, 2)

    def _pooled(self, stream: Tensor) -> Tensor:
        visual = self._visual
        if visual_norm_is_last(visual):
            pooled = visual.ln_post(visual._global_pool(stream)[0])
        else:
            pooled = visual._global_pool(visual.ln_post(stream))[0]
        return pooled if visual.proj is None else pooled @ visual.proj

    def _projected(self, stream: Tensor) -> Tensor:
        normed: Tensor = self._visual.ln_post(stream[:, 1:])
        return normed if self._visual.proj is None else normed @ self._visual.proj


class TimmViT:
    """timm's vision transformers behind open_clip's adapter, EVA02 and SigLIP among them; at their own size only."""

    any_size = False

    def __init__(self, visual: Any) -> None:
        self._visual, self._trunk = visual, visual.trunk
        self._blocks = list(self._trunk.blocks)
        self.depth = len(self._blocks)
        self.patch = int(_pair(self._trunk.patch_embed.patch_size)[0])
        self.native = _pair(self._trunk.patch_embed.img_size)
        self._prefix = int(self._trunk.num_prefix_tokens)

    def __call__(self, pixels: Tensor, *, taps: tuple[int, ...], dual: bool, plain: bool) -> Tokens:
        trunk = self._trunk
        found = trunk._pos_embed(trunk.patch_embed(pixels))
        stream, rope = found if isinstance(found, tuple) else (found, None)
        for name in ("patch_drop", "norm_pre"):
            if (layer := getattr(trunk, name, None)) is not None:
                stream = layer(stream)

        def call(block: Any, tokens: Tensor) -> Tensor:
            called: Tensor = block(tokens) if rope is None else block(tokens, rope=rope)
            return called

        stream, duals, plains = _run(self._blocks, stream, taps, dual=dual, plain=plain, call=call, norm="norm1")
        normed = trunk.norm(stream)
        return Tokens(
            whole=self._visual.head(trunk.forward_head(normed)),
            dual=[self._projected(one[:, self._prefix :]) for one in duals],
            plain=[one[:, self._prefix :] for one in plains],
            last=normed[:, self._prefix :],
        )

    def _projected(self, patches: Tensor) -> Tensor:
        """Return each patch's feature as if it were the whole image: pooled alone, so that any pool projects it."""
        batch, count, width = patches.shape
        alone = self._trunk.norm(patches).reshape(batch * count, 1, width)
        if self._trunk.global_pool == "avg":  # averages what follows the prefix
            alone = torch.cat([alone.new_zeros(len(alone), self._prefix, width), alone], dim=1)
        features: Tensor = self._visual.head(self._trunk.forward_head(alone))
        return features.reshape(batch, count, -1)


class ResNet:
    """open_clip's ModifiedResNet: patches are positions of the attention pool, V-V attention inside it; one level."""

    any_size = True
    depth = 1

    def __init__(self, visual: Any) -> None:
        self._visual = visual
        self.patch = 32
        self.native = _pair(visual.image_size)
        self._grid = (self.native[0] // 32, self.native[1] // 32)

    def __call__(
        self,
        pixels: Tensor,
        *,
        taps: tuple[int, ...],  # noqa: ARG002 - it has one level
        dual: bool,
        plain: bool,
    ) -> Tokens:
        visual = self._visual
        found = visual.stem(pixels)
        for layer in (visual.layer1, visual.layer2, visual.layer3, visual.layer4):
            found = layer(found)
        grid = (found.shape[-2], found.shape[-1])
        patches = found.flatten(2).transpose(1, 2)
        tokens = torch.cat([patches.mean(dim=1, keepdim=True), patches], dim=1)
        positions = resampled(visual.attnpool.positional_embedding, self._grid, grid)
        if grid == self._grid:
            whole = visual.attnpool(found)
        else:
            whole = torch.func.functional_call(visual.attnpool, {"positional_embedding": positions}, (found,))
        dense = pooled_values(visual.attnpool, tokens, positions=positions)[:, 1:] if dual else None
        return Tokens(
            whole=whole, dual=[] if dense is None else [dense], plain=[patches] if plain else [], last=patches
        )


def resampled(positions: Tensor, own: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Return position embeddings (1 + P, C) for another grid: the first as it is, the others bicubic, antialiased."""
    if own == grid:
        return positions
    first, others = positions[:1], positions[1:]
    image = others.float().reshape(1, *own, -1).permute(0, 3, 1, 2)
    resized = functional.interpolate(image, size=grid, mode="bicubic", antialias=True, align_corners=False)
    return torch.cat([first, resized.permute(0, 2, 3, 1).flatten(0, 2).to(positions.dtype)])


def visual_norm_is_last(visual: Any) -> bool:
    """Return whether a ViT norms after pooling."""
    return bool(getattr(visual, "final_ln_after_pool", False))


def _run(
    blocks: list[Any],
    stream: Tensor,
    taps: tuple[int, ...],
    *,
    dual: bool,
    plain: bool,
    call: Any,
    norm: str,
    class_alone: bool = False,
) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Run the blocks; return the last stream, and the dual and the plain stream after each tapped block.

    class_alone: whether the last stream may be the class token's only, where nothing else is read of it.
    """
    duals, plains, beside = [], [], stream
    for number, block in enumerate(blocks, start=1):
        if not dual or not taps[0] <= number <= taps[-1]:
            stream = call(block, stream)
        else:
            beside = stream if number == taps[0] else beside
            if _is_standard(block):
                alone = class_alone and not plain and number == len(blocks)
                stream, change = _paired(block, stream, queries=1 if alone else None)
            else:
                change = value_attention(block.attn, getattr(block, norm)(stream))
                stream = call(block, stream)
            beside = beside + residual(block, change)
        if number in taps:
            duals += [beside] if dual else []
            plains += [stream] if plain else []
    return stream, duals, plains


def _paired(block: Any, stream: Tensor, *, queries: int | None) -> tuple[Tensor, Tensor]:
    """Return a block's output and its V-V attention, sharing what both need; equal to the block up to rounding."""
    plain, change = both_attentions(block.attn, block.ln_1(stream), queries=queries)
    stream = stream[:, :queries] + block.ls_1(plain)
    return stream + block.ls_2(block.mlp(block.ln_2(stream))), change


def _first(block: Any, stream: Tensor) -> Tensor:
    """Return a block's output for the first token alone (B, 1, C), all that the last block is asked for."""
    first = stream[:, :1] + block.ls_1(first_attention(block.attn, block.ln_1(stream)))
    return first + block.ls_2(block.mlp(block.ln_2(first)))


def _is_standard(block: Any) -> bool:
    """Return whether a block is open_clip's common one, an nn.MultiheadAttention with biases inside."""
    return type(block).__name__ == "ResidualAttentionBlock" and block.attn.in_proj_bias is not None


def _is_pre_norm(block: Any) -> bool:
    kind = type(block).__name__
    return hasattr(block, "norm1") and hasattr(block, "attn") and "PostNorm" not in kind and "Parallel" not in kind


def _pair(value: Any) -> tuple[int, int]:
    return (int(value[0]), int(value[1])) if isinstance(value, (tuple, list)) else (int(value), int(value))
