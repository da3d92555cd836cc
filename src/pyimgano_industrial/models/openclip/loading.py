"""OpenCLIP models made and filled with weights; every way this can fail says which file to put where."""

from __future__ import annotations

import json
import logging
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import Tensor, nn

from pyimgano_industrial.core.errors import IndustrialWarning, UnknownNameError, closest, first_line
from pyimgano_industrial.models.clip_settings import ClipError, ClipSettings, WeightsError

_SHOWN = 4  # keys named in an error
_PARTS = {"embed_dim", "vision_cfg", "text_cfg"}  # of a model's configuration


def load(settings: ClipSettings) -> nn.Module:
    """Return the model with its weights, in evaluation mode, on its device."""
    device = checked_device(settings.device)
    known = open_clip.list_models()
    if settings.name not in known:
        close = closest(settings.name, known).partition(" Known:")[0]
        raise UnknownNameError(
            f"openclip_model_name must be one of open_clip's {len(known)} models; got {settings.name!r}: {close} "
            f"(open_clip.list_models() names them all)"
        )
    tag = _tag(settings)
    config = dict(open_clip.pretrained.get_pretrained_cfg(settings.name, tag)) if tag else {}
    path = settings.checkpoint or (_weights(settings.name, tag, config) if tag else None)
    model = _empty(settings.name, quick_gelu=bool(config.get("quick_gelu", False)))
    if path is None:
        warnings.warn(
            f"{settings.name} has random weights: its scores mean nothing. Pass openclip_pretrained, one of "
            f"{', '.join(open_clip.list_pretrained_tags_by_model(settings.name)) or 'no tag that open_clip knows'}, or "
            f"checkpoint_path",
            IndustrialWarning,
            stacklevel=2,
        )
    else:
        fill(model, read_weights(path), path=path, name=settings.name)
    return model.eval().requires_grad_(False).to(device)


def registered(name: str) -> str:
    """Return a model's name in open_clip; a configuration's path is registered there first, under its file's stem."""
    if not name.endswith(".json"):
        return name
    path = Path(name)
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ClipError(f"cannot read the configuration {path}: {_told(error)}; it must be JSON") from error
    if not isinstance(config, dict) or not config.keys() >= _PARTS:
        raise ClipError(
            f"{path} must be a model's configuration as open_clip has them, with {', '.join(sorted(_PARTS))}"
        )
    if path.stem not in open_clip.list_models():
        open_clip.add_model_config(path.resolve())
    elif open_clip.get_model_config(path.stem) != config:
        raise ClipError(f"{path} has the name of another of open_clip's models, {path.stem}: rename the file")
    return path.stem


