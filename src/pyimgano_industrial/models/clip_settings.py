"""What is chosen of an OpenCLIP model, checked without torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from pyimgano_industrial.core.errors import IndustrialError, UnknownNameError, closest

Method = Literal["dual", "winclip"]
Resizing = Literal["auto", "interpolate", "windows"]
Precision = Literal["fp32", "bf16", "fp16"]


class ClipError(IndustrialError, ValueError):
    """A setting of an OpenCLIP model that cannot be used."""


class WeightsError(IndustrialError, RuntimeError):
    """Weights that are not here, or do not fit the model."""


@dataclass(frozen=True)
class ClipSettings:
    """One model, its weights, and how it runs; detectors with equal settings share the loaded model.

    name: one of open_clip's models, or the path of a configuration in its format, .json. pretrained: a tag of it, None
    for none. checkpoint: a file in its place. tokenizer: a folder of a Hugging Face tokenizer, for models that need
    one. device: as torch names it. precision: of the forward pass; scores are float32. compile: whether torch.compile
    optimises the towers' blocks.
    """

    name: str
    pretrained: str | None = None
    checkpoint: Path | None = None
    tokenizer: Path | None = None
    device: str = "cpu"
    precision: Precision = "fp32"
    compile: bool = False

    def __post_init__(self) -> None:
        one_of("precision", self.precision, get_args(Precision))
        own = Path(self.name) if self.name.endswith(".json") else None
        for label, path, kind in (
            ("openclip_model_name", own, ClipError),
            ("checkpoint_path", self.checkpoint, WeightsError),
            ("tokenizer_path", self.tokenizer, WeightsError),
        ):
            if path is not None and not path.exists():
                raise kind(f"{label} must be there; {path} is not: check the path")


def one_of(option: str, value: str, known: tuple[str, ...]) -> None:
    """Raise UnknownNameError unless the value is one of the known."""
    if value not in known:
        raise UnknownNameError(f"{option} must be one of {', '.join(known)}; got {value!r}: {closest(value, known)}")
