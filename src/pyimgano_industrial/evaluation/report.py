"""The report of a run: one HTML file with tables, curves, histograms and pictures, that needs no network."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from pyimgano_industrial.core.errors import ImageError, IndustrialError
from pyimgano_industrial.core.files import written
from pyimgano_industrial.evaluation import page
from pyimgano_industrial.evaluation.charts import Bar, Floats, Line, bars, curves, histogram
from pyimgano_industrial.evaluation.folder import RunFolder, RunFolderError
from pyimgano_industrial.evaluation.report_pictures import gallery
from pyimgano_industrial.evaluation.results import Cell, Group, Row, Run
from pyimgano_industrial.evaluation.table import headline, title_of

WITH_BEST = ("class_f1", "seg_f1")
_PRO_END = 0.3  # of the chart of PRO curves
_COLUMNS = 4  # of metrics in a breakdown
_SHOWN = 20  # images with errors that are listed


def write_report(run_folder: Path, target: Path | None = None) -> Path:
    """Write the report of a run, by default to report.html in its folder, and return its path.

    Raises RunFolderError where there is no run. A cell whose files are damaged is shown with its error.
    """
    target = target or run_folder / "report.html"
    html = render(RunFolder(run_folder))
    with written(target) as spare:
        spare.write_text(html, encoding="utf-8")
    return target


def render(folder: RunFolder) -> str:
    """Return the report of a run as HTML."""
    run = folder.load()
    shown = [row for row in run.rows if row.state == "done"]
    links = [("table", "All numbers"), ("missing", "What is missing")]
    links += [(anchor(row), f"{row.category} · {row.model}" if len(run.models) > 1 else row.category) for row in shown]
    cells: dict[str, Cell | str] = {}
    body = []
    for row in shown:
        try:
            cell = cells[anchor(row)] = folder.load_cell(row)
            body.append(_section(folder, run, row, cell))
        except IndustrialError as error:
            cells[anchor(row)] = f"{error}"
            body.append(_broken(row, f"{error}"))
    top = [_table(run), _missing(run, cells)]
    return page.page(
        f"Evaluation on {run.settings.dataset}",
        lead=_lead(run),
        links=[*links, ("repeat", "How to repeat it")],
        body=[*top, *body],
        foot=_foot(run),
    )


def anchor(row: Row) -> str:
    """Return the place of a cell in the page."""
    return "cell-" + re.sub(r"[^a-z0-9]+", "-", f"{row.category}-{row.model}".lower()).strip("-")


def names_of(run: Run) -> list[str]:
    """Return the metrics that the tables show: those of the protocol."""
    return [name for name in headline(run) if any(name in row.metrics for row in run.rows) or not run.rows]


# The page's parts.


def _lead(run: Run) -> str:
    done = sum(row.state == "done" for row in run.rows)
    images = sum(row.images for row in run.rows)
    models = ", ".join(spec.label for spec in run.models)
    date = run.started.replace("T", " ")[:16]
    protocol = {
        "mvtec_loco": "the protocol of MVTec LOCO AD", "mvtec_ad2": "the protocol of MVTec AD 2",
    }.get(run.settings.protocol, "the generic protocol")  # fmt: skip
    unfinished = "" if run.finished else " The run is not finished."
    return (
        f"{escape(models)} on {done} of {len(run.rows)} cells, {images} test images, by {protocol}; {escape(date)} UTC."
        f"{unfinished}"
    )


def _table(run: Run) -> str:
    names = names_of(run)
    bodies = []
    for spec in run.models:
        rows = [row for row in run.rows if row.model == spec.label]
        lines = [page.row(row.category, _cells(row, names)) for row in rows]
        if len(rows) > 1:
            lines.append(page.row("mean", _means(run, spec.label, names), kind="mean"))
        group = f'<tr><th scope="rowgroup" colspan="{len(names) + 3}">{escape(spec.label)}</th></tr>'
        bodies.append(f"<tbody>{group if len(run.models) > 1 else ''}{''.join(lines)}</tbody>")
    interval = f"{100 * run.settings.interval:g} % intervals from images drawn again with replacement"
    caption = f"Higher is better. {interval if run.settings.bootstrap else 'No intervals were asked for'}."
    if any(name in names for name in WITH_BEST):
        caption += " F1 is at the threshold from normal images; best: at the one that only labels tell."
    header = ["category", *map(_title, names), "images", "seconds"]
    return f'<section id="table"><h2>All numbers</h2>{page.table(caption, header, bodies)}</section>'


def _cells(row: Row, names: Sequence[str]) -> Iterator[str]:
    for name in names:
        number = row.metrics.get(name)
        if number is None:
            why = row.reason or row.gaps.get(name) or {"waiting": "not run yet"}.get(row.state, "not measured")
            yield f'<td class="gap" title="{escape(why)}"><a href="#missing">-</a></td>'
        else:
            yield page.number_td(number, best=row.metrics.get(f"{name}_best") if name in WITH_BEST else None)
    yield page.td(f"{row.images - row.errors}" if row.images else "")
    yield page.td("" if row.cost is None else f"{row.cost.seconds:.1f}")


def _means(run: Run, label: str, names: Sequence[str]) -> Iterator[str]:
    means = run.means(label)
    for name in names:
        mean = means.get(name)
        if mean is None:
            yield page.td("-", kind="gap")
            continue
        best = means.get(f"{name}_best") if name in WITH_BEST else None
        beside = [f"of {mean.categories} only, without {', '.join(mean.missing)}"] if mean.missing else []
        beside += [f"best {best.value:.3f}"] if best else []
        small = f"<small>{escape(' · '.join(beside))}</small>" if beside else ""
        yield f'<td><span class="v">{mean.value:.3f}</span>{small}</td>'
    yield page.td("")
    yield page.td("")


def _missing(run: Run, cells: Mapping[str, Cell | str]) -> str:
    items: list[str] = []
    for row in run.rows:
        where = f"<b>{escape(row.category)} · {escape(row.model)}</b>"
        cell = cells.get(anchor(row))
        if row.state != "done":
            items.append(
                f"<li>{where}: <span class=fail>{row.state}</span>. {escape(row.reason or 'not run yet')}</li>"
            )
        for names, why in _by_reason(row.gaps).items():
            items.append(f"<li>{where}: no {escape(names)}. {escape(why)}</li>")
        if isinstance(cell, str):
            items.append(f"<li>{where}: <span class=fail>{escape(cell)}</span></li>")
        if isinstance(cell, Cell):
            items += [f"<li>{where}: {escape(note)}</li>" for note in cell.notes]
            failures = cell.failures
            items += [
                f"<li>{where}: <code>{escape(one.file)}</code> {escape(one.error or '')}</li>"
                for one in failures[:_SHOWN]
            ]
            if len(failures) > _SHOWN:
                items.append(f"<li>{where}: ... and {len(failures) - _SHOWN} more images, listed in result.json</li>")
    said = (
        f'<ul class="notes">{"".join(items)}</ul>'
        if items
        else "<p>Nothing: every number is there, every image counted.</p>"
    )
    return f'<section id="missing"><h2>What is missing, and what to know</h2>{said}</section>'


def _by_reason(gaps: Mapping[str, str]) -> dict[str, str]:
    """Return names that share a reason, joined, with it."""
    by_why: dict[str, list[str]] = {}
    for name, why in gaps.items():
        if not name.endswith("_best"):  # it is missing where the F1 beside it is
            by_why.setdefault(why, []).append(_title(name))
    return {", ".join(dict.fromkeys(names)): why for why, names in by_why.items()}


def _or_why(show: Callable[[], str]) -> str:
    """Return a part of the page, or why its files cannot be shown; the numbers are there all the same."""
    try:
        return show()
    except (ImageError, RunFolderError) as error:
        return f'<p class="fail">{escape(str(error))}</p>'


def _section(folder: RunFolder, run: Run, row: Row, cell: Cell) -> str:
    title = f"{cell.category} <small>{escape(cell.model)}</small>"
    parts = [
        f"<h2>{title}</h2>",
        _facts(cell),
        _or_why(lambda: _charts(run, cell, folder.load_curves(row))),
        _breakdowns(run, cell),
        _or_why(lambda: gallery(folder.path / row.folder, cell)),
    ]
    return f'<section class="cell" id="{anchor(row)}">{"".join(parts)}</section>'


def _broken(row: Row, error: str) -> str:
    title = f"<h2>{escape(row.category)} <small>{escape(row.model)}</small></h2>"
    return f'<section class="cell" id="{anchor(row)}">{title}<p class="fail">{escape(error)}</p></section>'


def _facts(cell: Cell) -> str:
    scored = [one for one in cell.images if one.error is None]
    normal = sum(one.label == 0 for one in scored)
    facts = [
        f"fitted on <b>{cell.fitted}</b>",
        f"tested on <b>{normal}</b> normal, <b>{len(scored) - normal}</b> anomalous",
    ]
    if cell.cost is not None:
        facts.append(f"<b>{cell.cost.seconds:.1f} s</b> (fit {cell.cost.fit:.1f}, test {cell.cost.test:.1f})")
        if cell.cost.peak_mib is not None:
            facts.append(f"<b>{cell.cost.peak_mib:.0f} MiB</b> at most")
    said = [f"<p>{escape(str(one))}</p>" for one in (cell.threshold, cell.pixel_threshold) if one is not None]
    thresholds = f"<details><summary>What the thresholds promise</summary>{''.join(said)}</details>" if said else ""
    return f'<ul class="facts">{"".join(f"<li>{one}</li>" for one in facts)}</ul>{thresholds}'


def _charts(run: Run, cell: Cell, found: Mapping[str, Floats]) -> str:
    shown = []
    roc = [Line(name, found[key], style) for style, (key, name) in enumerate(_ROC.items(), 1) if key in found]
    if roc:
        drawn = curves(roc, title="ROC", x_label="false positive rate", y_label="true positive rate", diagonal=True)
        shown.append(("ROC", drawn))
    limit = min((one for one in run.settings.limits if one >= 0.05), default=None)
    if "pro" in found:
        line = Line("per-region overlap", found["pro"], 1)
        options = {"x_label": "false positive rate of pixels", "y_label": "per-region overlap", "x_max": _PRO_END}
        shown.append(("PRO", curves([line], title="PRO curve", limit=limit, **options)))  # type: ignore[arg-type] # of these types
    spro = [name for name in sorted(found) if name.startswith("spro/")]
    if spro:
        lines = [Line(name.removeprefix("spro/"), found[name], style) for style, name in enumerate(spro, 1)]
        options = {"x_label": "false positive rate of pixels", "y_label": "saturated overlap", "x_max": _PRO_END}
        shown.append(("sPRO", curves(lines, title="sPRO curve", limit=0.05, **options)))  # type: ignore[arg-type] # of these types
    scores: dict[int, list[float]] = {0: [], 1: []}
    for one in cell.images:
        if one.score is not None:
            scores[one.label].append(one.score)
    if scores[0] or scores[1]:
        cut = None if cell.threshold is None else cell.threshold.threshold
        shown.append(("Image scores", histogram(scores[0], scores[1], title="Image scores", threshold=cut)))
    figures = "".join(f"<figure><figcaption>{name}</figcaption>{chart}</figure>" for name, chart in shown)
    return f'<div class="charts">{figures}</div>' if shown else ""


_ROC = {"image_roc": "images", "pixel_roc": "pixels"}


def _breakdowns(run: Run, cell: Cell) -> str:
    kinds = {
        "By lighting": cell.by_lighting,
        "By size of the defects, in pixels": cell.by_size,
        "By kind of anomaly, with the good images": cell.by_kind,
        "By defect": cell.by_defect,
    }
    shown = []
    for title, groups in kinds.items():
        names = _shown(groups, run)
        if len(groups) > 1 and names:
            shown.append(f'<div class="breakdown">{_groups(title, groups, names)}{_bars(title, groups, names)}</div>')
    return f'<div class="tables">{"".join(shown)}</div>' if shown else ""


def _shown(groups: Mapping[str, Group], run: Run) -> list[str]:
    """Return the metrics of groups that are shown, the protocol's first."""
    present = {name for group in groups.values() for name in group.metrics}
    order = dict.fromkeys([*headline(run), "image_auroc", "aupro@0.05", *sorted(present)])
    names = [name for name in order if name in present]
    return [name for name in names if not name.endswith("_best")][:_COLUMNS]


