"""What a calibrator says of its threshold, what it warns of, and what it does not take."""

from __future__ import annotations

import json
import pickle
import re
import warnings
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.inference import Calibration, CalibrationError, Calibrator, ThresholdChangeError
from pyimgano_industrial.inference.thresholds import METHODS, Method

SIXTY = np.random.default_rng(0).gamma(2, 1, 60)


class Detector:
    """Anything that takes attributes."""


def silent(calibrator: Calibrator, scores: Any, **options: Any) -> Calibration:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndustrialWarning)
        return calibrator.fit(scores, **options)


# What it says.


def test_the_default_proves_five_percent_from_sixty_images() -> None:
    found = Calibrator().fit(SIXTY)
    assert (found.method, found.target_fpr, found.confidence) == ("tolerance", 0.05, 0.9)
    assert (found.promise, found.images, found.source) == ("proven", 60, "held-out")
    assert found.threshold == SIXTY.max()  # 77 images would allow the second largest
    assert found.fpr_low == 0
    assert found.fpr_high == pytest.approx(1 - 0.1 ** (1 / 60)) == found.provable_fpr
    assert found.expected_fpr == pytest.approx(1 / 61)
    assert found.caveats == ()


def test_a_quality_engineer_reads_what_was_promised() -> None:
    assert str(Calibrator().fit(np.arange(60.0))) == (
        "Threshold 59 (tolerance), from 60 good images that were kept back from fitting. It promises at most 5 % of "
        "good images flagged, with 90 % confidence. Expected 1.64 %; at least 0 % and at most 3.76 %, each with 90 % "
        "confidence."
    )


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("conformal", "It promises at most 5 % of good images flagged on average over many such sets of images"),
        ("quantile", "It aims at 5 % of good images flagged and does not promise it."),
        ("mean_sigma", "It aims at 5 % of good images flagged and extrapolates"),
    ],
)
def test_each_method_says_what_kind_of_promise_it_makes(method: Method, words: str) -> None:
    assert words in str(Calibrator(method=method).fit(np.random.default_rng(0).normal(size=60)))


@pytest.mark.parametrize("method", METHODS)
def test_the_bounds_hold_the_share_that_was_seen(method: Method) -> None:
    found = silent(Calibrator(method=method, target_fpr=0.1), SIXTY)
    assert found.fpr_low <= np.mean(found.threshold < SIXTY) <= found.fpr_high


def test_a_proven_promise_is_one_whose_upper_bound_is_at_most_the_target() -> None:
    for count in range(20, 120):
        found = silent(Calibrator(target_fpr=0.05), np.arange(float(count)))
        assert (found.promise == "proven") == (found.fpr_high <= 0.05) == (count >= 45)


# What it warns of.


def test_too_few_images_refuse_the_promise_and_name_what_they_can_show() -> None:
    message = (
        "20 good images cannot show that at most 5 % of good images are flagged; 45 show it with 90 % confidence. The "
        "threshold is their largest value, which shows at most 10.9 % with 90 % confidence"
    )
    with pytest.warns(IndustrialWarning, match=f"^{re.escape(message)}$"):
        found = Calibrator().fit(SIXTY[:20])
    assert found.promise == "refused"
    assert found.threshold == SIXTY[:20].max()
    assert found.caveats == (message,)
    assert "It does not promise at most 5 %" in str(found)
    assert message in str(found)


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("conformal", "18 good images cannot show .* 19 do on average. The threshold is their largest value"),
        (
            "quantile",
            "18 good images cannot show .* 19 do on average. The threshold lies just below their largest value",
        ),
        (
            "tail",
            "'tail' needs 20 images whose highest values differ; got 18, so the threshold is the largest value, 17",
        ),
    ],
)
def test_other_methods_refuse_too(method: Method, message: str) -> None:
    with pytest.warns(IndustrialWarning, match=message):
        found = Calibrator(method=method).fit(np.arange(18.0))
    assert found.promise == "refused"


def test_one_image_is_said_in_the_singular() -> None:
    with pytest.warns(IndustrialWarning, match="^1 good image cannot show"):
        Calibrator().fit([1.0])


def test_equal_scores_are_said_to_tell_nothing_apart() -> None:
    message = (
        "all 60 scores are 3: the detector does not tell good images apart; look at what it is given, and at its maps"
    )
    with pytest.warns(IndustrialWarning, match=message):
        found = Calibrator().fit(np.full(60, 3.0))
    assert found.promise == "proven"  # by rank: another such image does not exceed it either


@pytest.mark.parametrize(("method", "most"), [("mean_sigma", "all"), ("median_mad", "most")])
def test_methods_with_a_spread_refuse_equal_scores(method: Method, most: str) -> None:
    scores = np.full(60, 3.0)
    scores[:20] += np.arange(20) * (method == "median_mad")
    found = silent(Calibrator(method=method), scores)
    assert found.promise == "refused"
    assert f"'{method}' needs values that differ; {most} of these are equal" in found.caveats


