from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from pictures import photograph
from pyimgano_industrial.core.errors import UnknownNameError
from pyimgano_industrial.presets import STEPS, PresetError, Step
from pyimgano_industrial.presets.pixels import FULL_SCALE

OPTIONS: dict[str, dict[str, Any]] = {
    "gamma": {"gamma": 1.7},
    "mask_roi": {"box": [0, 0, 1, 1]},
    "match_sharpness": {"target": 0.02},
    "reference_white": {"patch": [0, 0, 1, 1]},
}
KINDS = ("uint8", "uint16", "float32")


@st.composite
def images(draw: st.DrawFn) -> NDArray[Any]:
    kind = draw(st.sampled_from(KINDS))
    shape = draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    shape = (*shape, 3) if draw(st.booleans()) else shape
    if kind == "float32":
        return draw(arrays.arrays(np.float32, shape, elements=st.floats(0, 1, width=32)))
    return draw(arrays.arrays(kind, shape))


@pytest.mark.parametrize("name", sorted(STEPS))
@settings(deadline=None, max_examples=60)
@given(image=images())
def test_a_step_keeps_shape_and_dtype_and_its_input_and_does_the_same_again(name: str, image: NDArray[Any]) -> None:
    before = image.copy()
    step = Step(name, OPTIONS.get(name, {}))
    if name == "reference_white" and image.ndim == 3:
        patch = image[0, 0] / FULL_SCALE[f"{image.dtype}"]
        assume(patch.min() > 0.02 and patch.max() < 0.98)  # else it shows no colour, which is an error
    once = step(image)
    assert once.shape == image.shape
    assert once.dtype == image.dtype
    assert np.isfinite(once.astype(np.float64)).all()
    assert once.min() >= 0
    assert once.max() <= FULL_SCALE[f"{image.dtype}"]
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(step(image), once)


@pytest.mark.parametrize("name", sorted(STEPS))
def test_a_step_gives_an_array_of_its_own(name: str) -> None:
    for image in (
        photograph(0),
        np.zeros((9, 9, 3), np.uint8),
        np.full((9, 9), 255, np.uint8),
        np.ones((1, 1), np.uint8),
    ):
        if name != "reference_white" or image.ndim == 2:
            assert not np.shares_memory(Step(name, OPTIONS.get(name, {}))(image), image)


@pytest.mark.parametrize("name", sorted(set(STEPS) - {"mask_roi", "reference_white"}))
@pytest.mark.parametrize("value", [0, 255])
def test_a_black_and_a_saturated_image_stay_what_they_are(name: str, value: int) -> None:
    if name in ("gamma", "match_exposure") and value:
        pytest.skip("these change the brightness of any image but a black one")
    image = np.full((40, 40, 3), value, np.uint8)
    np.testing.assert_array_equal(Step(name, OPTIONS.get(name, {}))(image), image)


@pytest.mark.parametrize("name", sorted(set(STEPS) - {"mask_roi", "reference_white", "denoise", "deblock"}))
@pytest.mark.parametrize("grey", [True, False])
def test_the_kinds_of_sample_agree(name: str, grey: bool) -> None:
    step = Step(name, OPTIONS.get(name, {}))
    fine = step(photograph(1, dtype="float32", grey=grey))
    deep = step(photograph(1, dtype="uint16", grey=grey)) / 65535
    eight = step(photograph(1, grey=grey)) / 255
    assert np.abs(deep - fine).max() < 1e-3
    if name != "clahe":  # whose clip limit acts on each of 256 or 65536 bins
        assert np.abs(eight - fine).mean() < (0.02 if name == "match_sharpness" else 0.008)


