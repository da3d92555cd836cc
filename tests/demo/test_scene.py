"""Rendered scenes: deterministic, with masks that are exactly what a defect changed."""

from __future__ import annotations

import numpy as np
import pytest

from pyimgano_industrial.core.errors import IndustrialError, UnknownNameError
from pyimgano_industrial.demo.light import LIGHTINGS, expose
from pyimgano_industrial.demo.parts import PARTS, sprite
from pyimgano_industrial.demo.scene import LOGICAL, STRUCTURAL, render
from pyimgano_industrial.demo.tray import tray

SMALL = 384


def test_the_same_seed_gives_the_same_pixels() -> None:
    once = render(5, defects=["dent", "wrong_part"], lighting="shift_1", height=SMALL)
    again = render(5, defects=["dent", "wrong_part"], lighting="shift_1", height=SMALL)

    assert np.array_equal(once.image, again.image)
    assert all(np.array_equal(a.mask, b.mask) for a, b in zip(once.defects, again.defects, strict=True))


def test_another_seed_lays_the_parts_elsewhere() -> None:
    one, other = (render(seed, noise=False, height=SMALL).image for seed in (5, 6))

    assert (one != other).any()


def test_a_scene_is_rgb_of_the_asked_height() -> None:
    scene = render(0, height=SMALL)

    assert scene.image.shape == (384, 512, 3)
    assert scene.image.dtype == np.uint8
    assert scene.defects == ()


@pytest.mark.parametrize("name", LOGICAL + STRUCTURAL)
@pytest.mark.parametrize("seed", range(4))
def test_a_mask_covers_exactly_the_pixels_that_the_defect_changed(name: str, seed: int) -> None:
    clean = render(seed, noise=False, height=SMALL)
    flawed = render(seed, defects=[name], noise=False, height=SMALL)

    changed = (clean.image != flawed.image).any(axis=2)

    assert [defect.name for defect in flawed.defects] == [name]
    assert np.array_equal(flawed.defects[0].mask, changed)


def test_the_masks_are_exact_at_full_size_too() -> None:
    clean = render(1, noise=False)
    flawed = render(1, defects=STRUCTURAL, noise=False)

    changed = (clean.image != flawed.image).any(axis=2)

    assert np.array_equal(np.any([defect.mask for defect in flawed.defects], axis=0), changed)


@pytest.mark.parametrize("name", LOGICAL + STRUCTURAL)
@pytest.mark.parametrize("height", [96, 384])
def test_no_defect_is_too_small_to_leave_a_mark(name: str, height: int) -> None:
    areas = [int(render(seed, defects=[name], height=height).defects[0].mask.sum()) for seed in range(12)]

    assert min(areas) > 0


def test_several_defects_do_not_share_pixels() -> None:
    names = ["missing_part", "additional_part", "wrong_part", "scratch", "dent", "chipped_edge"]
    scene = render(2, defects=names, height=SMALL)

    assert [defect.name for defect in scene.defects] == names
    assert np.sum([defect.mask for defect in scene.defects], axis=0).max() == 1


def test_a_missing_part_marks_at_least_the_area_of_a_part() -> None:
    smallest = min(int((sprite(part, SMALL / 1536).alpha > 0.5).sum()) for part in PARTS)
    mask = render(3, defects=["missing_part"], height=SMALL).defects[0].mask

    assert mask.sum() >= 0.95 * smallest


def test_light_changes_the_image_and_not_the_masks() -> None:
    scenes = {light: render(4, defects=["scratch"], lighting=light, height=SMALL) for light in LIGHTINGS}
    brightness = {light: float(scene.image.mean()) for light, scene in scenes.items()}

    assert len({scene.defects[0].mask.tobytes() for scene in scenes.values()}) == 1
    assert brightness["underexposed"] < 0.7 * brightness["regular"]
    assert brightness["overexposed"] > 1.3 * brightness["regular"]


def test_shifted_light_comes_from_one_side() -> None:
    grey = np.full((96, 128, 3), 100, np.uint8)
    left_to_right = expose(grey, lighting="shift_1")

    assert left_to_right[:, :20].mean() > 1.5 * left_to_right[:, -20:].mean()


def test_regular_light_keeps_every_two_grey_levels_apart() -> None:
    for flicker in (-0.01, 0.01):
        four_corners = [expose(np.full((2, 2, 3), level, np.uint8), flicker=flicker) for level in range(216)]
        steps = np.diff(np.stack(four_corners).astype(int), axis=0)
        assert steps.min() >= 1


def test_the_noise_is_that_of_a_camera() -> None:
    grey = np.full((96, 128, 3), 100, np.uint8)
    clean = expose(grey).astype(float)
    noisy = expose(grey, noise_seed=1).astype(float)
    other = expose(grey, noise_seed=2).astype(float)

    assert 1 < (noisy - clean).std() < 2.5
    assert abs((noisy - clean).mean()) < 0.1
    assert abs(np.corrcoef((noisy - clean).ravel(), (other - clean).ravel())[0, 1]) < 0.05


def test_the_empty_tray_is_the_same_for_every_scene() -> None:
    assert tray(0.25) is tray(0.25)
    assert tray(0.25).shape == (384, 512, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"defects": ["scrach"]}, "unknown defect 'scrach'; did you mean 'scratch'?"),
        ({"defects": ["dent"] * 7}, "defects must be at most 6, one a compartment; got 7"),
        ({"height": 100}, "height must be a multiple of 3 and at least 96; got 100"),
        ({"height": 30}, "height must be a multiple of 3 and at least 96; got 30"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(IndustrialError) as raised:
        render(0, **arguments)  # type: ignore[arg-type]  # one table for arguments of several types

    assert message in str(raised.value)


def test_an_unknown_lighting_names_the_closest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'overexposed'"):
        render(0, lighting="over_exposed", height=96)