def test_scores_of_the_fitted_images_promise_nothing() -> None:
    with pytest.warns(
        IndustrialWarning, match="rests on the 60 images that the detector was fitted on; new good images"
    ):
        found = Calibrator().fit(SIXTY, source="train")
    assert found.promise == "refused"
    assert "It does not promise" in str(found)


def test_a_detector_that_knows_its_images_by_heart_is_found_out() -> None:
    scores = np.where(np.arange(60) < 40, 0.0, SIXTY)
    message = (
        "that the detector was fitted on: it knows them by heart, 40 of them score 0; new good images score higher"
    )
    with pytest.warns(IndustrialWarning, match=message):
        Calibrator().fit(scores, source="train")


def test_out_of_fold_scores_hold_on_average() -> None:
    found = Calibrator().fit(SIXTY, source="out-of-fold")
    assert found.promise == "on average"
    assert "each scored by a detector fitted on the others" in str(found)


def test_a_shape_that_the_scores_do_not_have_is_said() -> None:
    scores = np.random.default_rng(1).lognormal(0, 1, 300)
    with pytest.warns(
        IndustrialWarning, match="at least .* of good images exceed the threshold of 'median_mad'.*not 1 %"
    ):
        found = Calibrator(method="median_mad", target_fpr=0.01).fit(scores)
    assert found.promise == "extrapolated"
    assert found.fpr_low > 0.01


# Names.


def test_of_several_shots_of_one_part_the_highest_counts() -> None:
    parts = [f"part {index // 2}" for index in range(120)]
    found = Calibrator().fit(np.arange(120.0), images=parts)
    assert found.images == 60
    assert found.names[:2] == ("part 0", "part 1")
    assert found == Calibrator().fit(np.arange(1.0, 120, 2), images=list(dict.fromkeys(parts)))


def test_names_are_kept_as_text() -> None:
    assert Calibrator(target_fpr=0.9).fit([1.0, 2.0], images=[Path("a.png"), "b.png"]).names == ("a.png", "b.png")


# What it does not take.


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([], "a threshold needs at least one score of a normal image; got none"),
        ([[1.0], [2.0]], r"scores must be \(N,\), one an image; got shape \(2, 1\)"),
        (3.0, r"scores must be \(N,\), one an image; got shape \(\)"),
        ([1.0, float("nan"), 2.0], "scores must be finite; score 1 of 3 is nan: look at that image's map"),
        ([float("inf")], "scores must be finite; score 0 of 1 is inf"),
        (["a"], "scores must be numbers, one an image; got list"),
    ],
)
def test_scores_that_are_none_are_refused(scores: Any, message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        Calibrator().fit(scores)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "tolerence"}, "method 'tolerence' is unknown; did you mean 'tolerance'"),
        ({"target_fpr": 0}, r"target_fpr must be in \(0, 1\), a share of normal images; got 0"),
        ({"target_fpr": 5}, r"target_fpr must be in \(0, 1\), a share of normal images; got 5"),
        ({"confidence": 1}, r"confidence must be in \[0.5, 1\); got 1"),
        ({"k": 3.0}, "k is for 'mean_sigma' and 'median_mad'; got k=3.0 with 'tolerance'"),
    ],
)
def test_settings_out_of_range_are_refused(options: Any, message: str) -> None:
    with pytest.raises(CalibrationError, match=message):
        Calibrator(**options)


def test_other_misuse_is_refused() -> None:
    with pytest.raises(CalibrationError, match="images must name every score; got 1 names for 2 scores"):
        Calibrator().fit([1.0, 2.0], images=["a"])
    with pytest.raises(
        CalibrationError, match="source must be one of held-out, validation, out-of-fold, train; got 'test'"
    ):
        Calibrator().fit([1.0], source="test")  # type: ignore[arg-type]
    with pytest.raises(CalibrationError, match="'mean_sigma' needs at least 2 images; got 1"):
        Calibrator(method="mean_sigma").fit([1.0])


# Where it goes.


@given(
    st.sampled_from(METHODS),
    st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=50),
    st.sampled_from(["held-out", "validation", "out-of-fold", "train"]),
)
def test_it_survives_json_and_pickle(method: Method, scores: list[float], source: Any) -> None:
    names = [f"{index}.png" for index in range(len(scores))]
    found = silent(Calibrator(method=method), scores, images=names, source=source)
    assert Calibration.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert pickle.loads(pickle.dumps(found)) == found
    assert pickle.loads(pickle.dumps(Calibrator(method=method))) == Calibrator(method=method)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"treshold": 1.0}, "a calibration has no entry 'treshold'; did you mean 'threshold'"),
        ({"images": None}, "a calibration needs the entries images; they are missing"),
        ({"promise": "sworn"}, "promise must be one of proven, .*; got 'sworn'"),
        ({"level": "video"}, "level must be one of image, pixel; got 'video'"),
    ],
)
def test_json_that_is_no_calibration_is_refused(change: dict[str, Any], message: str) -> None:
    data = {**Calibrator().fit(SIXTY).to_dict(), **change}
    with pytest.raises(CalibrationError, match=message):
        Calibration.from_dict({name: value for name, value in data.items() if value is not None})


