"""Tiny random-weight models of every family, registered through open_clip's own config mechanism."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import open_clip
import timm
from timm.models import register_model
from timm.models.eva import Eva
from timm.models.vision_transformer import VisionTransformer

_TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}


def _vit(size: int, patch: int, **more: Any) -> dict[str, Any]:
    vision = {"image_size": size, "layers": 4, "width": 64, "head_width": 16, "patch_size": patch}
    return {"embed_dim": 32, "vision_cfg": {**vision, **more}, "text_cfg": _TEXT}


def _timm(name: str, size: int, pool: str, proj: str | None, **text: Any) -> dict[str, Any]:
    vision = {"image_size": size, "timm_model_name": name, "timm_model_pretrained": False, "timm_pool": pool}
    return {
        "embed_dim": 32,
        "custom_text": True,
        "vision_cfg": {**vision, "timm_proj": proj},
        "text_cfg": {**_TEXT, **text},
    }


CONFIGS: dict[str, dict[str, Any]] = {
    "tiny-ViT-B-32": _vit(96, 32),
    "tiny-ViT-B-16": _vit(64, 16),
    "tiny-ViT-B-16-plus-240": _vit(80, 16, width=96, head_width=24),
    "tiny-ViT-L-14": _vit(56, 14, layers=6),
    "tiny-ViT-L-14-336": {**_vit(84, 14, layers=6), "quick_gelu": True},
    "tiny-ViT-H-14": _vit(56, 14, layers=5, width=80, head_width=20),
    "tiny-ViT-avg": _vit(64, 16, pool_type="avg", no_ln_pre=True, final_ln_after_pool=True, ls_init_value=0.1),
    "tiny-EVA02-B-16": _timm("tiny_eva02", 64, "token", None),
    "tiny-ViT-B-16-SigLIP": {
        **_timm("tiny_siglip", 64, "map", "none", hf_tokenizer_name="timm/ViT-B-16-SigLIP", vocab_size=64),
        "init_logit_bias": -10,
    },
    "tiny-RN50": {
        "embed_dim": 32,
        "vision_cfg": {"image_size": 128, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64, "patch_size": None},
        "text_cfg": _TEXT,
    },
}
NAMES = tuple(CONFIGS)
NATIVE = tuple(name for name in NAMES if "ViT" in name and "SigLIP" not in name)


@register_model
def tiny_eva02(**more: Any) -> Eva:
    """EVA02's kind: rotary positions, SwiGLU, a norm inside the attention; without weights."""
    settings = {"img_size": 64, "patch_size": 16, "embed_dim": 48, "depth": 4, "num_heads": 3, "qkv_fused": False}
    kind = {"swiglu_mlp": True, "scale_mlp": True, "scale_attn_inner": True, "use_rot_pos_emb": True}
    return Eva(**settings, **kind, mlp_ratio=2.0, ref_feat_shape=(4, 4), **_known(more))


@register_model
def tiny_siglip(**more: Any) -> VisionTransformer:
    """SigLIP's kind: no class token, pooled by attention; without weights."""
    settings = {"img_size": 64, "patch_size": 16, "embed_dim": 32, "depth": 4, "num_heads": 2}
    return VisionTransformer(**settings, class_token=False, **_known(more))


def _known(more: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in more.items() if key in ("num_classes", "global_pool")}


@cache
def register() -> None:
    """Make the names known to open_clip."""
    folder = Path(mkdtemp(prefix="tiny-clip-"))
    for name, config in CONFIGS.items():
        (folder / f"{name}.json").write_text(json.dumps(config), encoding="utf-8")
    open_clip.add_model_config(folder)
    assert timm.is_model("tiny_eva02")


def write_config(folder: Path, name: str = "tiny-ViT-B-16") -> Path:
    """Write a model's configuration under a name that open_clip does not know, for commands in other processes."""
    path = folder / f"own-{name}.json"
    path.write_text(json.dumps(CONFIGS[name]), encoding="utf-8")
    return path
