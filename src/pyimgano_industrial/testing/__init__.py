"""Contract suites for plugin authors: subclass one, say how to make your thing, and pytest runs the rest."""

from __future__ import annotations

from pyimgano_industrial.testing.datasets import DatasetContract
from pyimgano_industrial.testing.models import ModelContract
from pyimgano_industrial.testing.presets import PresetContract

__all__ = ["DatasetContract", "ModelContract", "PresetContract"]
