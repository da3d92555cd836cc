"""A checkpoint's model built and filled: no download, every tensor from the file, the right model or an error."""

from __future__ import annotations

import inspect
import tempfile
import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from anomalib.models import image as anomalib_models
from anomalib.models.components import AnomalibModule
from anomalib.pre_processing import PreProcessor

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.models.anomalib.offline import without_weights
from pyimgano_industrial.models.anomalib.reading import anomalib_version
from pyimgano_industrial.models.anomalib_table import BY_CLASS, AnomalibModel
from pyimgano_industrial.models.checkpoint_files import CheckpointError

_COMPONENTS = ("pre_processor", "post_processor", "evaluator", "visualizer")


def module_of(content: Any, path: Path, *, wanted: AnomalibModel | None) -> AnomalibModule:
    """Return the model in what `reading.read` returned, in evaluation mode on the CPU.

    wanted: the model that the file must be of, None for any. Raises CheckpointError.
    """
    if isinstance(content, Mapping) and isinstance(content.get("model"), AnomalibModule):
        module: AnomalibModule = content["model"]
        _check_wanted(type(module).__name__, path, wanted)
    elif isinstance(content, Mapping) and "state_dict" in content and "hyper_parameters" in content:
        module = _from_lightning(content, path, wanted)
    else:
        keys = ", ".join(sorted(map(str, content))[:8]) if isinstance(content, Mapping) else type(content).__name__
        raise CheckpointError(
            f"{path} is a torch file, but not anomalib's: it must hold state_dict and hyper_parameters, or an exported "
            f"model; it holds {keys}. Give the .ckpt that anomalib's training wrote"
        )
    _restore_winclip(module)
    return module.eval()


def _from_lightning(content: Mapping[str, Any], path: Path, wanted: AnomalibModel | None) -> AnomalibModule:
    settings = dict(content["hyper_parameters"])
    found = _identify(settings)
    if found is None:
        raise CheckpointError(
            f"{path} is of no image model of anomalib {anomalib_version()}; its settings are "
            f"{', '.join(sorted(settings)) or 'none'}{_written_by(content)}"
        )
    _check_wanted(found, path, wanted)
    known = _settings_of(found)
    if unknown := sorted(settings.keys() - known):
        raise CheckpointError(
            f"{path} has settings that {found} of anomalib {anomalib_version()} does not take: {', '.join(unknown)}"
            f"{_written_by(content)}; install the version that trained it, or train it again"
        )
    module = _build(found, settings, content, path)
    _fill(module, content, path)
    return module


def _build(name: str, settings: dict[str, Any], content: Mapping[str, Any], path: Path) -> AnomalibModule:
    model_class = getattr(anomalib_models, name)
    with tempfile.TemporaryDirectory(prefix="pyimgano-") as empty:
        if "dtd_dir" in settings:
            settings["dtd_dir"] = empty  # a folder of textures for training, which would be fetched where it is missing
        if "anomaly_source_path" in settings:
            settings["anomaly_source_path"] = None
        components = {"pre_processor": _pre_processor(content, path), "evaluator": False, "visualizer": False}
        try:
            with without_weights():
                module: AnomalibModule = model_class(**settings, **components)
        except (TypeError, ValueError, RuntimeError, ImportError, OSError) as error:
            raise CheckpointError(
                f"{name} of anomalib {anomalib_version()} cannot be built with the settings of {path}: {error}"
                f"{_written_by(content)}"
            ) from error
    return module


def _pre_processor(content: Mapping[str, Any], path: Path) -> PreProcessor | bool:
    """Return the file's own pre-processor; some models read their input size from it while they are built."""
    from anomalib.pre_processing.utils.spec import spec_to_transform

    config = content.get("anomalib_pre_processor_config")
    if config is None or not content.get("anomalib_components_enabled", {}).get("pre_processor", True):
        return True
    if config.get("transform") is None:
        warnings.warn(
            f"{path} does not say how its images were resized and normalised: they go in as they are; "
            f"scores are right only if training did the same",
            IndustrialWarning,
            stacklevel=2,
        )
        return True
    return PreProcessor(transform=spec_to_transform(config["transform"]))


