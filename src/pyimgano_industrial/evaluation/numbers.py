"""From what the metrics say to the numbers of a cell: whole, by kind, lighting, size and defect, with intervals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.evaluation.results import Group, ImageRow, Number, Settings
from pyimgano_industrial.evaluation.tally import Tally
from pyimgano_industrial.metrics.bootstrap import interval
from pyimgano_industrial.metrics.checks import MetricError
from pyimgano_industrial.metrics.image import ImageMetrics, image_auroc
from pyimgano_industrial.metrics.image_counts import ImageCounts
from pyimgano_industrial.metrics.results import F1, Estimate, Interval, PixelReport

Numbers = dict[str, Number]
Size = tuple[int, int | None]


@dataclass
class Found:
    """The numbers of a cell, and why others are not there; the fields are those of `Cell` and of `CellCounts`."""

    metrics: Numbers = field(default_factory=dict)
    gaps: dict[str, str] = field(default_factory=dict)
    by_kind: dict[str, Group] = field(default_factory=dict)
    by_lighting: dict[str, Group] = field(default_factory=dict)
    by_size: dict[str, Group] = field(default_factory=dict)
    by_defect: dict[str, Group] = field(default_factory=dict)
    curves: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    counts: dict[str, ImageCounts] = field(default_factory=dict)  # "pixels", "spro": of the images of `Tally.counted`


def numbers_of(tally: Tally, settings: Settings, *, threshold: float | None, curves: bool = True) -> Found:
    """Return every number of the images that could be scored.

    threshold: of image scores; curves: with curves to draw and counts of each image.
    Raises nothing for what cannot be computed: it is a gap.
    """
    found = Found()
    rows = [row for row in tally.rows if row.error is None]
    _images(found, rows, settings, threshold)
    if tally.pixels is not None:
        _pixels(found, tally, settings, curves=curves)
    else:
        limits = [f"aupro@{limit:g}" for limit in settings.limits]
        _gap(found, ("pixel_auroc", "pixel_ap", "seg_f1", "seg_f1_best", *limits), tally.no_pixels or "")
    if settings.protocol == "mvtec_loco":
        _spro(found, tally, settings, curves=curves)
    return found


def size_name(size: Size) -> str:
    """Return a range of areas as text.

    >>> size_name((1, 280)), size_name((281, None))
    ('1-280', '281-')
    """
    return f"{size[0]}-{'' if size[1] is None else size[1]}"


# Image scores.


def _images(found: Found, rows: Sequence[ImageRow], settings: Settings, threshold: float | None) -> None:
    numbers, gap = image_numbers(rows, settings, threshold)
    found.metrics |= numbers
    if gap is not None:
        _gap(found, ("image_auroc", "image_ap", "class_f1", "class_f1_best"), gap)
    elif threshold is None:
        found.gaps["class_f1"] = "there is no threshold from normal images"
    kinds = sorted({row.kind for row in rows if row.label == 1 and row.kind is not None})
    for kind in kinds:
        some = [row for row in rows if row.label == 0 or row.kind == kind]
        found.by_kind[kind] = _group(some, settings, threshold)
    for lighting in sorted({row.lighting for row in rows if row.lighting is not None}):
        some = [row for row in rows if row.lighting == lighting]
        found.by_lighting[lighting] = _group(some, settings, threshold)
    if settings.protocol == "mvtec_loco":
        _mean_over_kinds(found, rows, kinds, settings)
    if gap is None:
        found.curves["image_roc"] = image_roc(rows)


def image_numbers(rows: Sequence[ImageRow], settings: Settings, threshold: float | None) -> tuple[Numbers, str | None]:
    """Return the numbers of image scores, or why there are none."""
    metrics = ImageMetrics(threshold=threshold)
    metrics.update([row.score for row in rows], [row.label for row in rows])  # type: ignore[arg-type] # all are scored
    try:
        report = metrics.compute()
    except MetricError as error:
        return {}, f"{error}"
    drawn = _drawn(metrics.bootstrap, settings)
    numbers = {
        "image_auroc": _number(report.auroc, drawn.get("auroc")),
        "image_ap": _number(report.ap, drawn.get("ap")),
        "class_f1_best": _f1(report.best_f1, drawn.get("best_f1")),
    }
    if report.f1 is not None:
        numbers["class_f1"] = _f1(report.f1, drawn.get("f1"))
    return numbers, None


def image_roc(rows: Sequence[ImageRow]) -> NDArray[np.float64]:
    """Return the ROC curve of image scores (N, 2), from (0, 0) to (1, 1)."""
    scores, labels = _arrays(rows)
    values, places = np.unique(-scores, return_inverse=True)
    hits = np.cumsum(np.bincount(places, labels, minlength=values.size))
    alarms = np.cumsum(np.bincount(places, 1 - labels, minlength=values.size))
    return np.vstack([(0.0, 0.0), np.column_stack([alarms / alarms[-1], hits / hits[-1]])])


def _group(rows: Sequence[ImageRow], settings: Settings, threshold: float | None) -> Group:
    anomalous = sum(row.label for row in rows)
    numbers, gap = image_numbers(rows, settings, threshold)
    return Group(len(rows) - anomalous, anomalous, numbers, gap)


def _mean_over_kinds(found: Found, rows: Sequence[ImageRow], kinds: Sequence[str], settings: Settings) -> None:
    """Add the mean of the kinds' AUROC, each with the good images."""
    parts = [found.by_kind[kind].metrics.get("image_auroc") for kind in kinds]
    values = [part.value for part in parts if part is not None]
    if not values or len(values) < len(kinds):
        found.gaps["image_auroc_mean"] = found.gaps.get("image_auroc", "there is no kind of anomaly")
        return
    scores, labels = _arrays(rows)
    names = np.array([row.kind for row in rows])
    good = labels == 0
    means = []
    rng = np.random.default_rng(settings.seed)
    for _ in range(settings.bootstrap):
        drawn = rng.integers(0, scores.size, scores.size)
        chosen = [drawn[good[drawn] | (names[drawn] == kind)] for kind in kinds]
        if all(0 < np.count_nonzero(good[part]) < part.size for part in chosen):
            means.append(np.mean([image_auroc(scores[part], labels[part]) for part in chosen]).item())
    limits = interval(means, settings.interval) if means else None
    found.metrics["image_auroc_mean"] = _number(Estimate(sum(values) / len(values)), limits)


