"""Runs side by side: the difference of every metric, with intervals where the same images were scored.

The images of a category are drawn again with replacement, the same ones for both entries, so that what makes an image
hard for both cancels out (paired bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap, 1993). Metrics of
images are drawn from the scores in a run's files, those of pixels from what each image adds to the curves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.evaluation.folder import RunFolder
from pyimgano_industrial.evaluation.redrawn import Floats, Images, Redrawn, redrawable
from pyimgano_industrial.evaluation.results import Cell, Mean, Number, Row, Run
from pyimgano_industrial.evaluation.table import headline

DRAWS = 2000
MEAN = "mean"


class ComparisonError(IndustrialError, ValueError):
    """Runs that cannot be compared."""


@dataclass(frozen=True)
class Entry:
    """One model of one run. label: unique in a comparison."""

    label: str
    folder: RunFolder
    run: Run
    model: str

    def row(self, category: str) -> Row | None:
        """Return the entry's row of a category, None where it has none that is done."""
        found = (row for row in self.run.rows if (row.model, row.category, row.state) == (self.model, category, "done"))
        return next(found, None)


@dataclass(frozen=True)
class Difference:
    """How much higher an entry's metric is than the first entry's.

    value:     theirs minus the first's
    low, high: paired bootstrap interval; better: share of draws in which it is higher; all None without paired images
    paired:    images that both scored, in the same role; reason: why there is no interval
    """

    value: float
    low: float | None = None
    high: float | None = None
    better: float | None = None
    paired: int = 0
    reason: str | None = None

    @property
    def clear(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Place:
    """One metric in one category, or the mean over categories: a number an entry, and a difference to the first."""

    numbers: tuple[Number | Mean | None, ...]
    differences: tuple[Difference | None, ...]


@dataclass(frozen=True)
class Comparison:
    """Entries side by side; places: (metric, category or "mean") -> what they reach; notes: what differs otherwise."""

    entries: tuple[Entry, ...]
    metrics: tuple[str, ...]
    categories: tuple[str, ...]
    places: Mapping[tuple[str, str], Place]
    notes: tuple[str, ...] = ()
    interval: float = 0.95
    draws: int = DRAWS
    cells: Mapping[tuple[str, str], Cell] = field(default_factory=dict)

    def best(self, metric: str, category: str) -> tuple[int, ...]:
        """Return the entries that reach the highest value, where not all do."""
        values = [None if one is None else one.value for one in self.places[metric, category].numbers]
        known = [value for value in values if value is not None]
        if len(known) < 2 or min(known) == max(known):
            return ()
        return tuple(number for number, value in enumerate(values) if value == max(known))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "entries": [{"label": one.label, "run": f"{one.folder.path}", "model": one.model} for one in self.entries],
            "interval": self.interval,
            "draws": self.draws,
            "metrics": {
                metric: {
                    category: {
                        "values": [None if one is None else asdict(one) for one in place.numbers],
                        "differences": [None if one is None else asdict(one) for one in place.differences],
                    }
                    for category in (*self.categories, MEAN)
                    if (place := self.places.get((metric, category))) is not None
                }
                for metric in self.metrics
            },
            "notes": list(self.notes),
        }


def compare(
    paths: Sequence[Path], *, metrics: Sequence[str] = (), draws: int = DRAWS, interval: float = 0.95, seed: int = 0
) -> Comparison:
    """Compare every model of every run with the first; metrics: names as in `results`, () for those of the protocols.

    Raises RunFolderError for a folder that is no run, ComparisonError where there is nothing to compare.
    """
    entries = _entries(paths)
    categories = tuple(dict.fromkeys(name for one in entries for name in one.run.categories if one.row(name)))
    known = {name for one in entries for row in one.run.rows for name in row.metrics}
    for name in metrics:
        if name not in known:
            raise ComparisonError(f"no run has a metric {name!r}; they have {', '.join(sorted(known)) or 'none'}")
    names = tuple(metrics) or tuple(
        name for name in dict.fromkeys(name for one in entries for name in headline(one.run)) if name in known
    )
    if not names:
        raise ComparisonError("a comparison needs a category that is done; no run has one: see `industrial evaluate`")
    notes = list(_notes(entries))
    cells: dict[tuple[str, str], Cell] = {}
    for one in entries:
        for category in categories:
            if (row := one.row(category)) is not None:
                try:
                    cells[one.label, category] = one.folder.load_cell(row)
                except IndustrialError as error:
                    notes.append(f"{one.label} {category}: {error}")
    redrawn = Redrawn(draws, seed)
    for one in entries:
        for category in categories:
            if (cell := cells.get((one.label, category))) is not None and (row := one.row(category)) is not None:
                counts = None
                try:
                    counts = one.folder.load_counts(row)
                except IndustrialError as error:
                    notes.append(f"{one.label} {category}: {error}")
                redrawn.add((one.label, category), Images(cell, counts))
    places = {}
    for name in names:
        drawn = [_Differences(name, entries[0].label, one.label, redrawn) for one in entries[1:]]
        for category in categories:
            places[name, category] = _place(name, category, entries, drawn, interval)
        if len(categories) > 1:
            places[name, MEAN] = _mean(name, categories, entries, drawn, interval)
    return Comparison(entries, names, categories, places, tuple(notes), interval, draws, cells)


