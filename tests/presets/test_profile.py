from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pictures import part, photograph, stored
from pyimgano_industrial.presets import PROPERTIES, CameraProfile, Measurement, ProfileError

Drift = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _vignette(image: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width = image.shape[:2]
    y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    fall = (1 - 0.3 * (x * x + y * y) / 2).astype(np.float32)
    return image * (fall if image.ndim == 2 else fall[..., None])


DRIFTS: dict[str, Drift] = {
    "darker": lambda image: image * 0.7,
    "brighter": lambda image: image * 1.3,
    "soft": lambda image: image**0.75,
    "hard": lambda image: image**1.35,
    "warm": lambda image: image * np.float32([1.2, 1.0, 0.85]) if image.ndim == 3 else image,
    "vignette": _vignette,
    "all": lambda image: _vignette(image * 0.85) ** 1.2,
}


@pytest.fixture(scope="module", params=["uint8", "uint16", "float32"])
def dtype(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    return kind


@pytest.fixture(scope="module")
def profile() -> CameraProfile:
    return CameraProfile.fit(photograph(seed) for seed in range(40))


def difference(one: NDArray[Any], other: NDArray[Any]) -> float:
    scale = {"uint8": 255, "uint16": 65535, "float32": 1}[f"{one.dtype}"]
    return float(np.abs(one.astype(np.float64) - other.astype(np.float64)).mean() / scale)


@pytest.mark.parametrize("name", sorted(DRIFTS))
@pytest.mark.parametrize("grey", [True, False])
def test_a_drifted_image_comes_back(name: str, grey: bool, dtype: str) -> None:
    if name == "warm" and grey:
        pytest.skip("grey images have no colour")
    profile = CameraProfile.fit(photograph(seed, dtype=dtype, grey=grey) for seed in range(20))
    for seed in range(100, 104):
        scene = part(seed)[..., 1] if grey else part(seed)
        image, drifted = stored(scene, dtype), stored(DRIFTS[name](scene), dtype)
        corrected, correction = profile.correct(drifted)
        assert corrected.dtype == image.dtype
        assert corrected.shape == image.shape
        assert difference(corrected, image) < 0.3 * difference(drifted, image)
        assert correction.changed


def test_a_good_image_stays_nearly_what_it_is(profile: CameraProfile) -> None:
    changes = []
    for seed in range(200, 260):
        image = photograph(seed)
        changes.append(difference(profile.correct(image)[0], image) * 255)
    assert np.median(changes) < 0.1
    assert np.mean(changes) < 0.6  # grey levels


@pytest.mark.parametrize(("fitted", "most"), [(12, 0.12), (60, 0.1)])
def test_few_good_images_widen_what_is_left_alone(fitted: int, most: float) -> None:
    """The lamp flickers by a tenth of a stop: new images of the same line hardly ever count as drifted."""
    changed = []
    for line in range(4):
        light = np.exp2(np.random.default_rng(line).normal(0, 0.1, fitted + 15))
        images = [stored(part(100 * line + k) * np.float32(one)) for k, one in enumerate(light)]
        profile = CameraProfile.fit(images[:fitted])
        changed += [profile.correct(image)[1].changed for image in images[fitted:]]
        dark = stored(part(1) * np.float32(0.5))
        assert profile.correct(dark)[1].changed
    assert np.mean(changed) <= most


def test_the_width_is_that_of_the_tables() -> None:
    """Two-sided tolerance factors, 95 % of a normal population with 95 % confidence (Hahn and Meeker, table A.10)."""
    from pyimgano_industrial.presets.correction import tolerance_factor

    for count, factor in ((5, 5.08), (10, 3.38), (20, 2.752), (50, 2.379), (100, 2.233)):
        assert tolerance_factor(count) == pytest.approx(factor, rel=0.02)


def test_what_a_defect_looks_like_stays(profile: CameraProfile) -> None:
    sound, broken = part(300), part(300, scratch=True)
    changed = np.abs(sound - broken).max(axis=2) > 0.1
    assert 0.01 < changed.mean() < 0.05
    kept = profile.correct(stored(broken))[0]
    assert difference(kept, stored(broken)) * 255 < 1.5
    drifted = stored(DRIFTS["darker"](broken))
    corrected = profile.correct(drifted)[0] / 255
    contrast = broken[changed].mean() - sound[changed].mean()
    assert corrected[changed].mean() - sound[changed].mean() == pytest.approx(contrast, rel=0.1)


def test_a_red_part_stays_red_under_a_warm_lamp(profile: CameraProfile) -> None:
    scene = part(301)
    warm = stored(DRIFTS["warm"](scene))
    middle = (slice(50, 70), slice(70, 90))
    corrected = profile.correct(warm)[0][middle].reshape(-1, 3).mean(0) / 255
    np.testing.assert_allclose(corrected, scene[middle].reshape(-1, 3).mean(0), rtol=0.04)


@pytest.mark.parametrize(
    ("name", "property_", "sign"),
    [
        ("darker", "exposure", -1),
        ("brighter", "exposure", 1),
        ("warm", "red", 1),
        ("warm", "blue", -1),
        ("hard", "contrast", 1),
        ("soft", "contrast", -1),
        ("vignette", "illumination", 1),
    ],
)
def test_a_measurement_says_what_moved(profile: CameraProfile, name: str, property_: str, sign: int) -> None:
    place = PROPERTIES.index(property_)
    low, high = np.quantile(profile.good[:, place], (0.0, 1.0))
    value = profile.measure(stored(DRIFTS[name](part(302)))).values()[place]
    assert value > high if sign > 0 else value < low


def test_exposure_is_in_stops(profile: CameraProfile) -> None:
    scene = part(303)
    before, after = profile.measure(stored(scene)).exposure, profile.measure(stored(scene / 2)).exposure
    assert after - before == pytest.approx(-1, abs=0.03)


def test_blur_noise_compression_and_glare_are_measured(profile: CameraProfile) -> None:
    import cv2

    scene = part(304)
    good = profile.measure(stored(scene))
    noisy = profile.measure(stored(scene + np.random.default_rng(0).normal(0, 0.03, scene.shape).astype(np.float32)))
    assert noisy.noise > 1.5 * good.noise
    blurred = profile.measure(stored(cv2.GaussianBlur(scene, (0, 0), 1.2)))
    assert blurred.noise < 0.7 * good.noise
    coded = cv2.imencode(".jpg", stored(scene), [cv2.IMWRITE_JPEG_QUALITY, 15])[1]
    assert profile.measure(cv2.imdecode(coded, cv2.IMREAD_COLOR)).compression > good.compression + 0.3
    glaring = scene.copy()
    glaring[20:60, 20:60] = 1
    assert profile.measure(stored(glaring)).glare == pytest.approx(40 * 40 / (120 * 160), abs=0.01)


def test_a_few_bad_images_do_no_harm() -> None:
    good = [photograph(seed) for seed in range(40)]
    bad = [np.zeros_like(good[0]), np.full_like(good[0], 255), stored(part(1) * 0.3), stored(part(2) ** 3)]
    clean, spoilt = CameraProfile.fit(good), CameraProfile.fit([*good[:20], *bad, *good[20:]])
    assert spoilt.left_out[:2] == ("image 20", "image 21")
    assert {"image 22", "image 23"} <= set(spoilt.left_out)
    drifted = stored(part(400) * 0.7)
    assert difference(spoilt.correct(drifted)[0], clean.correct(drifted)[0]) * 255 < 1.5


def test_a_correction_says_what_it_did(profile: CameraProfile) -> None:
    _, correction = profile.correct(stored(part(305) * 0.5))
    assert f"{correction}".startswith("taken out: exposure -0.9")
    said = correction.to_dict()
    assert said["undone"]["exposure"] == pytest.approx(-1, abs=0.06)
    assert json.loads(json.dumps(said)) == said
    assert f"{profile.correct(photograph(201), tolerance=(50, 60))[1]}" == "nothing taken out"


@pytest.mark.parametrize(
    ("image", "note"),
    [
        (np.zeros((40, 40, 3), np.uint8), "black or saturated: it shows no light"),
        (np.full((40, 40, 3), 255, np.uint8), "black or saturated: it shows no light"),
        (np.full((1, 1, 3), 90, np.uint8), "below 16 x 16 pixels"),
    ],
)
def test_what_shows_no_light_passes_through_and_it_is_said(
    profile: CameraProfile, image: NDArray[np.uint8], note: str
) -> None:
    corrected, correction = profile.correct(image)
    np.testing.assert_array_equal(corrected, image)
    assert not correction.changed
    assert correction.note == note
    assert f"{correction}" == f"nothing taken out ({note})"


def test_black_and_white_are_measured_as_the_ends_of_the_scale(profile: CameraProfile) -> None:
    black = profile.measure(np.zeros((40, 40, 3), np.uint8))
    white = profile.measure(np.full((40, 40, 3), 255, np.uint8))
    assert (black.exposure, white.exposure) == (-8, 8)
    assert not black.usable
    assert not white.usable
    assert all(np.isfinite(black.values()))


def test_another_resolution_is_corrected_and_not_compared_in_detail(profile: CameraProfile) -> None:
    large = stored(part(306, height=240, width=320) * 0.7)
    measured = profile.measure(large)
    assert not measured.comparable
    assert measured.exposure == pytest.approx(-0.51, abs=0.1)
    assert profile.correct(large)[1].note == ""
    wide = stored(part(306, height=60, width=320) * 0.7)
    assert (
        profile.correct(wide)[1].note == "320 x 60 has another shape than the profile's images: illumination left out"
    )


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (
            np.zeros((40, 40), np.uint8),
            "fitted on RGB uint8 images; part.png is grey uint8: convert it, or fit a profile",
        ),
        (np.zeros((40, 40, 3), np.uint16), "fitted on RGB uint8 images; part.png is RGB uint16"),
    ],
)
def test_another_kind_of_image_is_an_error(profile: CameraProfile, image: NDArray[Any], said: str) -> None:
    for call in (profile.correct, profile.measure):
        with pytest.raises(ProfileError, match=said):
            call(image, name="part.png")