def normalisation(settings: ClipSettings) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return (mean, deviation) of the pixels that a model was trained on; a file is taken for one of its known kind."""
    tags = [settings.pretrained, *open_clip.list_pretrained_tags_by_model(settings.name)]
    config: dict[str, Any] = next(
        (open_clip.pretrained.get_pretrained_cfg(settings.name, tag) for tag in tags if tag), {}
    )
    mean = config.get("mean") or open_clip.OPENAI_DATASET_MEAN
    deviation = config.get("std") or open_clip.OPENAI_DATASET_STD
    return tuple(mean), tuple(deviation)


def tokenizer_of(settings: ClipSettings) -> Any:
    """Return what turns sentences into tokens; a local folder where one is given."""
    text = open_clip.get_model_config(settings.name)["text_cfg"]
    context = text.get("context_length", 77)
    if not (needs := text.get("hf_tokenizer_name")):
        return open_clip.get_tokenizer(settings.name)
    remedy = (
        f"{settings.name} needs the tokenizer {needs!r}: install transformers (pip install transformers) and pass "
        f"tokenizer_path=FOLDER, which holds that tokenizer's files (tokenizer.json, tokenizer_config.json, "
        f"special_tokens_map.json), as save_pretrained writes them on a machine with a network"
    )
    try:
        if settings.tokenizer is None:
            return open_clip.get_tokenizer(settings.name)
        return open_clip.tokenizer.HFTokenizer(
            str(settings.tokenizer), context_length=context, **text.get("tokenizer_kwargs", {})
        )
    except (ImportError, OSError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{remedy}. What failed: {_told(error)}") from error


def checked_device(name: str) -> torch.device:
    """Return the device; raises ClipError when torch does not know it, or this machine does not have it."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ClipError(f"device must be cpu, cuda, cuda:N or mps; got {name!r}") from error
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if not there.get(device.type, False) or (device.index or 0) >= count:
        found = ", ".join(("cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))))
        raise ClipError(f"device must be one that this machine has ({found}); got {name!r}: pass device='cpu'")
    return device


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a .safetensors file, or of one that torch reads with weights_only."""
    from safetensors import SafetensorError  # open_clip brings it
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, ValueError, EOFError, KeyError) as error:
        raise WeightsError(
            f"cannot read weights from {path}: {_told(error)}. It must be .safetensors, or a file that "
            f"torch.load reads with weights_only=True; save the model's state_dict() with safetensors.torch.save_file"
        ) from error
    except SafetensorError as error:
        raise WeightsError(f"{path} is no whole .safetensors file: {_told(error)}; copy it anew") from error
    state = found.get("state_dict", found) if isinstance(found, dict) else None
    if not isinstance(state, dict) or not state or not all(isinstance(one, Tensor) for one in state.values()):
        raise WeightsError(f"{path} must hold a state dict, name -> tensor; got {type(found).__name__}")
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def fill(model: nn.Module, state: dict[str, Tensor], *, path: Path, name: str) -> None:
    """Load the tensors; raises WeightsError that says which keys are missing, too many, or of another shape."""
    own = model.state_dict()
    if not own.keys() <= state.keys():
        state = _converted(model, state)
    missing = sorted(own.keys() - state.keys())
    extra = sorted(state.keys() - own.keys())
    shapes = [
        f"{key} {tuple(state[key].shape)} where the model has {tuple(own[key].shape)}"
        for key in own.keys() & state.keys()
        if state[key].shape != own[key].shape and state[key].numel() != own[key].numel()
    ]
    wrong = [
        f"{label}: {_some(keys)}"
        for label, keys in (("missing", missing), ("not of the model", extra), ("of another shape", sorted(shapes)))
        if keys
    ]
    if wrong:
        raise WeightsError(
            f"{path} does not fit {name}; {'; '.join(wrong)}. Pass the openclip_model_name of these weights"
        )
    model.load_state_dict({key: tensor.reshape(own[key].shape) for key, tensor in state.items()})


def _converted(model: nn.Module, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return weights of older or foreign layouts in the model's own, as far as open_clip knows how."""
    from open_clip import factory

    if hasattr(factory, "convert_state_dict"):
        state = factory.convert_state_dict(model, state)
    if "positional_embedding" in state and not hasattr(model, "positional_embedding"):
        state = factory.convert_to_custom_text_state_dict(state)
    for name in ("input_resolution", "context_length", "vocab_size"):  # OpenAI's archives
        state.pop(name, None)
    return state


def _empty(name: str, *, quick_gelu: bool) -> nn.Module:
    """Return the model with random weights, the same ones every time; downloads nothing."""
    log, quiet = logging.getLogger(), _NoWarning()
    log.addFilter(quiet)  # it says "initialized randomly" before we fill in the weights
    try:
        return _seeded(name, quick_gelu=quick_gelu)
    finally:
        log.removeFilter(quiet)


def _seeded(name: str, *, quick_gelu: bool) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model: nn.Module = open_clip.create_model(
            name, pretrained=None, force_quick_gelu=quick_gelu, pretrained_hf=False
        )
    return model


class _NoWarning(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("No pretrained weights loaded")


def _tag(settings: ClipSettings) -> str | None:
    """Return the tag of the weights to find, None where a file or nothing is wanted."""
    tag = settings.pretrained
    if tag is None or settings.checkpoint is not None:
        return None
    known = open_clip.list_pretrained_tags_by_model(settings.name)
    if tag not in known and tag.lower().replace("-", "_") not in known:
        raise UnknownNameError(f"openclip_pretrained {tag!r} is not a tag of {settings.name}: {closest(tag, known)}")
    return tag


def _weights(name: str, tag: str, config: dict[str, Any]) -> Path:
    """Return the weights' file from open_clip's cache, else downloaded, which is announced."""
    repository, _, file = config.get("hf_hub", "").rpartition("/")
    cached = _cached(repository, file) if repository else None
    if cached is None and config.get("url"):
        local = Path.home() / ".cache" / "clip" / Path(config["url"]).name
        cached = local if local.is_file() else None
    if cached is not None:
        return cached
    source = f"huggingface.co/{repository}" if repository else config.get("url", "nowhere")
    print(f"pyimgano-industrial: downloads the weights {tag} of {name} from {source}", file=sys.stderr, flush=True)
    try:
        return Path(open_clip.pretrained.download_pretrained(config))
    except Exception as error:
        wanted = (file or "open_clip_model.safetensors") if repository else Path(config.get("url", "")).name
        raise WeightsError(
            f"the weights {tag} of {name} are not on this machine and cannot be downloaded ({_told(error)}). On "
            f"a machine with a network, fetch the file {wanted} of {source}; copy it here and pass checkpoint_path=FILE"
        ) from error


def _cached(repository: str, file: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    stem = Path(file).stem if file else ""
    names = [f"{stem}.safetensors", file] if file else ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
    for one in names:
        found = try_to_load_from_cache(repository, one)
        if isinstance(found, str):
            return Path(found)
    return None


def _some(keys: list[str]) -> str:
    more = f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else ""
    return f"{', '.join(keys[:_SHOWN])}{more}"


def _told(error: Exception) -> str:
    return f"{type(error).__name__}: {first_line(error)[:200]}"