def _entries(paths: Sequence[Path]) -> tuple[Entry, ...]:
    runs = [(RunFolder(path), RunFolder(path).load()) for path in paths]
    models = [spec.label for _, run in runs for spec in run.models]
    entries: list[Entry] = []
    for folder, run in runs:
        for spec in run.models:
            label = spec.label if models.count(spec.label) == 1 else f"{folder.path.resolve().name} {spec.label}"
            while label in {one.label for one in entries}:
                label += "'"
            entries.append(Entry(label, folder, run, spec.label))
    if len(entries) < 2:
        raise ComparisonError(f"a comparison needs two models, of one run or of several; got {len(entries)}: add a run")
    return tuple(entries)


def _notes(entries: Sequence[Entry]) -> Sequence[str]:
    """Say in what the runs differ that makes numbers differ."""
    first, found = entries[0].run.settings, []
    whats = ("dataset", "protocol", "image_score", "method", "target_fpr", "pixel_method", "pixel_target_fpr", "seed")
    for one in entries[1:]:
        for what in whats:
            ours, theirs = getattr(first, what), getattr(one.run.settings, what)
            if ours != theirs:
                found.append(f"{what} is {theirs} in {one.label}, {ours} in {entries[0].label}")
    return list(dict.fromkeys(found))


# Numbers.


def _place(name: str, category: str, entries: Sequence[Entry], drawn: Sequence[_Differences], interval: float) -> Place:
    rows = [one.row(category) for one in entries]
    numbers = tuple(None if row is None else row.metrics.get(name) for row in rows)
    differences: list[Difference | None] = [None]
    for number, draws in zip(numbers[1:], drawn, strict=True):
        first = numbers[0]
        if first is None or number is None:
            differences.append(None)
            continue
        values, paired, reason = draws.of(category)
        differences.append(_difference(number.value - first.value, values, interval, paired, reason))
    return Place(numbers, tuple(differences))


def _mean(
    name: str, categories: Sequence[str], entries: Sequence[Entry], drawn: Sequence[_Differences], interval: float
) -> Place:
    """Return the means over each entry's categories, and differences over the categories that both have."""
    numbers = [one.run.means(one.model).get(name) for one in entries]
    differences: list[Difference | None] = [None]
    for one, draws in zip(entries[1:], drawn, strict=True):
        values, all_drawn, paired, reasons = [], [], 0, []
        for category in categories:
            first, theirs = entries[0].row(category), one.row(category)
            if first is None or theirs is None or name not in first.metrics or name not in theirs.metrics:
                continue
            values.append(theirs.metrics[name].value - first.metrics[name].value)
            found, images, reason = draws.of(category)
            paired += images
            all_drawn.append(found)
            reasons += [reason] if reason else []
        if not values:
            differences.append(None)
            continue
        usable = [found for found in all_drawn if found is not None]
        together = np.mean(usable, axis=0) if len(usable) == len(values) else None
        differences.append(_difference(float(np.mean(values)), together, interval, paired, next(iter(reasons), None)))
    return Place(tuple(numbers), tuple(differences))


def _difference(value: float, drawn: Floats | None, interval: float, paired: int, reason: str | None) -> Difference:
    found = drawn[np.isfinite(drawn)] if drawn is not None else np.empty(0)
    if not found.size:
        return Difference(value, paired=paired, reason=reason or "no draw had normal and anomalous images")
    low, high = np.quantile(found, [(1 - interval) / 2, (1 + interval) / 2]).tolist()
    better = (np.mean(found > 0) + np.mean(found == 0) / 2).item()
    return Difference(value, low, high, better, paired)


@dataclass(frozen=True)
class _Differences:
    """Differences of one metric between two entries, one a draw of images."""

    name: str
    first: str
    other: str
    redrawn: Redrawn

    def of(self, category: str) -> tuple[Floats | None, int, str | None]:
        """Return the differences (draws,), NaN where a draw lacks a class, the number of images, and why not."""
        if not redrawable(self.name):
            return None, 0, f"{self.name} cannot be drawn again"
        keys = [(label, category) for label in (self.first, self.other)]
        files = self.redrawn.files(self.name, *keys)
        if isinstance(files, str):
            return None, 0, files
        first, other = (self.redrawn.values(self.name, key, files) for key in keys)
        return other - first, len(files), None
