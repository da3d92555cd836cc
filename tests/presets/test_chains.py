from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pictures import photograph
from pyimgano_industrial.core.errors import UnknownNameError
from pyimgano_industrial.presets import CHAINS, CameraProfile, Chain, PresetError, ProfileStep, Step, chain

POINTWISE = [
    Step("gray_world"),
    Step("max_rgb", {"ignored": 0.01}),
    Step("shades_of_gray"),
    Step("gamma", {"gamma": 0.7}),
    Step("match_exposure"),
    Step("stretch_contrast", {"low": 3, "high": 97}),
    Step("stretch_contrast", {"linked": True, "to": [0.1, 0.8]}),
]
OTHERS = [Step("clahe"), Step("flatten"), Step("deblock")]


@settings(deadline=None, max_examples=50)
@given(
    steps=st.lists(st.sampled_from([*POINTWISE, *OTHERS]), max_size=6),
    dtype=st.sampled_from(["uint8", "uint16", "float32"]),
    grey=st.booleans(),
)
def test_a_fused_chain_gives_exactly_what_its_steps_give_one_by_one(steps: list[Step], dtype: str, grey: bool) -> None:
    image = photograph(2, dtype=dtype, grey=grey, height=40, width=50)
    expected = image
    for step in steps:
        expected = step(expected)
    found = Chain("any", tuple(steps)).apply(image)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == image.dtype
    assert not np.shares_memory(found, image)


@pytest.mark.parametrize("name", sorted(CHAINS))
def test_a_named_chain_survives_json_and_runs(name: str) -> None:
    one = chain(name)
    again = Chain.from_dict(json.loads(json.dumps(one.to_dict())))
    assert again == one
    assert one.name == name
    images = [photograph(seed, height=64, width=80) for seed in range(8)]
    fitted = one.fit(images)
    assert fitted.apply(images[0]).shape == images[0].shape
    assert not fitted.waits


def test_chains_add_up() -> None:
    both = chain("industrial-gray-world") + chain("industrial-clahe")
    assert both.name == "industrial-gray-world+industrial-clahe"
    image = photograph(0)
    np.testing.assert_array_equal(
        both.apply(image), chain("industrial-clahe").apply(chain("industrial-gray-world").apply(image))
    )


def test_a_chain_without_a_profile_reads_no_images_when_it_is_fitted() -> None:
    def fail() -> Any:
        raise AssertionError("read")
        yield

    one = chain("industrial-clahe")
    assert one.fit(fail()) is one


def test_a_profile_inside_a_chain_sees_what_the_steps_before_it_leave(tmp_path: Path) -> None:
    images = [photograph(seed) for seed in range(8)]
    one = Chain("line", (Step("gamma", {"gamma": 0.5}), ProfileStep(tolerance=(0, 0))))
    with pytest.raises(
        PresetError, match="'camera_profile' has no profile yet: fit the chain on good images, or name a file"
    ):
        one.apply(images[0])
    fitted = one.fit(images)
    direct = CameraProfile.fit([Step("gamma", {"gamma": 0.5})(image) for image in images])
    dark = (photograph(9) * 0.7).astype(np.uint8)
    expected = direct.correct(Step("gamma", {"gamma": 0.5})(dark), tolerance=(0, 0))[0]
    np.testing.assert_array_equal(fitted.apply(dark), expected)
    fitted.save(tmp_path / "line.json")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["line.json", "line.profile1.json", "line.profile1.npz"]
    again = chain(tmp_path / "line.json")
    assert not again.waits
    np.testing.assert_array_equal(again.apply(dark), expected)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "a chain must read"),
        ({"steps": "clahe"}, "a chain must read"),
        ({"steps": [{"name": "clahe"}]}, "a step must read"),
        ({"steps": [], "version": 9}, "reads chains of version 1; got 9"),
        ({"steps": [{"step": "camera_profile", "file": 1}]}, "has no option 'file'; it takes profile, tolerance"),
        ({"steps": [{"step": "camera_profile", "profile": "none.json"}]}, "profile not found: none.json"),
    ],
)
def test_what_is_no_chain_is_an_error(content: Any, said: str) -> None:
    with pytest.raises(PresetError, match=said):
        chain(content)


def test_an_unknown_name_and_a_missing_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="unknown preset 'industrial-clae'; did you mean 'industrial-clahe'"):
        chain("industrial-clae")
    with pytest.raises(PresetError, match=r"cannot read the chain .*none\.json"):
        chain(tmp_path / "none.json")
    (tmp_path / "bad.json").write_text("{", encoding="utf-8")
    with pytest.raises(PresetError, match=r"cannot read the chain .*bad\.json"):
        chain(tmp_path / "bad.json")


def test_another_kind_of_image_is_an_error_of_an_empty_chain_too() -> None:
    with pytest.raises(PresetError, match="samples must be"):
        Chain("empty", ()).apply(np.zeros((3, 3), np.int64))


def test_variants_are_part_of_a_chain_and_of_its_file(tmp_path: Path) -> None:
    own = chain("industrial-camera-robust")
    assert own.variants == "normal"
    assert own.waits
    assert Chain.from_dict(own.to_dict()) == own
    assert (chain("industrial-clahe") + own).variants == (own + chain("industrial-clahe")).variants == "normal"
    chain({"name": "a", "steps": [{"step": "clahe"}], "variants": "harsh"}).save(tmp_path / "a.json")
    assert Chain.load(tmp_path / "a.json").variants == "harsh"
    with pytest.raises(UnknownNameError, match="strength must be one of mild, normal, harsh; got 'wild'"):
        chain({"name": "a", "steps": [], "variants": "wild"})
