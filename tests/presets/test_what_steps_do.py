"""What each step is for, shown on pictures whose right answer is known, and beside pyimgano's functions."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pictures import part, photograph, stored
from pyimgano_industrial import presets
from pyimgano_industrial.presets.measures import blockiness, detail_level, noise_level, sharpness


def grey_scene(seed: int = 0) -> NDArray[np.float32]:
    """A scene without colour, (96, 128, 3)."""
    levels = np.random.default_rng(seed).uniform(0.1, 0.6, (12, 16)).astype(np.float32)
    return np.repeat(np.repeat(levels, 8, 0), 8, 1)[..., None].repeat(3, 2)


TINT = np.float32([1.3, 1.0, 0.8])


@pytest.mark.parametrize("name", ["gray_world", "max_rgb", "shades_of_gray"])
def test_white_balance_takes_the_tint_off_a_grey_scene(name: str) -> None:
    balanced = getattr(presets, name)(stored(grey_scene() * TINT, "uint16")) / 65535
    assert np.ptp(balanced, axis=2).max() < 1e-3


def test_shades_of_gray_goes_from_gray_world_to_max_rgb() -> None:
    image = photograph(0, dtype="uint16")
    np.testing.assert_allclose(
        presets.shades_of_gray(image, norm=1).astype(int), presets.gray_world(image).astype(int), atol=1
    )


def test_gray_world_ruins_a_red_part_and_a_white_patch_does_not() -> None:
    scene = part(0)
    scene[:10, :10] = 0.5  # a grey target in the corner
    tinted = stored(scene * np.float32([1.1, 1.0, 0.9]))
    middle = (slice(50, 70), slice(70, 90))

    def redness(image: NDArray[Any]) -> float:
        return float(image[middle][..., 0].mean() / image[middle][..., 2].mean())

    true = redness(stored(scene))
    assert true > 2.5
    assert redness(presets.gray_world(tinted)) < 0.75 * true
    assert redness(presets.reference_white(tinted, patch=[0, 0, 10, 10])) == pytest.approx(true, rel=0.03)


def test_a_white_patch_takes_the_colour_that_is_asked_for() -> None:
    image = np.full((8, 8, 3), (100, 120, 140), np.uint8)
    changed = presets.reference_white(image, patch=[0, 0, 4, 4], target=[0.5, 0.4, 0.3])
    assert changed[0, 0].tolist() == [127, 102, 76]


def test_match_exposure_brings_the_mean_luma_to_its_target_within_its_limit() -> None:
    image = stored(grey_scene() * 0.5, "uint16")
    assert presets.match_exposure(image, target=0.3).mean() / 65535 == pytest.approx(0.3, abs=0.002)
    limited = presets.match_exposure(image, target=1, most=1.5).astype(float)
    np.testing.assert_allclose(limited, image * 1.5, atol=1)


@pytest.mark.parametrize("linked", [True, False])
def test_stretch_contrast_maps_percentiles_and_linked_keeps_colours(linked: bool) -> None:
    image = photograph(0)
    stretched = presets.stretch_contrast(image, low=2, high=98, linked=linked)
    if linked:
        assert abs(int(np.percentile(stretched, 50)) - 0) < 255
        gains = [np.polyfit(image[..., c].ravel(), stretched[..., c].ravel(), 1)[0] for c in range(3)]
        assert np.ptp(gains) < 0.12
        return
    for channel in range(3):
        assert np.percentile(stretched[..., channel], 2) == pytest.approx(0, abs=2)
        assert np.percentile(stretched[..., channel], 98) == pytest.approx(255, abs=2)


@pytest.mark.parametrize("name", ["flatten", "retinex", "homomorphic"])
@pytest.mark.parametrize("grey", [True, False])
def test_slow_light_is_taken_off(name: str, grey: bool) -> None:
    scene = grey_scene()[..., 0] if grey else grey_scene()
    fade = np.linspace(0.5, 1.5, scene.shape[1], dtype=np.float32)
    lit = scene * (fade if grey else fade[:, None])

    def unevenness(image: NDArray[Any]) -> float:
        columns = np.log(image.reshape(*image.shape[:2], -1).mean(axis=(0, 2)))
        own = np.log(scene.reshape(*scene.shape[:2], -1).mean(axis=(0, 2)))
        return float(abs(np.polyfit(np.arange(len(columns)), columns - own, 1)[0]))

    step = getattr(presets, name)
    options = {"gamma_low": 0.3, "cutoff": 0.03} if name == "homomorphic" else {}
    assert unevenness(step(stored(lit, "float32"), **options)) < 0.5 * unevenness(lit)


def test_strength_0_of_flatten_changes_nothing() -> None:
    image = photograph(0)
    np.testing.assert_array_equal(presets.flatten(image, strength=0.0), image)


def test_light_steps_keep_the_ratios_of_the_channels() -> None:
    image = stored(np.clip(part(0), 0.1, 0.5), "float32")
    for step in (presets.flatten, presets.retinex):
        changed = step(image)
        np.testing.assert_allclose(changed[..., 0] / changed[..., 2], image[..., 0] / image[..., 2], rtol=1e-4)


def test_clahe_raises_local_contrast_and_leaves_tiny_images() -> None:
    image = stored(0.4 + 0.1 * part(0)[..., 1])
    assert presets.clahe(image).std() > 1.5 * image.std()
    tiny = image[:10, :10]
    np.testing.assert_array_equal(presets.clahe(tiny), tiny)


def test_denoise_lowers_noise_and_keeps_edges() -> None:
    clean = grey_scene()[..., 0]
    noisy = stored(clean + np.random.default_rng(0).normal(0, 0.03, clean.shape))
    smooth = presets.denoise(noisy) / 255
    assert np.sqrt(np.mean((smooth - clean) ** 2)) < 0.75 * np.sqrt(np.mean((noisy / 255 - clean) ** 2))
    assert noise_level(noisy) == pytest.approx(0.03, rel=0.35)


def test_deblock_lowers_the_steps_of_a_codec_and_keeps_edges() -> None:
    smooth = stored(
        np.linspace(0.2, 0.8, 256, dtype=np.float32)[None] * np.linspace(0.5, 1, 256, dtype=np.float32)[:, None]
    )
    coded = cv2.imdecode(cv2.imencode(".jpg", smooth, [cv2.IMWRITE_JPEG_QUALITY, 10])[1], cv2.IMREAD_GRAYSCALE)
    assert blockiness(coded) > 1
    freed = presets.deblock(coded)
    assert blockiness(freed) < 0.6 * blockiness(coded)
    assert np.abs(freed.astype(int) - smooth).mean() < np.abs(coded.astype(int) - smooth).mean()
    edge = np.zeros((64, 64), np.uint8)
    edge[:, 32:] = 200
    np.testing.assert_array_equal(presets.deblock(edge), edge)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_glare_is_filled_from_what_surrounds_it(dtype: str) -> None:
    scene = np.full((80, 80, 3), 0.4, np.float32) * np.linspace(0.8, 1.2, 80, dtype=np.float32)[:, None]
    glaring = scene.copy()
    glaring[30:40, 30:40] = 1
    filled = presets.mask_glare(stored(glaring, dtype)) / (
        255 if dtype == "uint8" else 65535 if dtype == "uint16" else 1
    )
    assert np.abs(filled - scene).max() < 0.05
    mask = presets.glare_mask(stored(glaring, dtype))
    assert mask[28, 35]
    assert not mask[20, 20]
    np.testing.assert_array_equal(presets.mask_glare(stored(glaring, dtype))[~mask], stored(glaring, dtype)[~mask])


def test_an_overexposed_image_is_no_glare() -> None:
    image = np.full((40, 40), 100, np.uint8)
    image[:20] = 255
    np.testing.assert_array_equal(presets.mask_glare(image), image)


def test_sharpness_is_brought_to_its_target_both_ways() -> None:
    image = stored(grey_scene()[..., 0], "float32")
    blurred = cv2.GaussianBlur(image, (0, 0), 1)
    target = detail_level(image)
    assert detail_level(blurred) < 0.8 * target
    assert detail_level(presets.match_sharpness(blurred, target=target, most=4)) == pytest.approx(target, rel=0.2)
    assert detail_level(presets.match_sharpness(image, target=target / 2)) == pytest.approx(target / 2, rel=0.2)
    assert sharpness(blurred) < sharpness(image) - 0.2


def test_what_lies_outside_a_region_is_filled() -> None:
    image = np.full((6, 8), 200, np.uint8)
    boxed = presets.mask_roi(image, box=[2, 1, 4, 3], fill=0.5)
    expected = np.full((6, 8), 127, np.uint8)
    expected[1:3, 2:4] = 200
    np.testing.assert_array_equal(boxed, expected)
    inside = presets.mask_roi(image, polygon=[[0, 0], [7, 0], [7, 5], [0, 5]])
    np.testing.assert_array_equal(inside, image)


# Beside pyimgano's functions, which keep their results: ours round where those cut off.


@pytest.mark.parametrize("seed", range(3))
def test_white_balance_agrees_with_that_of_the_host(seed: int) -> None:
    from pyimgano.preprocessing import industrial_presets as host

    image = photograph(seed)
    for ours, theirs in (
        (presets.gray_world, host.gray_world_white_balance),
        (presets.max_rgb, host.max_rgb_white_balance),
    ):
        assert np.abs(ours(image).astype(int) - theirs(image)).max() <= 1


def test_stretch_contrast_agrees_with_that_of_the_host() -> None:
    from pyimgano.preprocessing.advanced_operations import contrast_stretching

    image = photograph(0)
    ours = presets.stretch_contrast(image, low=2, high=98).astype(int)
    assert np.abs(ours - contrast_stretching(image, lower_percentile=2, upper_percentile=98)).max() <= 3


def test_the_homomorphic_filter_agrees_with_that_of_the_host_away_from_the_border() -> None:
    from pyimgano.preprocessing.industrial_presets import homomorphic_filter

    image = stored(np.clip(part(0), 0.15, 0.7))
    options = {"cutoff": 0.25, "gamma_low": 0.8, "gamma_high": 1.2}
    theirs = homomorphic_filter(image, per_channel=True, **options)
    ours = presets.homomorphic(image, **options)
    assert np.abs(ours.astype(int) - theirs)[12:-12, 12:-12].max() <= 3
