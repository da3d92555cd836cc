"""What every preset row promises; subclass PresetContract and name the row."""

from __future__ import annotations

import json

from pyimgano_industrial.core.entry import Row
from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.plugins.manager import plugins

_KEYS = {"model": {"model", "kwargs"}, "options": set(), "defects": set(), "preprocessing": set(), "chain": {"steps"}}


class PresetContract:
    """Checks an installed preset row.

    >>> class TestFast(PresetContract):
    ...     name = "acme-fast"
    """

    name = ""

    def test_it_says_what_it_configures(self) -> None:
        preset = self._row().entry.metadata.get("preset")
        assert preset in _KEYS, f"metadata['preset'] must be one of {', '.join(_KEYS)}; got {preset!r}"

    def test_its_target_is_plain_data(self) -> None:
        value = resolve(self._row())
        assert json.loads(json.dumps(value)) == value
        missing = _KEYS[self._row().entry.metadata["preset"]] - value.keys()
        assert not missing, f"the target lacks {', '.join(sorted(missing))}"

    def _row(self) -> Row:
        return plugins().row("presets", self.name)
