"""The demo's tables and the threshold behind them, on numbers worked out by hand."""

from __future__ import annotations

import pytest

from pyimgano_industrial.demo.commands import Measured
from pyimgano_industrial.demo.report import Decided, Judged, Result, decide, decisions, table, threshold_of

MEASURED = Measured(image_auroc=0.91234, pixel_auroc=0.5, pixel_ap=None, aupro=0.25, seconds=12.345)


def result(*, normal: int = 0, threshold: float | None = None, decided: tuple[Decided, ...] = ()) -> Result:
    return Result("mvtec_ad2", "tray", 16, 5, MEASURED, normal=normal, threshold=threshold, decided=decided)


def test_the_threshold_is_mean_plus_three_sigma() -> None:
    assert threshold_of([1, 2, 3]) == pytest.approx(2 + 3 * (2 / 3) ** 0.5)


def test_two_normal_images_give_no_threshold() -> None:
    assert threshold_of([1, 2]) is None


def test_decisions_are_counted_by_kind_and_label() -> None:
    images = [Judged("good", 0, 1.0), Judged("good", 0, 3.0), Judged("scratch", 1, 2.0), Judged("scratch", 1, 2.1)]

    assert decide(images, 2.0) == (Decided("good", 2, 1, 0, 0, True), Decided("scratch", 0, 0, 2, 1, True))


def test_the_table_is_aligned_and_shows_what_is_missing() -> None:
    head, row = table([result()]).splitlines()

    assert head.split("  ")[0] == "data set"
    assert row.split() == ["mvtec_ad2", "tray", "16", "5", "0.912", "0.500", "-", "0.250", "12.3"]
    assert head.index("image AUROC") + len("image AUROC") == row.index("0.912") + len("0.912")


def test_the_decisions_name_the_rule_and_the_counts() -> None:
    decided = (Decided("regular", 2, 1, 3, 2, True),)
    rule, row = decisions(result(normal=5, threshold=4.376, decided=decided)).splitlines()

    assert rule == "mvtec_ad2 / tray: scores above 4.38 (mean + 3 sigma of 5 other normal images)"
    assert row == "  regular  1 of 2 good flagged  2 of 3 defective found"


def test_light_that_was_not_fitted_is_blamed_only_where_it_does_harm() -> None:
    regular = Decided("regular", 4, 1, 0, 0, True)
    harmful, harmless = Decided("shift_1", 4, 3, 0, 0, False), Decided("shift_1", 4, 1, 0, 0, False)

    assert "3 of 4 good images look defective" in decisions(result(threshold=1.0, decided=(regular, harmful)))
    assert "not fitted" not in decisions(result(threshold=1.0, decided=(regular, harmless)))


def test_a_missing_threshold_says_what_it_needs() -> None:
    assert "three normal images that were not fitted; 0 were kept" in decisions(result())


def test_a_selection_of_the_test_images_is_not_counted() -> None:
    assert "not every test image was inferred (see --pictures)" in decisions(result(normal=5, threshold=1.0))
