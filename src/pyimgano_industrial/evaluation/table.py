"""A run as text: one row a category and model, means, lightings, and in words what is missing and why."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from pyimgano_industrial.core.columns import aligned, folded
from pyimgano_industrial.evaluation.protocols import PROTOCOLS
from pyimgano_industrial.evaluation.results import Cell, Mean, Number, Row, Run

MEAN = "mean"
_NAMES = {
    "image_auroc": "image AUROC",
    "image_auroc_mean": "image AUROC",
    "image_ap": "image AP",
    "pixel_auroc": "pixel AUROC",
    "pixel_ap": "pixel AP",
    "class_f1": "ClassF1",
    "seg_f1": "SegF1",
}
_AT_BEST = ("class_f1", "seg_f1")  # shown with the F1 at the best threshold, for the loss by thresholding


def title_of(name: str) -> str:
    """Return a metric's name for people.

    >>> title_of("aupro@0.05"), title_of("au_spro@0.3"), title_of("seg_f1")
    ('AU-PRO 0.05', 'AU-sPRO 0.3', 'SegF1 (best)')
    """
    kind, _, limit = name.partition("@")
    if limit:
        return f"{'AU-sPRO' if kind == 'au_spro' else 'AU-PRO'} {limit}"
    return f"{_NAMES[name]} (best)" if name in _AT_BEST else _NAMES.get(name, name)


def headline(run: Run) -> tuple[str, ...]:
    """Return the metrics that a table of this run shows."""
    measured = {f"aupro@{limit:g}" for limit in run.settings.limits}
    measured |= {f"au_spro@{limit:g}" for limit in run.settings.spro_limits}
    names = PROTOCOLS[run.settings.protocol].headline
    return tuple(name for name in names if "@" not in name or name in measured)


def render(run: Run, cells: Sequence[Cell] = (), *, width: int | None = None) -> str:
    """Return the table of a run.

    cells: for the tables by lighting and by kind of anomaly
    width: of the terminal, in columns, into which wider tables are folded; None for any
    """
    names = headline(run)
    reasons: dict[str, int] = {}
    lines: list[tuple[str, ...]] = [("model", "category", *map(title_of, names), "seconds")]
    ruled = []
    for spec in run.models:
        rows = [row for row in run.rows if row.model == spec.label]
        lines += [_row(row, names, reasons) for row in rows]
        if len(rows) > 1:
            ruled.append(len(lines))
            lines.append(_means(spec.label, run.means(spec.label), names))
    parts = [_aligned(lines, keys=2, width=width, ruled=ruled)]
    if any(row.metrics.get(names[0]) and row.metrics[names[0]].low is not None for row in run.rows):
        shown = [f"{row.model} {row.category}: {_interval(row.metrics.get(names[0]))}" for row in run.rows]
        parts.append(
            f"{title_of(names[0])}, {100 * run.settings.interval:g} % intervals over images\n" + _indented(shown)
        )
    parts += _breakdowns(cells, run, width)
    if reasons:
        parts.append("\n".join(folded(f"({number}) {reason}", width=width) for reason, number in reasons.items()))
    notes = dict.fromkeys(f"{cell.model} {cell.category}: {note}" for cell in cells for note in cell.notes)
    if notes:
        parts.append("\n".join(folded(note, width=width) for note in notes))
    return "\n\n".join(parts)


def _row(row: Row, names: Sequence[str], reasons: dict[str, int]) -> tuple[str, ...]:
    seconds = "" if row.cost is None else f"{row.cost.seconds:.1f}"
    if row.state != "done":
        reason = row.reason or row.state
        return (row.model, row.category, *(f"({_number_of(reason, reasons)})" for _ in names), seconds)
    return (row.model, row.category, *(_cell(row, name, reasons) for name in names), seconds)


def _cell(row: Row, name: str, reasons: dict[str, int]) -> str:
    if name not in row.metrics:
        reason = row.gaps.get(name, "not measured")
        return f"({_number_of(reason, reasons)})"
    return _group_number(row.metrics, name)


def _means(label: str, means: Mapping[str, Mean], names: Sequence[str]) -> tuple[str, ...]:
    def shown(name: str) -> str:
        mean = means.get(name)
        if mean is None:
            return ""
        best = means.get(f"{name}_best") if name in _AT_BEST else None
        part = f"{mean.value:.3f}" + (f" of {mean.categories}" if mean.missing else "")
        return part if best is None else f"{part} ({best.value:.3f})"

    return (label, MEAN, *map(shown, names), "")


def _breakdowns(cells: Sequence[Cell], run: Run, width: int | None) -> Iterator[str]:
    limit = 0.05 if 0.05 in run.settings.limits else run.settings.limits[0]
    by_lighting = ("image_auroc", f"aupro@{limit:g}", "seg_f1", "class_f1")
    by_kind = ("image_auroc", "au_spro@0.05") if run.settings.protocol == "mvtec_loco" else ("image_auroc",)
    for what, names in (("lighting", by_lighting), ("kind", by_kind), ("size", (f"aupro@{limit:g}",))):
        lines: list[tuple[str, ...]] = [("model", "category", what, "normal", "anomalous", *map(title_of, names))]
        for cell in cells:
            groups = {"lighting": cell.by_lighting, "kind": cell.by_kind, "size": cell.by_size}[what]
            for key, group in groups.items() if len(groups) > 1 else ():
                values = (_group_number(group.metrics, name) for name in names)
                lines.append((cell.model, cell.category, key, f"{group.normal}", f"{group.anomalous}", *values))
        if len(lines) > 1:
            titles = {"lighting": "By lighting", "kind": "By kind of anomaly, with the good images",
                      "size": "By size of the defects, in pixels"}  # fmt: skip
            yield f"{titles[what]}\n\n{_aligned(lines, keys=3, width=width)}"


def _group_number(metrics: Mapping[str, Number], name: str) -> str:
    number = metrics.get(name)
    best = metrics.get(f"{name}_best") if name in _AT_BEST else None
    place = "-" if number is None else f"{number.value:.3f}"
    return place if best is None else f"{place} ({best.value:.3f})"


def _interval(number: Number | None) -> str:
    if number is None or number.low is None or number.high is None:
        return "-"
    return f"{number.value:.3f}  [{number.low:.3f}, {number.high:.3f}]"


def _number_of(reason: str, reasons: dict[str, int]) -> int:
    return reasons.setdefault(reason, len(reasons) + 1)


def _indented(lines: Sequence[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)


def _aligned(table: Sequence[Sequence[str]], *, keys: int, width: int | None, ruled: Collection[int] = ()) -> str:
    """Return rows in columns, text to the left and numbers to the right."""
    left = {
        number for number, cells in enumerate(zip(*table[1:], strict=True)) if any(map(str.isalpha, "".join(cells)))
    }
    return "\n".join(aligned(table, left=left, keys=keys, width=width, ruled=ruled))
