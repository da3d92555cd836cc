"""Seam: preprocessing schemes in the host's first catalogue; the second is a snapshot of it, see `presets`."""

from __future__ import annotations

from types import ModuleType

from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.host.presets import LazyPreset, preset_rows


def apply(host: ModuleType) -> None:
    """Add the plugins' preprocessing presets."""
    expect(host, "_SCHEMES").update({row.name: LazyPreset(row) for row in preset_rows("preprocessing")})
