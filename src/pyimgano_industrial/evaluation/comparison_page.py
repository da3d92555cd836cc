"""The page of a comparison: a table a metric with differences and their intervals, and curves over one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from pyimgano_industrial.evaluation import page
from pyimgano_industrial.evaluation.charts import Floats, Line, curves
from pyimgano_industrial.evaluation.comparison import MEAN, Comparison, Difference, Entry, Place
from pyimgano_industrial.evaluation.results import Mean
from pyimgano_industrial.evaluation.table import title_of

_STYLES = 6  # of lines; later entries have none of their own
_CURVES = {
    "image_roc": ("ROC of images", "false positive rate", "true positive rate", 1.0),
    "pixel_roc": ("ROC of pixels", "false positive rate", "true positive rate", 1.0),
    "pro": ("PRO curve", "false positive rate of pixels", "per-region overlap", 0.3),
}
_SPRO = ("false positive rate of pixels", "saturated overlap", 0.3)


def render(found: Comparison) -> str:
    """Return a comparison as a whole HTML page."""
    links = [("summary", "Summary"), *((f"metric-{number}", name(one)) for number, one in _metrics(found))]
    links += [(f"curves-{number}", one) for number, one in enumerate(found.categories)]
    first = found.entries[0].label
    lead = (
        f"{escape(', '.join(one.label for one in found.entries))}. Differences are to <b>{escape(first)}</b>; "
        f"intervals are {100 * found.interval:g} %, from the same images drawn again for both. "
        "▲ clearly higher, ▼ clearly lower: the interval leaves 0 out."
    )
    body = [_summary(found), *(_metric(found, number) for number, _ in _metrics(found))]
    body += [_curves(found, number) for number in range(len(found.categories))]
    runs = "".join(f"<li><b>{escape(one.label)}</b>: {escape(one.folder.path.name)}</li>" for one in found.entries)
    foot = f'<p>{found.draws} draws of images.</p><ul class="notes">{runs}</ul>'
    return page.page("Comparison", lead=lead, links=links, body=body, foot=foot)


def _metrics(found: Comparison) -> list[tuple[int, str]]:
    """Return the metrics that have a table of their own; of one category, the summary says it all."""
    return list(enumerate(found.metrics)) if len(found.categories) > 1 else []


def name(metric: str) -> str:
    """Return a metric's name for people, without "best", of which a comparison shows nothing.

    Runs of several protocols have both AUROCs of images, of all and the mean of the kinds.
    """
    mean = "mean " if metric == "image_auroc_mean" else ""
    return mean + title_of(metric).replace(" (best)", "")


def shown(one: Difference) -> str:
    """Return a difference as text.

    >>> shown(Difference(0.0123, 0.001, 0.02, 0.99, 40)), shown(Difference(-0.5))
    ('+0.012 [+0.001, +0.020]', '-0.500')
    """
    interval = "" if one.low is None or one.high is None else f" [{one.low:+.3f}, {one.high:+.3f}]"
    return f"{one.value:+.3f}{interval}"


def _summary(found: Comparison) -> str:
    place = MEAN if len(found.categories) > 1 else found.categories[0]
    what = f"Means over {len(found.categories)} categories" if place == MEAN else f"On {place}"
    rows = []
    for number, one in enumerate(found.entries):
        cells = (_cell(found, metric, place, number) for metric in found.metrics)
        rows.append(page.row(one.label, cells))
    header = ["model", *map(name, found.metrics)]
    table = page.table(f"{what}; ● marks the highest.", header, [f"<tbody>{''.join(rows)}</tbody>"])
    notes = "".join(f"<li>{escape(one)}</li>" for one in found.notes)
    told = f'<h4>What to know</h4><ul class="notes">{notes}</ul>' if notes else ""
    return f'<section id="summary"><h2>Summary</h2>{table}{told}</section>'


def _metric(found: Comparison, number: int) -> str:
    metric = found.metrics[number]
    rows = []
    for category in (*found.categories, MEAN):
        if (metric, category) in found.places:
            cells = (_cell(found, metric, category, column) for column in range(len(found.entries)))
            rows.append(page.row(category, cells, kind="mean" if category == MEAN else ""))
    reasons = sorted({
        f"No intervals: {difference.reason}."
        for (one, _), place in found.places.items()
        for difference in place.differences
        if one == metric and difference is not None and difference.reason
    })  # fmt: skip
    caption = " ".join(reasons) or "Higher is better."
    table = page.table(
        caption, ["category", *(one.label for one in found.entries)], [f"<tbody>{''.join(rows)}</tbody>"]
    )
    return f'<section id="metric-{number}"><h2>{escape(name(metric))}</h2>{table}</section>'


def _cell(found: Comparison, metric: str, category: str, column: int) -> str:
    place: Place = found.places[metric, category]
    number, difference = place.numbers[column], place.differences[column]
    if number is None:
        return '<td class="gap" title="not measured">-</td>'
    mark = "" if difference is None or not difference.clear else "▲ " if difference.value > 0 else "▼ "
    beside = [] if difference is None else [f"{mark}{escape(shown(difference))}"]
    if isinstance(number, Mean) and number.missing:
        beside.append(f"of {number.categories} only")
    small = f"<small>{' · '.join(beside)}</small>" if beside else ""
    kind = ' class="best"' if column in found.best(metric, category) else ""
    width = 100 * min(1.0, max(0.0, number.value))
    return (
        f'<td{kind}><span class="v">{number.value:.3f}</span>'
        f'<span class="meter" aria-hidden="true"><i style="width:{width:.1f}%"></i></span>{small}</td>'
    )


def _curves(found: Comparison, number: int) -> str:
    category = found.categories[number]
    loaded = list(_loaded(found.entries[:_STYLES], category))
    charts = []
    of_kinds = sorted({key for _, some in loaded for key in some if key.startswith("spro/")})
    spro = {key: (f"sPRO, {key.removeprefix('spro/')}", *_SPRO) for key in of_kinds}
    for key, (title, x_label, y_label, x_max) in {**_CURVES, **spro}.items():
        lines = [Line(one.label, some[key], style) for style, (one, some) in enumerate(loaded, 1) if key in some]
        if lines:
            drawn = curves(
                lines, title=f"{title}, {category}", x_label=x_label, y_label=y_label, x_max=x_max, diagonal=x_max == 1
            )
            charts.append(f"<figure><figcaption>{title}</figcaption>{drawn}</figure>")
    left_out = len(found.entries) - _STYLES
    more = f"<p>Curves of the first {_STYLES} models; {left_out} more are left out.</p>" if left_out > 0 else ""
    held = f'<div class="charts">{"".join(charts)}</div>' if charts else "<p>No run has curves of it.</p>"
    return f'<section class="cell" id="curves-{number}"><h2>{escape(category)}</h2>{more}{held}</section>'


def _loaded(entries: Sequence[Entry], category: str) -> Iterator[tuple[Entry, dict[str, Floats]]]:
    for one in entries:
        row = one.row(category)
        yield one, {} if row is None else one.folder.load_curves(row)
