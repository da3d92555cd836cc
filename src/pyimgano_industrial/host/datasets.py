"""Seam: the host's data set classes and factory, replaced by ours and opened to every plugin's."""

from __future__ import annotations

from functools import wraps
from types import ModuleType
from typing import Any

from pyimgano_industrial.core.errors import UnknownNameError, closest
from pyimgano_industrial.host.contract import expect, rebind
from pyimgano_industrial.plugins.manager import plugins

# Host class -> what its constructor must accept for ours to stand in its place.
_REPLACED = {
    "MVTecDataset": ("root", "category", "resize", "load_masks"),
    "MVTecLOCODataset": ("root", "category", "resize", "load_masks", "include_validation_in_train"),
    "MVTecAD2Dataset": ("root", "category", "split", "resize", "load_masks"),
    "BTADDataset": ("root", "category", "resize", "load_masks"),
    "VisADataset": ("root", "category", "resize", "load_masks"),
}
_HOST_ONLY = ("custom", "manifest")


def apply(host: ModuleType) -> None:
    """Replace five classes under their own names, and let the factory build every data set row."""
    expect(host, "BaseDataset")
    expect(host, "DatasetInfo", "name", "categories", "num_train", "num_test", "image_size", "description")
    originals = {name: expect(host, name, *parameters) for name, parameters in _REPLACED.items()}
    factory = expect(host, "load_dataset", "name", "root", "category", "kwargs")

    from pyimgano_industrial.host import adapters

    for name, original in originals.items():
        _replace(host, name, original, getattr(adapters, name))

    @wraps(factory)
    def load_dataset(name: str, root: str, category: str | None = None, **kwargs: Any) -> Any:
        known = {row.name for row in plugins().rows("datasets")}
        lowered = name.lower()
        if lowered in known - adapters.HOST_NAMES.keys():
            if category is None:
                raise ValueError(f"Category is required for {name} dataset")
            return adapters.PluginDataset(root, category, name=lowered, **kwargs)
        if lowered not in known.union(_HOST_ONLY):
            raise UnknownNameError(f"Unknown dataset: {name!r}; {closest(name, known.union(_HOST_ONLY))}")
        return factory(name, root, category, **kwargs)

    _replace(host, "load_dataset", factory, load_dataset)


def _replace(host: ModuleType, name: str, old: object, new: object) -> None:
    setattr(host, name, new)
    rebind(name, old, new)
