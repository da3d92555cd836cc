"""Seam: preprocessing schemes in the host's first catalogue; the second is a snapshot of it, see `presets`."""

from __future__ import annotations

import sys
from types import ModuleType

from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.host.presets import add


def apply(host: ModuleType) -> None:
    """Add the plugins' preprocessing presets, unless the second catalogue is just taking its snapshot.

    The snapshot reads every payload, which would import every target; the seam on the second one fills both.
    """
    preset_class, catalogue = expect(host, "PreprocessingScheme"), expect(host, "_SCHEMES")
    if "pyimgano.presets.catalog" not in sys.modules:
        add(catalogue, preset_class, "preprocessing")
