"""Torch files read safely: tensors, plain data and a list of known classes; anything else only with trust."""

from __future__ import annotations

import pickle
import warnings
from pathlib import Path
from typing import Any

import torch
from torchvision.transforms import InterpolationMode, v2

from pyimgano_industrial.core.errors import IndustrialWarning, first_line
from pyimgano_industrial.models.anomalib_table import BY_CLASS
from pyimgano_industrial.models.checkpoint_files import CheckpointError

# Transforms that checkpoints may hold as objects; they compute, and reach neither files nor the network.
_TRANSFORMS = (v2.CenterCrop, v2.Compose, v2.Grayscale, v2.Normalize, v2.Resize, InterpolationMode)


def read(path: Path, *, trust: bool) -> Any:
    """Return what torch saved in a file, on the CPU.

    trust: whether a file that holds other objects is loaded all the same, which runs whatever code it names.
    Raises CheckpointError that lists those objects without running them, or says that the file is damaged.
    """
    from anomalib.utils.serialization import anomalib_safe_globals

    try:
        with anomalib_safe_globals(extra=_known_classes()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if not trust:
            raise CheckpointError(_refusal(path)) from error
    except (RuntimeError, EOFError, OSError, ValueError) as error:
        raise CheckpointError(_damaged(path, error)) from error
    warnings.warn(
        f"{path} is loaded as a full pickle, because trust_checkpoint=True: code that it names runs with your rights",
        IndustrialWarning,
        stacklevel=3,
    )
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except (RuntimeError, EOFError, OSError, pickle.UnpicklingError) as error:
        raise CheckpointError(_damaged(path, error)) from error
    except (ImportError, AttributeError) as error:
        raise CheckpointError(
            f"{path} names code that is not installed here ({error}); it was exported from another version than "
            f"anomalib {anomalib_version()}: export it again, or install that version"
        ) from error


def anomalib_version() -> str:
    """Return the installed anomalib's version."""
    import anomalib

    version: str = anomalib.__version__
    return version


def _known_classes() -> list[Any]:
    """Return the enums that models keep among their settings, and the plain transforms."""
    from anomalib.models import image

    models = [getattr(image, name) for name in BY_CLASS if hasattr(image, name)]
    return [*_TRANSFORMS, *(known for model in models for known in model.checkpoint_safe_globals())]


def _refusal(path: Path) -> str:
    found = _other_objects(path)
    listed = ", ".join(found[:5]) + (f" and {len(found) - 5} more" if len(found) > 5 else "")
    return (
        f"{path} holds more than tensors and known settings ({listed or 'objects that cannot be listed'}), so that "
        f"loading it would run code that the file chooses; give the Lightning .ckpt of the same training run, or an "
        f"ONNX or OpenVINO export. Only if you know who made the file: trust_checkpoint=True loads it all the same, "
        f"and whoever made it can then do anything on this machine that you can"
    )


def _other_objects(path: Path) -> list[str]:
    """Return the names of the classes and functions outside the list, from the pickle's text alone; models first."""
    from anomalib.utils.serialization import anomalib_safe_globals

    try:
        with anomalib_safe_globals(extra=_known_classes()):
            found: list[str] = torch.serialization.get_unsafe_globals_in_checkpoint(path)
            return sorted(found, key=lambda name: (not name.startswith("anomalib.models.image."), name))
    except (RuntimeError, ValueError, pickle.UnpicklingError):
        return []  # the format before torch 1.6, whose names torch does not list


def _damaged(path: Path, error: Exception) -> str:
    return (
        f"{path} ({path.stat().st_size} bytes) is cut short or damaged ({first_line(error)}); copy or export it again "
        f"(anomalib {anomalib_version()} is installed)"
    )
