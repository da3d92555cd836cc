"""What lies outside a region counts nowhere, in `fit` neither."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import detectors
from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.core.regions import RegionError
from pyimgano_industrial.inference import RegionDetector, infer
from pyimgano_industrial.presets import PresetDetector
from pyimgano_industrial.tiling import TiledDetector

SIZE, BOX = (24, 32), (4, 2, 20, 14)
MASK = np.zeros(SIZE, bool)
MASK[2:14, 4:20] = True
CORNERS = [(4, 2), (19, 2), (19, 13), (4, 13)]


class Surroundings:
    """Its map at a pixel depends on all pixels around it, in the image and in those that it was fitted on."""

    def fit(self, images: Sequence[Any], y: Any = None) -> Surroundings:  # noqa: ARG002 - a detector's signature
        self.normal = np.mean([self._spread(image) for image in images], axis=0)
        return self

    def decision_function(self, images: Sequence[Any]) -> list[float]:
        return [one.max() for one in self.predict_anomaly_map(images)]

    def predict_anomaly_map(self, images: Sequence[Any]) -> list[np.ndarray]:
        return [np.abs(self._spread(image) - self.normal) for image in images]

    @staticmethod
    def _read(image: Any) -> np.ndarray:
        return image if isinstance(image, np.ndarray) else cv2.imread(image)[..., ::-1]

    @classmethod
    def _spread(cls, image: Any) -> np.ndarray:
        pixels = cls._read(image)
        return cv2.blur(pixels.mean(axis=2), (15, 15)) + pixels.mean()


class Sees(Surroundings):
    """Keeps what it is given, in `fit` and afterwards."""

    def __init__(self) -> None:
        self.fitted: list[np.ndarray] = []
        self.scored: list[np.ndarray] = []

    def fit(self, images: Sequence[Any], y: Any = None) -> Surroundings:
        self.fitted += [self._read(image) for image in images]
        return super().fit(images, y)

    def predict_anomaly_map(self, images: Sequence[Any]) -> list[np.ndarray]:
        self.scored += [self._read(image) for image in images]
        return super().predict_anomaly_map(images)


def images(seed: int, outside: int) -> list[np.ndarray]:
    """Five images whose pixels inside follow from `seed`, those outside from `outside`."""
    one, other = (np.random.default_rng(number) for number in (seed, outside))
    inside = one.integers(90, 110, (5, *SIZE, 3), np.uint8)
    return list(np.where(MASK[..., None], inside, other.integers(0, 256, inside.shape, np.uint8)))


def save(pixels: np.ndarray, path: Path) -> Path:
    assert cv2.imwrite(f"{path}", pixels[..., ::-1])
    return path


@given(st.integers(0, 99), st.integers(100, 199), st.integers(100, 199), st.sampled_from([BOX, MASK, CORNERS]))
def test_pixels_outside_change_no_score_and_no_map(seed: int, one: int, other: int, roi: Any) -> None:
    found = []
    for outside in (one, other):
        detector = RegionDetector(Surroundings(), roi=roi).fit(images(seed, outside))
        results = infer(detector, images(seed + 1000, outside + 1), include_maps=True)
        assert [result.score for result in results] == detector.decision_function(images(seed + 1000, 7)).tolist()
        found.append((detector.threshold_, [(result.score, result.anomaly_map) for result in results]))
    (threshold, rows), (threshold_, rows_) = found
    assert threshold == threshold_
    for (score, anomaly_map), (score_, anomaly_map_) in zip(rows, rows_, strict=True):
        assert score == score_
        np.testing.assert_array_equal(anomaly_map, anomaly_map_)


def test_files_are_painted_as_arrays_are(tmp_path: Path) -> None:
    arrays = images(0, 100)
    files = [save(one, tmp_path / f"{index}.png") for index, one in enumerate(arrays)]
    by_file, by_array = (RegionDetector(Surroundings(), roi=BOX).fit(shown) for shown in (files, arrays))
    scores = by_array.decision_function(arrays).tolist()
    assert by_file.decision_function(files).tolist() == scores
    assert [one.score for one in infer(by_file, files)] == scores


def test_a_detector_that_reads_files_is_given_painted_ones(tmp_path: Path) -> None:
    class Reads(detectors.PathOnly):
        def fit(self, paths: Sequence[str]) -> None:
            self.colour = cv2.imread(paths[0])[0, 0, ::-1]
            assert [Path(one).name for one in paths] == [one.name for one in files]
            assert not {f"{one}" for one in files} & set(paths)

        def predict_anomaly_map(self, paths: Sequence[str]) -> list[np.ndarray]:
            assert all((cv2.imread(path)[0, 0, ::-1] == self.colour).all() for path in paths)
            return super().predict_anomaly_map(paths)

    files = [save(one, tmp_path / f"{index}.png") for index, one in enumerate(images(0, 100))]
    detector = RegionDetector(Reads(), roi=BOX).fit(files)
    assert len(infer(detector, files)) == 5


def test_the_paint_has_the_mean_colour_of_what_lies_inside() -> None:
    shown, sees = images(0, 100), Sees()
    RegionDetector(sees, roi=BOX).fit(shown)
    inside = np.rint(shown[0][MASK].mean(axis=0))
    assert all(
        (one[~MASK] == inside).all() and (one[MASK] == own[MASK]).all()
        for one, own in zip(sees.fitted, shown, strict=True)
    )


def test_behind_a_chain_images_are_painted_over_after_it_has_seen_them_whole() -> None:
    shown = images(0, 100)
    sees = Sees()
    behind = PresetDetector(detector=sees, preset="industrial-exposure")
    detector = RegionDetector(behind, roi=BOX).fit(shown)
    colour = np.rint(shown[0][MASK].mean(axis=0))
    corrected = [behind.chain_.apply(image) for image in shown]
    for one, whole in zip(sees.fitted + sees.scored, corrected + 2 * corrected, strict=True):  # scored and mapped
        assert (one[MASK] == whole[MASK]).all()
        assert (one[~MASK] == colour).all()
    assert [one.score for one in infer(detector, shown)] == detector.decision_scores_.tolist()
    plain = RegionDetector(PresetDetector(detector=Surroundings(), preset="industrial-exposure"), roi=BOX).fit(shown)
    again = pickle.loads(pickle.dumps(plain))
    assert again.decision_function(shown).tolist() == detector.decision_scores_.tolist()
    behind.fit(shown)  # alone, it sees whole images again
    assert (sees.fitted[-1] == corrected[-1]).all()


def test_behind_a_chain_floats_and_regions_by_name_are_painted_alike() -> None:
    shown, boxes = images(0, 100), {f"train/{index}": BOX for index in range(5)}
    names = [f"parts/train/{index}.png" for index in range(5)]
    found = []
    for taken in (shown, [one.astype(np.float32) / 255 for one in shown]):
        sees = Sees()
        detector = RegionDetector(PresetDetector(detector=sees, preset="industrial-exposure"), roi=boxes)
        detector.fit_only(taken, names=names)
        found.append(np.stack(sees.fitted))
    np.testing.assert_array_equal(*found)
    assert (found[0][0][~MASK] == np.rint(shown[0][MASK].mean(axis=0))).all()


def test_it_pickles_and_a_tiled_detector_may_be_inside() -> None:
    tiled = TiledDetector(detector=detectors.Brightest(), tile_size=8, stride=8, calibration="none")
    detector = RegionDetector(tiled, roi=BOX).fit(images(0, 100))
    shown = images(1, 101)
    again = pickle.loads(pickle.dumps(detector))
    assert again.decision_function(shown).tolist() == detector.decision_function(shown).tolist()


@pytest.mark.parametrize("roi", [{f"image {index}": BOX for index in range(5)}, lambda _: BOX])
def test_regions_by_name_count_in_fit_too(roi: Any) -> None:
    shown = images(0, 100)
    one = RegionDetector(Surroundings(), roi=BOX).fit(shown)
    by_name = RegionDetector(Surroundings(), roi=roi).fit(images(0, 101))
    assert by_name.decision_scores_.tolist() == one.decision_scores_.tolist()
    assert [result.score for result in infer(by_name, images(0, 102))] == one.decision_scores_.tolist()


def test_each_image_to_fit_on_has_its_own_region(tmp_path: Path) -> None:
    files = [save(one, tmp_path / f"{index}.png") for index, one in enumerate(images(0, 100))]
    sees = Sees()
    boxes = {f"{index}": (index, 0, index + 9, 9) for index in range(4)} | {"4": None}
    RegionDetector(sees, roi=boxes).fit(files)
    for index in range(4):
        assert (sees.fitted[index][:9, index : index + 9] == images(0, 100)[index][:9, index : index + 9]).all()
        assert (sees.fitted[index][9:] == sees.fitted[0][23, 31]).all()
    assert (sees.fitted[4] == images(0, 100)[4]).all()


def test_where_no_image_to_fit_on_has_a_region_and_where_it_was_fitted_before_whole_images_are_seen() -> None:
    shown, fitted = images(0, 100), Surroundings().fit(images(0, 100))
    whole = RegionDetector(fitted, roi=BOX).decision_function(shown).tolist()
    by_name = RegionDetector(Surroundings(), roi={f"image {index}": BOX for index in range(5)})
    by_name.fit_only(shown, names=[f"train/{index}.png" for index in range(5)])
    assert by_name.decision_function(shown).tolist() == whole


def test_where_only_some_images_to_fit_on_have_a_region_the_first_without_is_named() -> None:
    by_name = RegionDetector(Surroundings(), roi={"image 0": BOX, "image 1": None, "image 3": BOX})
    with pytest.raises(
        RegionError, match=r"^all or none of the images .* region; 3 of 5 have one, image 2 has none: add"
    ):
        by_name.fit(images(0, 100))


def test_a_detector_that_compares_with_reference_files_sees_whole_images() -> None:
    class Compares(Surroundings):
        def set_reference_dir(self, folder: str) -> None: ...

    shown = images(0, 100)
    whole = RegionDetector(Surroundings().fit(shown), roi=BOX).decision_function(shown).tolist()
    assert RegionDetector(Compares(), roi=BOX).fit(shown).decision_scores_.tolist() == whole


def test_what_cannot_be_read_or_holds_no_pixel_is_named(tmp_path: Path) -> None:
    files = [save(one, tmp_path / f"{index}.png") for index, one in enumerate(images(0, 100))]
    files[3].write_bytes(b"")
    with pytest.raises(ImageError, match=r"3.png: the file is empty"):
        RegionDetector(Surroundings(), roi=BOX).fit(files)
    with pytest.raises(RegionError, match=r"must hold a pixel; that of image 0 holds none"):
        RegionDetector(Surroundings(), roi=np.zeros(SIZE, bool)).fit(images(0, 100))
