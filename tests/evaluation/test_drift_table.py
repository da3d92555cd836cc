"""The table of what was measured under drift, and the ways that this package has."""

from __future__ import annotations

import numpy as np
import pytest

from pyimgano_industrial.evaluation.drift_proof import Condition, WayResult
from pyimgano_industrial.evaluation.drift_table import less, to_markdown
from pyimgano_industrial.evaluation.drift_ways import ways
from pyimgano_industrial.presets import CHAINS, chain


def one(drift: str, strength: int, good: list[float], bad: list[float], auroc: float | None) -> Condition:
    scores = np.array(good, np.float32)
    return Condition(drift, strength, scores, np.array(bad, np.float32), scores > 0.5, auroc, None)


def cells(table: str, row: int) -> dict[str, str]:
    head, _, *rows = [[cell.strip() for cell in line.strip("| ").split("|")] for line in table.splitlines()]
    return dict(zip(head, rows[row], strict=True))


def test_shares_and_drops_are_those_worked_out_by_hand() -> None:
    bare = WayResult("none", 0.5, (one("clean", 0, [0, 0], [1, 1], 1.0), one("gain", 1, [0, 1], [0.5, 2], 0.75)))
    better = WayResult("ours", 0.5, (one("clean", 0, [0, 0], [1, 1], 1.0), one("gain", 1, [0, 0], [1, 1], 1.0)))
    table = to_markdown([(bare,), (better,)])
    first, second = cells(table, 0), cells(table, 1)
    assert first["way"] == "none"
    assert (first["AUROC"], first["drifted"], first["flagged"]) == ("1.000", "0.750", "0.0%")
    assert first["less the first's"] == "-"
    assert first["photometric 1-3"].startswith("50.0% (0.0% to 100.0%)")
    assert second["less the first's"].startswith("-25.0% (")
    assert second["photometric 1-3"] == "0.0% (0.0% to 0.0%)"


def test_a_drop_less_another_is_a_mean_over_data_sets() -> None:
    bare = WayResult("none", 0.5, (one("clean", 0, [0, 0], [1, 1], 1.0), one("gain", 1, [0, 1], [0.5, 2], 0.75)))
    same = WayResult("ours", 0.5, (one("clean", 0, [0, 0], [1, 1], 1.0), one("gain", 1, [0, 0], [1, 1], 1.0)))
    assert less([((same,), (bare,)), ((same,), (same,))])[0] == pytest.approx(-0.125)
    assert less([((same,), (same,))]) == (0.0, 0.0, 0.0)
    mean, low, high = less([((bare,), (same,))])
    assert low < mean == pytest.approx(0.25)
    assert mean < high <= 1


def test_each_good_image_counts_once_with_the_detector_of_its_split() -> None:
    low = WayResult("none", 0.5, (one("clean", 0, [0], [1, 3], 1.0), one("gain", 1, [2], [1, 3], 0.5)))
    high = WayResult("none", 9.5, (one("clean", 0, [9, 9], [10, 8], 0.5), one("gain", 1, [9, 9], [10, 8], 0.5)))
    found = cells(to_markdown([(low, high)]), 0)
    assert (found["AUROC"], found["drifted"], found["drop"]) == (f"{2 / 3:.3f}", "0.500", "25.0%")
    assert found["flagged"] == "66.7%"
    assert found["photometric 1-3"].startswith("100.0% (")


def test_what_was_not_measured_has_no_column() -> None:
    bare = WayResult("none", 0.5, (one("clean", 0, [0, 1], [], None), one("blur", 5, [0, 1], [], None)))
    assert cells(to_markdown([(bare,)]), 0) == {"way": "none", "flagged": "50.0%"}


def test_every_preset_that_needs_no_profile_is_a_way_and_each_works() -> None:
    known = ways()
    assert next(iter(known)) == "none"
    assert {name for name in CHAINS if not chain(name).waits} < set(known)
    rng = np.random.default_rng(0)
    good = [rng.normal(120, 9, (32, 48, 3)).clip(0, 255).astype(np.uint8) for _ in range(6)]
    for name, way in known.items():
        if way.prepare is not None:
            changed = way.prepare(good)(good[0])
            assert (changed.shape, changed.dtype) == (good[0].shape, good[0].dtype), name
    assert known["variants-harsh"].augment is not None
    assert known["profile+variants"].prepare is known["profile"].prepare


@pytest.mark.parametrize("name", ["none", "variants-mild"])
def test_ways_without_correction_leave_images_as_they_are(name: str) -> None:
    assert ways()[name].prepare is None