def _bars(title: str, groups: Mapping[str, Group], names: Sequence[str]) -> str:
    """Return bars of one metric, of pixels where there is one: what a lighting or a size costs is seen there first."""
    name = next((one for one in names if one.startswith(("au_spro", "aupro", "image_auroc"))), names[0])
    entries = []
    for key, group in groups.items():
        number = group.metrics.get(name)
        entries.append(Bar(key, None) if number is None else Bar(key, number.value, number.low, number.high))
    what = f"{_title(name)} {title[0].lower()}{title[1:]}"
    return f"<figure>{bars(entries, title=what, x_label=_title(name))}</figure>"


def _groups(title: str, groups: Mapping[str, Group], names: Sequence[str]) -> str:
    rows = []
    for key, group in groups.items():
        cells = [
            page.number_td(group.metrics[name], best=group.metrics.get(f"{name}_best") if name in WITH_BEST else None)
            if name in group.metrics
            else f'<td class="gap" title="{escape(group.gap or "not measured")}">-</td>'
            for name in names
        ]
        counted = f"{group.normal} + {group.anomalous}" if group.normal else f"{group.anomalous}"
        rows.append(page.row(key, [page.td(counted), *cells]))
    what = "defects" if "size" in title else "normal + anomalous"
    return page.table(title, ["", what, *map(_title, names)], [f"<tbody>{''.join(rows)}</tbody>"])


def _foot(run: Run) -> str:
    command = f"<pre>{escape(shlex.join(['pyimgano-industrial', *run.command]))}</pre>" if run.command else ""
    versions = ", ".join(f"{name} {version}" for name, version in run.versions.items())
    machine = ", ".join(f"{name} {value}" for name, value in run.machine.items())
    return (
        f'<h2 id="repeat">How to repeat it</h2>{command}<p>Seed {run.settings.seed}. {escape(versions)}.</p>'
        f"<p>{escape(machine)}</p>"
    )


def _title(name: str) -> str:
    return {"threshold": "threshold", "pixel_threshold": "pixel threshold"}.get(name) or (
        title_of(name).replace(" (best)", "")
    )
