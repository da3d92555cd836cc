"""What the demo prints: the table of metrics, and what a threshold from normal images would have decided."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pyimgano_industrial.core.columns import aligned
from pyimgano_industrial.demo.commands import Measured


@dataclass(frozen=True)
class Judged:
    """One test image. kind: its lighting or its defect type. label: 0 or 1. lit_as_fitted: False under new light."""

    kind: str
    label: int
    score: float
    lit_as_fitted: bool = True


@dataclass(frozen=True)
class Decided:
    """Test images of one kind, and how many of them lie above the threshold."""

    kind: str
    good: int
    flagged: int
    bad: int
    found: int
    lit_as_fitted: bool


@dataclass(frozen=True)
class Result:
    """One benchmarked category.

    fit, test, normal: numbers of images, the last of those kept for the threshold. threshold: None where there are
    too few of them. decided: empty where not every test image was inferred.
    """

    dataset: str
    category: str
    fit: int
    test: int
    measured: Measured
    normal: int = 0
    threshold: float | None = None
    decided: tuple[Decided, ...] = ()


def threshold_of(normal_scores: Sequence[float]) -> float | None:
    """Return mean + 3 standard deviations of normal scores, as MVTec AD 2 proposes; None for fewer than three."""
    if len(normal_scores) < 3:
        return None
    return float(np.mean(normal_scores) + 3 * np.std(normal_scores))


def decide(images: Sequence[Judged], threshold: float) -> tuple[Decided, ...]:
    """Count, for each kind of image, the good ones flagged and the bad ones found above the threshold."""
    decided = []
    for kind in dict.fromkeys(image.kind for image in images):
        mine = [image for image in images if image.kind == kind]
        good, bad = ([image.score > threshold for image in mine if image.label == label] for label in (0, 1))
        decided.append(Decided(kind, len(good), sum(good), len(bad), sum(bad), mine[0].lit_as_fitted))
    return tuple(decided)


def table(results: Iterable[Result], *, width: int | None = None) -> str:
    """Return the metrics as an aligned table; width: of the terminal."""
    head = ("data set", "category", "fit", "test", "image AUROC", "pixel AUROC", "pixel AP", "AU-PRO", "seconds")
    rows: list[Sequence[str]] = [head]
    for result in results:
        measured = result.measured
        numbers = (measured.image_auroc, measured.pixel_auroc, measured.pixel_ap, measured.aupro)
        shares = [f"{number:.3f}" if number is not None else "-" for number in numbers]
        counts = (str(result.fit), str(result.test))
        rows.append((result.dataset, result.category, *counts, *shares, f"{measured.seconds:.1f}"))
    return "\n".join(aligned(rows, left=range(2), keys=2, width=width))


def decisions(result: Result) -> str:
    """Return what the threshold decides for each kind of test image, or why there is none."""
    name = f"{result.dataset} / {result.category}"
    if result.threshold is None:
        return f"{name}: no threshold, for it takes three normal images that were not fitted; {result.normal} were kept"
    rule = f"{name}: scores above {result.threshold:.2f} (mean + 3 sigma of {result.normal} other normal images)"
    if not result.decided:
        return f"{rule}: not counted, for not every test image was inferred (see --pictures)"
    rows = []
    for kind in result.decided:
        good = f"{kind.flagged} of {kind.good} good flagged" if kind.good else ""
        bad = f"{kind.found} of {kind.bad} defective found" if kind.bad else ""
        rows.append((f"  {kind.kind}", good, bad))
    return "\n".join([rule, *aligned(rows, left=range(3)), *_light_note(result.decided)])


def _light_note(decided: Sequence[Decided]) -> list[str]:
    """Say what light that was not fitted does to good images, where it does something."""
    strange = [kind for kind in decided if not kind.lit_as_fitted]
    flagged, good = sum(kind.flagged for kind in strange), sum(kind.good for kind in strange)
    usual = [kind for kind in decided if kind.lit_as_fitted]
    expected = sum(kind.flagged for kind in usual) / max(1, sum(kind.good for kind in usual))
    if not good or flagged / good <= expected:
        return []
    return [
        f"  Under light that was not fitted, {flagged} of {good} good images look defective: the model has never",
        "  seen it. It hurts every pooled metric above; fit such light, normalise it away, or keep it out.",
    ]