def _arrays(rows: Sequence[ImageRow]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    return np.array([row.score for row in rows], float), np.array([row.label for row in rows], np.int64)


# Maps.


def _pixels(found: Found, tally: Tally, settings: Settings, *, curves: bool) -> None:
    assert tally.pixels is not None
    names = [f"aupro@{limit:g}" for limit in settings.limits]
    try:
        report = tally.pixels.compute()
    except MetricError as error:
        _gap(found, ("pixel_auroc", "pixel_ap", "seg_f1", "seg_f1_best", *names), f"{error}")
        return
    drawn = _drawn(tally.pixels.bootstrap, settings)
    found.metrics |= _of_report(report, drawn)
    if report.f1 is None:
        found.gaps["seg_f1"] = "there is no pixel threshold from normal images"
    for lighting, own in report.by_lighting.items():
        group = found.by_lighting[lighting]
        if own is None:
            gap = "no defect, or no normal pixel, under this lighting"
            found.by_lighting[lighting] = replace(group, gap=group.gap or gap)
        else:
            numbers = _of_report(own, _under(f"lighting {lighting}/", drawn))
            found.by_lighting[lighting] = replace(group, metrics={**group.metrics, **numbers})
    areas = tally.pixels.areas
    for size, by_limit in report.by_size.items():
        count = sum(size[0] <= area and (size[1] is None or area <= size[1]) for area in areas)
        own_drawn = _under(f"size {size_name(size)}/", drawn)
        numbers = {
            f"aupro@{limit:g}": _number(one, own_drawn.get(f"aupro@{limit:g}"))
            for limit, one in (by_limit or {}).items()
        }
        found.by_size[size_name(size)] = Group(0, count, numbers, None if by_limit else "no defect of this size")
    if curves:
        lines = tally.pixels.curves()
        found.curves |= {"pixel_roc": np.array(lines["roc"]), "pro": np.array(lines["pro"])}
        found.counts["pixels"] = tally.pixels.image_counts()


def _of_report(report: PixelReport, drawn: Mapping[str, Interval]) -> Numbers:
    numbers = {
        "pixel_auroc": _number(report.auroc, drawn.get("auroc")),
        "pixel_ap": _number(report.ap, drawn.get("ap")),
        "seg_f1_best": _f1(report.best_f1, drawn.get("best_f1")),
    }
    if report.f1 is not None:
        numbers["seg_f1"] = _f1(report.f1, drawn.get("f1"))
    for limit, one in report.aupro.items():
        numbers[f"aupro@{limit:g}"] = _number(one, drawn.get(f"aupro@{limit:g}"))
    return numbers


def _spro(found: Found, tally: Tally, settings: Settings, *, curves: bool) -> None:
    names = [f"au_spro@{limit:g}" for limit in settings.spro_limits]
    if tally.spro is None:
        _gap(found, names, tally.no_pixels or "")
        return
    try:
        report = tally.spro.compute()
    except MetricError as error:
        _gap(found, names, f"{error}")
        return
    drawn = _drawn(tally.spro.bootstrap, settings)
    for limit, one in report.mean.items():
        found.metrics[f"au_spro@{limit:g}"] = _number(one, drawn.get(f"mean@{limit:g}"))
    for kind, by_limit in report.by_kind.items():
        own = {f"au_spro@{limit:g}": _number(one, drawn.get(f"{kind}@{limit:g}")) for limit, one in by_limit.items()}
        group = found.by_kind[kind]
        found.by_kind[kind] = replace(group, metrics={**group.metrics, **own})
    rows = [row for row in tally.rows if row.error is None]
    normal = sum(row.label == 0 for row in rows)
    for defect, by_limit in report.by_defect.items():
        count = sum(defect in row.defects for row in rows)
        own_drawn = _under(f"defect {defect}@", drawn)
        own = {f"au_spro@{limit:g}": _number(one, own_drawn.get(f"{limit:g}")) for limit, one in by_limit.items()}
        found.by_defect[defect] = Group(normal, count, own)
    if curves:
        found.curves |= {f"spro/{kind}": np.array(points) for kind, points in tally.spro.curves().items()}
        found.counts["spro"] = tally.spro.image_counts()


# Helpers.


def _drawn(bootstrap: Callable[..., dict[str, Interval]], settings: Settings) -> dict[str, Interval]:
    if not settings.bootstrap:
        return {}
    try:
        return bootstrap(samples=settings.bootstrap, confidence=settings.interval, seed=settings.seed)
    except MetricError:  # no draw of so few images holds both labels: the number stands without an interval
        return {}


def _under(name: str, drawn: Mapping[str, Interval]) -> dict[str, Interval]:
    return {key[len(name) :]: one for key, one in drawn.items() if key.startswith(name)}


def _number(one: Estimate, drawn: Interval | None = None) -> Number:
    low, high = (None, None) if drawn is None else (drawn.low, drawn.high)
    return Number(one.value, one.bound, low, high)


def _f1(one: F1, drawn: Interval | None = None) -> Number:
    low, high = (None, None) if drawn is None else (drawn.low, drawn.high)
    threshold = one.threshold if np.isfinite(one.threshold) else None
    return Number(one.value, one.bound, low, high, threshold, one.precision, one.recall)


def _gap(found: Found, names: Iterable[str], reason: str) -> None:
    found.gaps |= dict.fromkeys(names, reason)
