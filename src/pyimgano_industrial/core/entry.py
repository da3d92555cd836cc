"""The row that a plugin declares for one data set, model, preset or wrapper."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

Kind = Literal["datasets", "models", "presets", "wrappers"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]*")
_TARGET = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


@dataclass(frozen=True)
class Entry:
    """One thing that a plugin offers, declared as data and imported on first use.

    name:     what users type, for example "mvtec_loco"
    target:   "package.module:attribute", imported when the row is first used
    summary:  one line for listings
    tags:     words for filtering; models that return anomaly maps carry "pixel_map"
    metadata: plain data shown by the host's discovery commands
    extra:    the extra of the declaring distribution that the target needs, if any
    replaces: True when the row deliberately takes over a name of the host or of another plugin

    >>> Entry("acme_bolts", "acme_bolts.dataset:AcmeBolts", summary="Bolts from line 3").name
    'acme_bolts'
    """

    name: str
    target: str
    summary: str = ""
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    extra: str | None = None
    replaces: bool = False

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"an Entry's name must be letters, digits, '_', '-' or '.', starting with a letter or digit; "
                f"got {self.name!r}"
            )
        if not _TARGET.fullmatch(self.target):
            raise ValueError(f"an Entry's target must read 'package.module:attribute'; got {self.target!r}")
        if isinstance(self.tags, str):
            raise TypeError(f"an Entry's tags must be a tuple of strings; got the string {self.tags!r}")


@dataclass(frozen=True)
class Row:
    """An entry together with where it came from."""

    entry: Entry
    kind: Kind
    distribution: str
    version: str
    entry_point: str = field(compare=False)  # one row declared through two entry points is one row

    @property
    def name(self) -> str:
        return self.entry.name

    @property
    def origin(self) -> str:
        """The declaring distribution for messages, for example "acme-bolts 1.0"."""
        return f"{self.distribution} {self.version}"

    @property
    def cure(self) -> str | None:
        """The command that installs what the row needs, or None when it needs nothing."""
        return f'pip install "{self.distribution}[{self.entry.extra}]"' if self.entry.extra else None