def _fill(module: AnomalibModule, content: Mapping[str, Any], path: Path) -> None:
    """Load every tensor; none may be missing, so that no random weight remains.

    Only thresholds may be missing, which are then unknown.
    """
    module.on_load_checkpoint(dict(content))
    state, own = content["state_dict"], module.state_dict()
    missing = sorted(key for key in own.keys() - state.keys() if not key.startswith("post_processor."))
    foreign = sorted(key for key in state.keys() - own.keys() if key.startswith("model."))
    if missing or foreign:
        raise CheckpointError(
            f"{path} does not fit {type(module).__name__} of anomalib {anomalib_version()}: "
            f"{_some('missing', missing)}{'; ' if missing and foreign else ''}{_some('not known', foreign)}"
            f"{_written_by(content)}; install the version that trained it, or train it again"
        )
    try:
        module.load_state_dict({key: state.get(key, value) for key, value in own.items()})
    except RuntimeError as error:
        raise CheckpointError(
            f"{path} does not fit {type(module).__name__} of anomalib {anomalib_version()}: {error}"
            f"{_written_by(content)}"
        ) from error
    fitted = state.get("_is_fitted")
    if fitted is not None and not fitted.any():
        raise CheckpointError(f"{path} was saved before its model was fitted: use the checkpoint of the finished run")


def _identify(settings: Mapping[str, Any]) -> str | None:
    """Return the class whose settings the file has; every image model's set of settings is its own.

    Of files of other versions, the class that shares more than half of them; None where there is none.
    """
    likeness = {
        name: len(known & settings.keys()) / max(1, len(known | settings.keys()))
        for name in BY_CLASS
        if (known := _settings_of(name)) is not None
    }
    best = max(likeness, key=lambda name: likeness[name])
    return best if likeness[best] > 0.5 or likeness[best] == 1 else None


def _settings_of(name: str) -> set[str]:
    model_class = getattr(anomalib_models, name, None)
    if model_class is None:
        return set()
    return set(inspect.signature(model_class.__init__).parameters) - {"self", *_COMPONENTS}


def _check_wanted(found: str, path: Path, wanted: AnomalibModel | None) -> None:
    if wanted is not None and found != wanted.class_name:
        other = BY_CLASS.get(found)
        remedy = f"use {other.name}" if other else "use vision_anomalib_checkpoint"
        raise CheckpointError(
            f"{wanted.name} takes checkpoints of {wanted.class_name}; {path} is of {found}: {remedy}, "
            f"or give another file"
        )
    if found in BY_CLASS and BY_CLASS[found].not_loadable:
        raise CheckpointError(f"a checkpoint of {found} cannot be used: {BY_CLASS[found].not_loadable}")


def _written_by(content: Mapping[str, Any]) -> str:
    """Say what the file tells about its writer; anomalib's own training leaves no version of it, `save` does."""
    lightning = content.get("pytorch-lightning_version", "unknown")
    if (own := content.get("anomalib_version")) is not None:
        return f" (the file was written with Lightning {lightning} and anomalib {own})"
    age = "" if "anomalib_components_enabled" in content else ", and is older than anomalib 2.7"
    return f" (the file was written with Lightning {lightning}{age})"


def _some(what: str, keys: list[str]) -> str:
    shown = ", ".join(keys[:3]) + (" ..." if len(keys) > 3 else "")
    return f"{len(keys)} tensors are {what} ({shown})" if keys else ""


def _restore_winclip(module: AnomalibModule) -> None:
    """Make good what WinCLIP does not keep: its shots, and its prompts where they were not yet embedded."""
    if type(module).__name__ != "WinClip":
        return
    if int(module.k_shot or 0) and module.model._patch_embeddings.numel():
        module.model.k_shot = int(module.k_shot)
    if not module.model._text_embeddings.numel():
        module.model.setup(module.class_name or "object")
    warn_of_open_clip()


def warn_of_open_clip() -> None:
    """Warn where WinCLIP's map comes out constant: with open_clip 2.26.1 and later, which anomalib excludes."""
    try:
        found = version("open_clip_torch")
    except PackageNotFoundError:
        return
    if tuple(int(part) for part in found.split(".")[:3] if part.isdigit()) >= (2, 26, 1):
        warnings.warn(
            f"anomalib's WinCLIP gives constant maps with open_clip_torch {found}, without an error of its own: "
            f'pip install "open_clip_torch<2.26.1"',
            IndustrialWarning,
            stacklevel=3,
        )