def test_an_image_too_small_to_measure_is_an_error(profile: CameraProfile) -> None:
    with pytest.raises(ProfileError, match=r"must have 16 x 16 pixels; part\.png is 1 x 1"):
        profile.measure(np.zeros((1, 1, 3), np.uint8), name="part.png")


def test_a_profile_of_too_few_small_or_unlike_images_is_an_error() -> None:
    good = [photograph(seed) for seed in range(6)]
    with pytest.raises(ProfileError, match="a profile needs 5 good images at least, better 50; got 3"):
        CameraProfile.fit(good[:3])
    with pytest.raises(ProfileError, match="image 0 is RGB uint8, image 6 is grey uint8"):
        CameraProfile.fit([*good, good[0][..., 0]])
    with pytest.raises(ProfileError, match="image 0 is 8 x 8"):
        CameraProfile.fit([good[0][:8, :8]] * 6)
    with pytest.raises(ProfileError, match="6 of 6 are black or saturated, such as image 0: set the exposure first"):
        CameraProfile.fit([np.zeros((40, 40), np.uint8)] * 6)


def test_a_profile_is_fitted_on_files_too(tmp_path: Path) -> None:
    import cv2

    paths = []
    for seed in range(6):
        paths.append(tmp_path / f"{seed}.png")
        cv2.imwrite(f"{paths[-1]}", photograph(seed)[..., ::-1])
    from_files, from_arrays = CameraProfile.fit(paths), CameraProfile.fit(photograph(seed) for seed in range(6))
    np.testing.assert_array_equal(from_files.good, from_arrays.good)


