"""Charts as inline SVG: curves, bars, histograms of normal and anomalous scores; colours come from the page's style.

Lines differ in colour and in dashes, normal and anomalous scores in colour and in direction, so that nobody depends on
colours. Each chart has a title and a text that says what it shows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT = 368, 262
_LEFT, _RIGHT, _TOP, _BOTTOM = 56, 16, 12, 40
_BAR_LEFT, _BAR_STEP, _BAR_NAME = 140, 27, 20  # of a chart of bars; letters of a name
_BINS = 36
_POINTS = 240  # of a line, more than a screen tells apart

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One line of a chart: points (N, 2), and a number 1.. for its colour and dashes."""

    name: str
    points: Floats
    style: int


@dataclass(frozen=True)
class _Axes:
    """From values to pixels of the chart."""

    x: tuple[float, float]
    y: tuple[float, float]
    left: float = _LEFT

    def across(self, value: float) -> float:
        share = (value - self.x[0]) / (self.x[1] - self.x[0])
        return self.left + share * (WIDTH - self.left - _RIGHT)

    def up(self, value: float) -> float:
        share = (value - self.y[0]) / (self.y[1] - self.y[0])
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def curves(
    lines: Sequence[Line],
    *,
    title: str,
    x_label: str,
    y_label: str,
    x_max: float = 1.0,
    limit: float | None = None,
    diagonal: bool = False,
) -> str:
    """Return a chart of curves over a rate 0..x_max; limit: the rate up to which the area counts, shaded."""
    axes = _Axes((0.0, x_max), (0.0, 1.0))
    parts = _frame(axes, x_label, y_label, x_ticks=[x_max * part / 4 for part in range(5)])
    if diagonal:
        parts.append(f'<path class="faint dashed" d="{_path(axes, np.array([[0.0, 0.0], [x_max, x_max]]))}"/>')
    if limit is not None and limit < x_max:
        left, right = axes.across(0), axes.across(limit)
        parts.append(
            f'<rect class="band" x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" '
            f'height="{HEIGHT - _TOP - _BOTTOM}"/>'
        )
        parts.append(f'<text class="tick" x="{right + 4:.1f}" y="{HEIGHT - _BOTTOM - 6}">to {limit:g}</text>')
    parts += [f'<path class="line s{line.style}" d="{_path(axes, _within(line.points, x_max))}"/>' for line in lines]
    said = f"{y_label} over {x_label} for " + ", ".join(line.name for line in lines)
    return _svg(title, said, parts) + legend([(line.name, f"s{line.style}") for line in lines])


