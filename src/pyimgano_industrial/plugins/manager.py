"""Entry points walked one by one, so that a broken plugin warns and the others load.

pluggy's own `load_setuptools_entrypoints` stops at the first import error, drops a second distribution that
reuses an entry-point name, and fails on one module under two names.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from types import ModuleType

import pluggy

from pyimgano_industrial import __version__
from pyimgano_industrial.core.entry import KINDS, Entry, Kind, Row
from pyimgano_industrial.core.errors import IndustrialWarning, PluginConflictError, UnknownNameError, closest
from pyimgano_industrial.plugins import spec

OWN = "pyimgano-industrial"
_BUILTIN = [EntryPoint("industrial", "pyimgano_industrial.plugins.builtin", "pyimgano.datasets")]
GROUPS: dict[str, Kind] = {f"pyimgano.{kind}": kind for kind in KINDS}


@dataclass(frozen=True)
class Source:
    """One entry point: who declared it and what became of it."""

    distribution: str
    version: str
    group: str
    entry_point: str
    module: str
    rows: int = 0
    failure: str | None = None


class Plugins:
    """All rows of all installed plugins, loaded once."""

    def __init__(self, points: Iterable[EntryPoint]) -> None:
        self.sources: list[Source] = []
        self._rows: dict[Kind, list[Row]] = {kind: [] for kind in KINDS}
        self._pluggy = pluggy.PluginManager(spec.PROJECT)
        self._pluggy.add_hookspecs(spec)
        for point in sorted(points, key=lambda point: (point.group, _origin(point), point.name)):
            self._add(point)

    def rows(self, kind: Kind) -> list[Row]:
        """Return the rows of one kind, sorted by name; a row that replaces another stands in its place.

        Raises PluginConflictError when two distributions claim a name and none, or more than one, replaces.
        """
        claims: defaultdict[str, list[Row]] = defaultdict(list)
        for row in self._rows[kind]:
            claims[row.name].append(row)
        return [self._settle(claims[name]) for name in sorted(claims)]

    def row(self, kind: Kind, name: str) -> Row:
        """Return one row; raises UnknownNameError that lists the known names, the closest first."""
        rows = {row.name: row for row in self.rows(kind)}
        if name not in rows:
            raise UnknownNameError(f"unknown {kind.removesuffix('s')} {name!r}; {closest(name, rows)}")
        return rows[name]

    @staticmethod
    def _settle(claims: list[Row]) -> Row:
        # Our own rows replace the host's; another plugin's row replaces ours.
        replacing = [row for row in claims if row.entry.replaces and row.distribution != OWN]
        chosen = claims if len(claims) == 1 else replacing
        if len(chosen) != 1:
            origins = " and ".join(sorted(f"{row.origin} ({row.entry.target})" for row in claims))
            raise PluginConflictError(
                f"the {claims[0].kind.removesuffix('s')} name {claims[0].name!r} must belong to one plugin; "
                f"{origins} claim it: uninstall one, or let exactly one declare replaces=True"
            )
        return chosen[0]

    def _add(self, point: EntryPoint) -> None:
        kind = GROUPS[point.group]
        distribution, version = _origin(point)
        try:
            module = point.load()
            if self._pluggy.get_name(module) is None:
                self._pluggy.register(module, name=f"{distribution}:{point.value}")
            rows = self._call(kind, module, point)
        except Exception as error:  # noqa: BLE001 - the plugin boundary: a broken plugin must not stop the others
            failure = f"{type(error).__name__}: {error}"
            self.sources.append(Source(distribution, version, point.group, point.name, point.value, failure=failure))
            warnings.warn(
                f"plugin {point.name!r} ({point.group}) of {distribution} {version} does not load and is left out: "
                f"{failure}",
                IndustrialWarning,
                stacklevel=2,
            )
            return
        self._rows[kind].extend(row for row in rows if row not in self._rows[kind])
        self.sources.append(Source(distribution, version, point.group, point.name, point.value, rows=len(rows)))

    def _call(self, kind: Kind, module: ModuleType, point: EntryPoint) -> list[Row]:
        hook = f"pyimgano_{kind}"
        for implementation in getattr(self._pluggy.hook, hook).get_hookimpls():
            if implementation.plugin is module:
                distribution, version = _origin(point)
                entries = list(implementation.function())
                strays = [entry for entry in entries if not isinstance(entry, Entry)]
                if strays:
                    raise TypeError(f"{hook}() must return Entry rows; got {strays[0]!r}")
                return [Row(entry, kind, distribution, version, point.name) for entry in entries]
        raise TypeError(f"{point.value} has no function {hook} marked with hookimpl")


def _origin(point: EntryPoint) -> tuple[str, str]:
    if point in _BUILTIN:
        return (OWN, __version__)
    if point.dist is None:
        return ("unknown distribution", "")
    return (point.dist.name, point.dist.version)


@lru_cache(maxsize=1)
def plugins() -> Plugins:
    """Return the plugins of this interpreter, found through their entry points on the first call."""
    points = [point for group in GROUPS for point in entry_points(group=group)]
    if not any(_origin(point)[0] == OWN for point in points):
        points += _BUILTIN  # a frozen or zipped application carries no metadata of ours
    return Plugins(points)