def test_a_profile_comes_back_from_disk(profile: CameraProfile, tmp_path: Path) -> None:
    profile.save(tmp_path / "lines" / "line3.json")
    again = CameraProfile.load(tmp_path / "lines" / "line3.json")
    image = stored(part(307) * 0.7)
    np.testing.assert_array_equal(again.correct(image)[0], profile.correct(image)[0])
    assert again.measure(image) == profile.measure(image)
    said = json.loads((tmp_path / "lines" / "line3.json").read_text(encoding="utf-8"))
    assert said["version"] == 1
    assert set(said["good_images"]) == set(PROPERTIES)


def _broken(path: Path, what: str) -> None:
    text = path.read_text(encoding="utf-8")
    if what == "version":
        path.write_text(text.replace('"version": 1', '"version": 2'), encoding="utf-8")
    elif what == "text":
        path.write_text("{", encoding="utf-8")
    elif what == "other":
        path.write_text("[]", encoding="utf-8")
    elif what == "key":
        path.write_text(text.replace('"dtype"', '"kind"'), encoding="utf-8")
    elif what == "alone":
        path.with_suffix(".npz").unlink()
    elif what == "mixed":
        path.with_suffix(".npz").write_bytes(b"PK")


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("version", "reads profiles of version 1; .*line.json has 2: fit it again"),
        ("text", "line.json is no profile"),
        ("other", "line.json is no profile: it must say"),
        ("key", "line.json is damaged .*'dtype'"),
        ("alone", "line.json needs line.npz beside it: copy both files"),
        ("mixed", "line.npz does not belong to line.json: copy both files of one profile"),
    ],
)
def test_a_broken_file_says_what_is_wrong(profile: CameraProfile, tmp_path: Path, what: str, said: str) -> None:
    profile.save(tmp_path / "line.json")
    _broken(tmp_path / "line.json", what)
    with pytest.raises(ProfileError, match=said):
        CameraProfile.load(tmp_path / "line.json")


def test_a_missing_profile_and_a_wrong_name_are_errors(profile: CameraProfile, tmp_path: Path) -> None:
    with pytest.raises(
        ProfileError, match=r"profile not found: .*none\.json; `pyimgano-industrial drift --fit` makes one"
    ):
        CameraProfile.load(tmp_path / "none.json")
    with pytest.raises(ProfileError, match=r"a profile's name must end in \.json; got .*line\.npz"):
        profile.save(tmp_path / "line.npz")


@pytest.mark.parametrize("tolerance", [(-1, 2), (3, 2)])
def test_a_tolerance_that_cannot_be_is_an_error(profile: CameraProfile, tolerance: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match="tolerance must be two numbers of standard deviations, 0 <= first <= second"):
        profile.correct(photograph(0), tolerance=tolerance)


def test_measurements_are_plain_data(profile: CameraProfile) -> None:
    measured = profile.measure(photograph(0))
    assert Measurement(**json.loads(json.dumps(measured.to_dict()))) == measured


def test_an_interrupted_save_leaves_both_files_of_the_old_profile(
    profile: CameraProfile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile.save(tmp_path / "line.json")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == 2
    other = CameraProfile.fit(photograph(seed) for seed in range(40, 60))

    def interrupted(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        other.save(tmp_path / "line.json")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