def histogram(normal: Sequence[float], anomalous: Sequence[float], *, title: str, threshold: float | None) -> str:
    """Return a chart of scores: normal ones upwards, anomalous ones downwards, the threshold as a line."""
    values = np.array([*normal, *anomalous], float)
    shown = values if threshold is None else np.append(values, threshold)
    low, high = _ends(shown)
    edges = np.linspace(low, high, _BINS + 1)
    up, down = (np.histogram(np.clip(some, low, high), edges)[0] for some in (normal, anomalous))
    most = max(1, int(up.max(initial=0)), int(down.max(initial=0)))
    axes = _Axes((low, high), (-most, most))
    ticks = [low + (high - low) * part / 4 for part in range(5)]
    counts = sorted({-most, 0, most} | ({-(most // 2), most // 2} if most > 3 else set()))
    parts = _frame(axes, "score", "images", x_ticks=ticks, y_ticks=counts)
    for numbers, sign, kind in ((up, 1, "normal"), (down, -1, "anomalous")):
        for left, right, number in zip(edges[:-1], edges[1:], numbers, strict=True):
            if number:
                x, width = axes.across(left) + 0.5, axes.across(right) - axes.across(left) - 1
                top, base = sorted((axes.up(sign * number), axes.up(0)))
                parts.append(
                    f'<rect class="bar {kind}" x="{x:.1f}" y="{top:.1f}" width="{width:.1f}" height="{base - top:.1f}">'
                    f"<title>{number} {kind}, {left:.4g} to {right:.4g}</title></rect>"
                )
    parts.append(f'<path class="axis" d="M{_LEFT} {axes.up(0):.1f}H{WIDTH - _RIGHT}"/>')
    said = f"scores of {len(normal)} normal and {len(anomalous)} anomalous images"
    if threshold is not None:
        x = axes.across(threshold)
        anchor = "end" if x > WIDTH * 0.7 else "start"
        offset = -5 if anchor == "end" else 5
        parts.append(f'<path class="cut" d="M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}"/>')
        parts.append(
            f'<text class="cut-text" x="{x + offset:.1f}" y="{_TOP + 11}" text-anchor="{anchor}">'
            f"threshold {threshold:.4g}</text>"
        )
        said += f", threshold {threshold:.4g}"
    return _svg(title, said, parts) + legend([("normal, upwards", "normal"), ("anomalous, downwards", "anomalous")])


@dataclass(frozen=True)
class Bar:
    """One bar of a chart, 0..1, with an interval where there is one; value None: it is not measured."""

    name: str
    value: float | None
    low: float | None = None
    high: float | None = None


def bars(entries: Sequence[Bar], *, title: str, x_label: str) -> str:
    """Return a chart of bars from 0 to 1, one below the other, with their intervals as lines over their ends."""
    left, height = _BAR_LEFT, _TOP + _BAR_STEP * len(entries) + _BOTTOM
    axes = _Axes((0.0, 1.0), (0.0, 1.0), left)
    bottom = height - _BOTTOM
    parts = []
    for value in (0, 0.25, 0.5, 0.75, 1):
        x = axes.across(value)
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{bottom}"/>')
        parts.append(f'<text class="tick" x="{x:.1f}" y="{bottom + 15}" text-anchor="middle">{value:g}</text>')
    for number, one in enumerate(entries):
        middle = _TOP + _BAR_STEP * (number + 0.5)
        name = one.name if len(one.name) <= _BAR_NAME else f"{one.name[: _BAR_NAME - 1]}…"
        parts.append(
            f'<text class="label" x="{left - 8}" y="{middle + 4:.1f}" text-anchor="end">{escape(name)}'
            f"<title>{escape(one.name)}</title></text>"
        )
        if one.value is None:
            parts.append(f'<text class="tick" x="{left + 6}" y="{middle + 4:.1f}">not measured</text>')
            continue
        parts.append(
            f'<rect class="bar group" x="{left}" y="{middle - 8:.1f}" width="{axes.across(one.value) - left:.1f}" '
            f'height="16"><title>{escape(one.name)}: {one.value:.3f}</title></rect>'
        )
        if one.low is not None and one.high is not None:
            ends = [axes.across(end) for end in (one.low, one.high)]
            caps = "".join(f"M{end:.1f} {middle - 5:.1f}V{middle + 5:.1f}" for end in ends)
            parts.append(f'<path class="whisker" d="M{ends[0]:.1f} {middle:.1f}H{ends[1]:.1f}{caps}"/>')
    parts.append(f'<path class="axis" d="M{left} {_TOP}V{bottom}"/>')
    parts.append(
        f'<text class="label" x="{(left + WIDTH - _RIGHT) / 2}" y="{height - 6}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
    )
    told = ", ".join(f"{one.name} {'not measured' if one.value is None else f'{one.value:.3f}'}" for one in entries)
    return _svg(title, f"{x_label}: {told}", parts, height)


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """Return names with a sample of their line or bar; entries: (name, class)."""
    shown = []
    for name, kind in entries:
        sample = (
            f'<path class="line {kind}" d="M1 6H25"/>'
            if kind.startswith("s") and kind[1:].isdigit()
            else f'<rect class="bar {kind}" x="7" y="1" width="12" height="10"/>'
        )
        shown.append(f'<li><svg viewBox="0 0 26 12" aria-hidden="true">{sample}</svg>{escape(name)}</li>')
    return f'<ul class="legend">{"".join(shown)}</ul>'


def _frame(
    axes: _Axes, x_label: str, y_label: str, *, x_ticks: Sequence[float], y_ticks: Sequence[float] | None = None
) -> list[str]:
    parts = []
    for value in y_ticks if y_ticks is not None else [0, 0.25, 0.5, 0.75, 1]:
        y = axes.up(value)
        parts.append(f'<path class="grid" d="M{_LEFT} {y:.1f}H{WIDTH - _RIGHT}"/>')
        parts.append(f'<text class="tick" x="{_LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{abs(value):g}</text>')
    for value in x_ticks:
        x = axes.across(value)
        parts.append(f'<path class="grid" d="M{x:.1f} {_TOP}V{HEIGHT - _BOTTOM}"/>')
        parts.append(
            f'<text class="tick" x="{x:.1f}" y="{HEIGHT - _BOTTOM + 15}" text-anchor="middle">{_short(value)}</text>'
        )
    middle = (_TOP + HEIGHT - _BOTTOM) / 2
    parts.append(
        f'<text class="label" x="{(_LEFT + WIDTH - _RIGHT) / 2}" y="{HEIGHT - 6}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
    )
    parts.append(
        f'<text class="label" transform="translate(14 {middle}) rotate(-90)" text-anchor="middle">'
        f"{escape(y_label)}</text>"
    )
    return parts


def _svg(title: str, said: str, parts: Sequence[str], height: float = HEIGHT) -> str:
    return (
        f'<svg class="chart" viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{escape(f"{title}: {said}")}">'
        f"<title>{escape(title)}</title>{''.join(parts)}</svg>"
    )


def _within(points: Floats, x_max: float) -> Floats:
    """Cut a curve at `x_max`, where its height is interpolated, and thin it out."""
    inside = points[points[:, 0] <= x_max]
    if inside.shape[0] < points.shape[0]:
        end = np.array([[x_max, np.interp(x_max, points[:, 0], points[:, 1])]])
        inside = np.concatenate([inside, end])
    if inside.shape[0] > _POINTS:
        inside = inside[np.unique(np.linspace(0, inside.shape[0] - 1, _POINTS).round().astype(int))]
    return inside


def _path(axes: _Axes, points: Floats) -> str:
    return "M" + "L".join(f"{axes.across(x):.1f} {axes.up(y):.1f}" for x, y in points.tolist())


def _ends(values: Floats) -> tuple[float, float]:
    """Return the range to show: all scores, unless a few lie far out, which the outermost bars then hold."""
    low, high = values.min().item(), values.max().item()
    inner_low, inner_high = np.quantile(values, (0.02, 0.98)).tolist()
    spread = inner_high - inner_low
    if spread > 0:
        low, high = max(low, inner_low - spread), min(high, inner_high + spread)
    if not low < high:
        low, high = low - 0.5, high + 0.5
    return low, high


def _short(value: float) -> str:
    return "0" if abs(value) < 1e-12 else f"{value:.3g}" if math.isfinite(value) else ""
