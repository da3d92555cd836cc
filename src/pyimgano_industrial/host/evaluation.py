"""What an evaluation needs of the host: models made as its commands make them, and data sets opened by name."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pyimgano_industrial.core.errors import IndustrialError, closest
from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.evaluation.results import ModelSpec
from pyimgano_industrial.host.chains import chosen
from pyimgano_industrial.host.manifests import ManifestDataset
from pyimgano_industrial.plugins.manager import plugins
from pyimgano_industrial.presets.detector import PresetDetector

MANIFEST = "manifest"


class ModelError(IndustrialError, ValueError):
    """A model that the host does not know, or that does not take what it is given."""


@dataclass(frozen=True)
class Maker:
    """Makes the detector of a model, not fitted, with its presets, keyword arguments and checkpoint. It pickles."""

    seed: int

    def __call__(self, spec: ModelSpec) -> Any:
        from pyimgano_industrial import load

        load()  # in a worker's process nothing may have done so
        from pyimgano.models.registry import create_model
        from pyimgano.utils.seeding import seed_everything

        name, kwargs = _resolved(spec)
        seed_everything(self.seed)
        detector, own = create_model(name, **kwargs), chosen(spec.preset)
        return detector if own is None else PresetDetector(detector=detector, preset=own)


@dataclass(frozen=True)
class Opener:
    """Opens a category of a data set; root: its folder, or of "manifest" the manifest's file. It pickles."""

    dataset: str
    root: Path
    missing_masks: Literal["error", "allow"] = "error"
    images: Path | None = None  # of a manifest: where its relative paths begin, if not beside it
    seed: int = 0  # of a manifest that leaves splits open

    def __call__(self, category: str) -> FolderDataset:
        if self.dataset == MANIFEST:
            options = {"images": self.images, "missing_masks": self.missing_masks, "seed": self.seed}
            return ManifestDataset(self.root, category, **options)  # type: ignore[arg-type] # of these types
        return self.type(self.root, category, missing_masks=self.missing_masks)

    @property
    def type(self) -> type[FolderDataset]:
        """The data set's class; raises UnknownNameError, PluginError."""
        if self.dataset == MANIFEST:
            return ManifestDataset
        found: type[FolderDataset] = resolve(plugins().row("datasets", self.dataset))
        return found

    def categories(self) -> list[str]:
        """Return the categories that are there, sorted."""
        return self.type.categories(self.root)


def completed(spec: ModelSpec, *, device: str, pretrained: bool, contamination: float, seed: int) -> ModelSpec:
    """Return a model with the keyword arguments that the host's commands would add, as far as it takes them.

    Raises ModelError for an unknown model or keyword argument, and where a checkpoint is missing.
    """
    from pyimgano.models.model_kwargs import get_model_signature_info

    ours = {"device": device, "pretrained": pretrained, "contamination": contamination}
    ours |= {"random_seed": seed, "random_state": seed}
    try:
        name, preset = _named(spec)
        accepted, _ = get_model_signature_info(name)
        added = {key: value for key, value in ours.items() if key in accepted and key not in (*spec.kwargs, *preset)}
        whole = ModelSpec(**{**vars(spec), "kwargs": {**spec.kwargs, **added}})
        _resolved(whole)
    except IndustrialError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"{spec.name}: {error}") from error
    return whole


def _named(spec: ModelSpec) -> tuple[str, dict[str, Any]]:
    """Return the registered name, and what a model preset or --preset sets."""
    import pyimgano.models  # noqa: F401 - registers them
    from pyimgano.models.registry import MODEL_REGISTRY
    from pyimgano.presets.catalog import list_model_presets
    from pyimgano.services.model_options import resolve_preset_kwargs, resolve_requested_model

    known = {*MODEL_REGISTRY.available(), *list_model_presets()}
    if spec.name not in known:
        likely = closest(spec.name, known).split("Known:")[0]
        raise ModelError(f"unknown model {spec.name!r}; {likely}`pyimgano benchmark --list-models` lists them")
    name, preset = resolve_requested_model(spec.name)[:2]
    return name, {**preset, **resolve_preset_kwargs(spec.preset, name)}


def _resolved(spec: ModelSpec) -> tuple[str, dict[str, Any]]:
    """Return the registered name and all keyword arguments, those of presets below those stated."""
    from pyimgano.services.model_options import (
        enforce_checkpoint_requirement,
        resolve_model_options,
        resolve_requested_model,
    )

    name, preset = resolve_requested_model(spec.name)[:2]
    kwargs = resolve_model_options(
        model_name=name,
        preset=spec.preset,
        user_kwargs=dict(spec.kwargs),
        auto_kwargs=preset,
        checkpoint_path=spec.checkpoint,
    )
    enforce_checkpoint_requirement(model_name=name, model_kwargs=kwargs)
    return name, kwargs