def test_public_names_are_there() -> None:
    import pyimgano_industrial.presets as room

    assert all(getattr(room, name) is not None for name in room.__all__)
    assert set(STEPS) <= set(room.__all__)


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (np.zeros((4, 4, 4), np.uint8), r"must be \(H, W\) or \(H, W, 3\); an image has shape \(4, 4, 4\)"),
        (
            np.zeros((4, 4), np.int32),
            "samples must be uint8, uint16 or float32 in 0..1; an image has int32: convert it",
        ),
        (np.zeros((4, 4), np.float64), "an image has float64"),
        (np.zeros((0, 4, 3), np.uint8), r"must have pixels; an image has shape \(0, 4, 3\)"),
        (np.full((4, 4), 7, np.float32), "float32 samples must be in 0..1; an image has 7 to 7: divide by full scale"),
        (np.full((4, 4), np.nan, np.float32), "float32 samples must be in 0..1; an image has nan"),
        ([[1, 2]], "an image has list"),
    ],
)
@pytest.mark.parametrize("name", sorted(STEPS))
def test_what_is_no_image_is_an_error(name: str, image: Any, said: str) -> None:
    with pytest.raises(PresetError, match=said):
        Step(name, OPTIONS.get(name, {}))(image)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("gamma", {}, "step 'gamma' needs the option gamma"),
        ("gamma", {"gamma": 0}, "gamma must be above 0 and at most 20; got 0"),
        ("gamma", {"gamma": "high"}, "step 'gamma' cannot take {'gamma': 'high'}"),
        ("clahe", {"clip": 3}, "step 'clahe' has no option 'clip'; it takes clip_limit, tiles"),
        ("clahe", {"tiles": 0}, "tiles must be in 1..256; got 0"),
        ("clahe", {"clip_limit": -1}, "clip_limit must be above 0; got -1"),
        ("max_rgb", {"ignored": 1}, "ignored must be a share in 0..1, below 1; got 1"),
        ("shades_of_gray", {"norm": 0}, "norm must be above 0 and at most 64; got 0"),
        ("match_exposure", {"target": 2}, "target must be above 0 and at most 1; got 2"),
        ("match_exposure", {"most": 0.5}, "most must be at least 1, a factor; got 0.5"),
        ("stretch_contrast", {"low": 60, "high": 40}, "0 <= low < high <= 100; got 60 and 40"),
        ("stretch_contrast", {"to": [1, 0]}, "to must be two values, 0 <= first < second <= 1; got"),
        ("flatten", {"strength": 2}, "strength must be in 0..1; got 2"),
        ("flatten", {"sigma": 0}, "sigma must be above 0 and at most 4; got 0"),
        ("retinex", {"sigmas": []}, "sigmas must hold at least one share of the longer side; got none"),
        ("homomorphic", {"cutoff": 2}, "cutoff must be above 0 and at most 1; got 2"),
        ("deblock", {"size": 2}, "size must be in 4..64, the pixels of a block; got 2"),
        ("mask_glare", {"grow": -1}, "grow must be in 0..100 pixels; got -1"),
        ("denoise", {"sigma": 20}, "sigma must be above 0 and at most 10; got 20"),
    ],
)
def test_an_option_that_cannot_be_is_an_error_before_an_image_comes(name: str, options: Any, said: str) -> None:
    with pytest.raises(PresetError) as raised:
        Step(name, options)
    assert said in str(raised.value)


def test_an_unknown_step_names_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="unknown step 'grayworld'; did you mean 'gray_world'"):
        Step("grayworld")


def test_regions_and_patches_outside_the_image_are_errors() -> None:
    image = photograph(0)
    with pytest.raises(
        PresetError, match=r"a region must hold a pixel of the image, 160 x 120; got \[500, 0, 600, 9\]"
    ):
        STEPS["mask_roi"](image, box=[500, 0, 600, 9])
    with pytest.raises(PresetError, match="mask_roi needs a box or a polygon, one of them; got none"):
        STEPS["mask_roi"](image)
    with pytest.raises(PresetError, match="patch must be x0,y0,x1,y1 inside the image, 160 x 120 pixels; got"):
        STEPS["reference_white"](image, patch=[150, 0, 170, 9])
    with pytest.raises(PresetError, match="target must be three numbers above 0 and at most 1"):
        STEPS["reference_white"](image, patch=[0, 0, 9, 9], target=[1, 1])