def test_it_sets_the_threshold_of_a_detector_and_stays_with_it() -> None:
    detector: Any = Detector()
    found = Calibrator().fit(SIXTY)
    found.apply(detector)
    assert detector.threshold_ == found.threshold
    assert detector.calibration_ is found


def test_it_goes_into_the_infer_config_and_comes_out_again() -> None:
    config = {"model": {"name": "vision_knn"}, "postprocess": {"image_threshold": {"threshold": 1.0}}}
    image = Calibrator().fit(SIXTY)
    pixel = silent_maps(image)
    written = json.loads(json.dumps(pixel.into(image.into(config))))
    assert config == {"model": {"name": "vision_knn"}, "postprocess": {"image_threshold": {"threshold": 1.0}}}
    assert written["threshold"] == written["postprocess"]["image_threshold"]["threshold"] == image.threshold
    assert written["threshold_provenance"]["calibration_count"] == 60
    assert written["defects"]["pixel_threshold"] == pixel.threshold
    assert Calibration.from_infer_config(written) == image
    assert Calibration.from_infer_config(written, level="pixel") == pixel
    assert Calibration.from_infer_config(config) is None
    assert Calibration.from_infer_config(config, level="pixel") is None


def silent_maps(like: Calibration) -> Calibration:
    maps = np.random.default_rng(2).random((like.images, 4, 4), np.float32)
    return Calibrator(method="quantile").fit_maps(maps)


def test_a_pixel_threshold_is_not_set_as_that_of_images() -> None:
    with pytest.raises(CalibrationError, match="apply sets the threshold of image scores; this one is for the pixels"):
        silent_maps(Calibrator().fit(SIXTY)).apply(Detector())


# The log.


def test_the_log_says_old_and_new_value_method_images_and_date() -> None:
    names = [f"{index}.png" for index in range(60)]
    first = Calibrator(target_fpr=0.1).fit(SIXTY, images=names)
    second = Calibrator(method="conformal", target_fpr=0.1).fit(SIXTY[:40]).after(first)
    assert [(one.old, one.new, one.method, one.images) for one in second.changes] == [
        (None, first.threshold, "tolerance", 60),
        (first.threshold, second.threshold, "conformal", 40),
    ]
    assert second.changes[0].names == tuple(names)
    assert second.changes[0].source == "held-out"
    age = datetime.now(timezone.utc) - datetime.fromisoformat(second.changes[0].date)
    assert timedelta(seconds=-1) < age < timedelta(hours=1)
    assert Calibration.from_dict(json.loads(json.dumps(second.to_dict()))).changes == second.changes
    assert (
        f"image threshold {first.threshold:.6g} -> {second.threshold:.6g} (conformal, 40 good" in f"{second.changes[1]}"
    )
    assert second.after(second).changes == second.changes  # nothing has changed


def test_a_detector_s_log_goes_on_also_over_a_threshold_that_somebody_has_set() -> None:
    detector: Any = Detector()
    first, last = Calibrator(target_fpr=0.1).fit(SIXTY), Calibrator(target_fpr=0.2).fit(SIXTY)
    first.apply(detector)
    detector.threshold_ = 1e6
    last.apply(detector)
    assert [(one.old, one.new, one.method) for one in detector.calibration_.changes] == [
        (None, first.threshold, "tolerance"),
        (first.threshold, 1e6, "stated"),
        (1e6, last.threshold, "tolerance"),
    ]
    bare: Any = Detector()
    bare.threshold_ = 0.5
    first.apply(bare)
    assert [(one.old, one.new) for one in bare.calibration_.changes] == [(0.5, first.threshold)]


def test_the_infer_config_keeps_the_log_of_both_thresholds() -> None:
    first, last = Calibrator(target_fpr=0.1).fit(SIXTY), Calibrator(target_fpr=0.2).fit(SIXTY)
    pixel = silent_maps(first)
    config = last.into(pixel.into(first.into({"threshold": 3.0, "defects": {"pixel_threshold": 0.25}})))
    found = Calibration.from_infer_config(json.loads(json.dumps(config)))
    assert found is not None
    assert [(one.old, one.new) for one in found.changes] == [(3.0, first.threshold), (first.threshold, last.threshold)]
    found = Calibration.from_infer_config(config, level="pixel")
    assert found is not None
    assert [(one.level, one.old, one.new) for one in found.changes] == [("pixel", 0.25, pixel.threshold)]


def test_a_record_that_is_none_is_refused() -> None:
    data = Calibrator().fit(SIXTY).to_dict()
    with pytest.raises(ThresholdChangeError, match="a change of a threshold has no entry 'novel'"):
        Calibration.from_dict({**data, "changes": [{"novel": 1}]})
    with pytest.raises(ThresholdChangeError, match="a change of a threshold needs date, old; they are missing"):
        Calibration.from_dict({**data, "changes": [{"new": 1.0, "method": "tail"}]})
