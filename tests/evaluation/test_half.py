"""float16 keeps the order of the scores, and a threshold cuts float16 maps where it cuts float32 maps."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from pyimgano_industrial.evaluation.half import LARGEST, HalfError, HalfScale, HalfStatistics, above
from pyimgano_industrial.metrics import ImageMetrics

FLOATS = st.floats(width=32, allow_nan=False, allow_infinity=False)
MAPS = arrays(np.float32, st.tuples(st.integers(1, 6), st.integers(1, 6)), elements=FLOATS)


def scale_of(*maps: np.ndarray, threshold: float | None = None) -> HalfScale:
    statistics = HalfStatistics()
    for one in maps:
        statistics.add(one)
    return statistics.scale(threshold)


@given(
    st.lists(MAPS, min_size=1, max_size=4), st.floats(allow_nan=False, allow_infinity=False, width=64), st.booleans()
)
def test_no_order_is_turned_around_and_the_threshold_cuts_alike(
    maps: list[np.ndarray], threshold: float, at_a_score: bool
) -> None:
    if at_a_score:
        threshold = maps[0].flat[0].item()
    scale = scale_of(*maps, threshold=threshold)
    before = np.concatenate([one.ravel() for one in maps])
    after = np.concatenate([scale(one).ravel() for one in maps])
    assert after.dtype == np.float16
    assert np.isfinite(after).all()
    ordered = after[np.argsort(before, kind="stable")]
    assert (ordered[1:] >= ordered[:-1]).all()
    flagged = above(before, threshold)
    assert (flagged == (before.astype(np.float64) > threshold)).all()
    assert not flagged.any() or flagged.all() or after[flagged].min() > after[~flagged].max()
    if scale.kind == "shared":
        assert (after > np.float16(scale.of(threshold)))[flagged].all()
        assert not (after > np.float16(scale.of(threshold)))[~flagged].any()


def auroc(scores: np.ndarray, labels: np.ndarray) -> float:
    metrics = ImageMetrics()
    metrics.update(scores.astype(np.float64), labels)
    return metrics.compute().auroc.value


@pytest.mark.parametrize(
    ("centre", "spread"), [(0.5, 5e-4), (1000.0, 0.5), (-3.0, 1e-4), (0.0, 1e9), (0.0, 1e-9), (65504.0, 10.0)]
)
def test_close_large_and_tiny_scores_keep_their_auroc(centre: float, spread: float) -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], 20000)
    scores = (centre + spread * (rng.normal(size=40000) + labels)).astype(np.float32)
    with np.errstate(over="ignore"):
        plain = np.nan_to_num(scores.astype(np.float16), posinf=LARGEST, neginf=-LARGEST)
    scale = scale_of(scores.reshape(200, 200))
    exact, kept, lost = (auroc(one, labels) for one in (scores, scale(scores), plain))
    assert scale.kind == "shared"
    assert kept == pytest.approx(exact, abs=1e-4)
    assert abs(lost - exact) > 2 * abs(kept - exact)


def test_one_outlier_does_not_press_the_others_together() -> None:
    scores = np.linspace(0, 1, 4000, dtype=np.float32)
    scale = scale_of(np.append(scores, np.float32(1e9))[None])
    assert scale.kind == "shared"
    assert len(np.unique(scale(scores))) > 3000
    assert scale.of(1e9) > scale.of(1.0)


def test_as_many_values_as_float32_has_in_a_narrow_range_stay_apart() -> None:
    scores = np.full(4000, 0.5, np.float32).view(np.int32) + np.arange(4000, dtype=np.int32)
    narrow = scores.view(np.float32)[None]
    assert len(np.unique(narrow.astype(np.float16))) == 1
    assert len(np.unique(scale_of(narrow)(narrow))) == 4000


@pytest.mark.parametrize("levels", [1, 2, 256])
def test_scores_that_float16_holds_are_left_as_they_are(levels: int) -> None:
    scores = (np.arange(4096) % levels / 256).astype(np.float32).reshape(64, 64)
    scale = scale_of(scores)
    assert scale.kind == "plain"
    assert (scale(scores) == scores).all()


def test_the_scale_is_one_for_all_maps_of_an_object() -> None:
    low, high = np.full((2, 2), 1e6, np.float32), np.full((2, 2), 2e6, np.float32)
    scale = scale_of(low, high)
    assert scale(low).max() < scale(high).min()
    assert "2e+06 exceed 65504" in scale.reason


def test_what_cannot_be_scaled_is_an_error() -> None:
    with pytest.raises(HalfError, match="needs at least one map"):
        HalfStatistics().scale()
    with pytest.raises(HalfError, match="must be finite"):
        HalfStatistics().add(np.array([[np.nan]], np.float32))
