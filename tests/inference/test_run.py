"""A run: one result an input in order, flat memory, errors that name the image, and safe from several threads."""

from __future__ import annotations

import gc
import tracemalloc
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import detectors
from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.inference import InferenceError, InputFormatError, infer, infer_iter
from pyimgano_industrial.tiling import TiledDetector

RGB = [np.random.default_rng(seed).integers(0, 256, (6, 9, 3), np.uint8) for seed in range(4)]


def save(pixels: np.ndarray, path: Path) -> Path:
    assert cv2.imwrite(str(path), pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return path


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Four good files; the second is empty and the third cut short after writing."""
    paths = [save(pixels, tmp_path / f"bolt{index}.png") for index, pixels in enumerate(RGB)]
    paths[1].write_bytes(b"")
    paths[2].write_bytes(paths[2].read_bytes()[:60])
    return paths


def test_paths_and_arrays_mix(tmp_path: Path) -> None:
    mixed = [save(RGB[0], tmp_path / "a.png"), RGB[1], str(save(RGB[2], tmp_path / "b.bmp")), RGB[3]]
    results = infer(detectors.ListOnly(), mixed)
    assert [one.score for one in results] == pytest.approx([one.mean() for one in RGB], rel=1e-6)


def test_a_stated_format_is_that_of_every_array() -> None:
    results = infer(detectors.ListOnly(), [one[..., ::-1] for one in RGB], input_format="bgr_u8_hwc", include_maps=True)
    for one, pixels in zip(results, RGB, strict=True):
        np.testing.assert_array_equal(one.anomaly_map, pixels[..., 0])


def test_an_unknown_format_is_an_error_before_anything_runs() -> None:
    with pytest.raises(InputFormatError, match="input_format must be a known format; got 'rgb'"):
        infer(detectors.ListOnly(), RGB, input_format="rgb")


def test_a_broken_file_is_an_error_that_names_it(files: list[Path]) -> None:
    with pytest.raises(ImageError, match=r"cannot read .*bolt1.png: the file is empty; replace it"):
        infer(detectors.ListOnly(), files[:2])
    with pytest.raises(ImageError, match=r"bolt2.png: the file \(60 bytes\) is truncated, damaged or not an image"):
        infer(detectors.ListOnly(), files[2:])
    with pytest.raises(ImageError, match=r"image file not found: .*nowhere.png"):
        infer(detectors.ListOnly(), ["nowhere.png"])


@pytest.mark.parametrize("batch_size", [None, 1, 2, 3])
def test_report_goes_on_and_the_result_carries_the_error(files: list[Path], batch_size: int | None) -> None:
    results = infer(detectors.ListOnly(), files, on_error="report", include_maps=True, batch_size=batch_size)
    assert [type(one.error) for one in results] == [type(None), ImageError, ImageError, type(None)]
    assert [one.score for one in results] == pytest.approx(
        [RGB[0].mean(), np.nan, np.nan, RGB[3].mean()], nan_ok=True, rel=1e-6
    )
    assert [one.anomaly_map is None for one in results] == [False, True, True, False]
    assert "bolt1.png" in str(results[1].error)


def test_report_finds_the_image_that_the_detector_fails_on() -> None:
    class Picky(detectors.ListOnly):
        def decision_function(self, images: list[np.ndarray]) -> list[float]:
            if any(one.max() == 0 for one in images):
                raise ZeroDivisionError("a black image")
            return super().decision_function(images)

    black = np.zeros((6, 9, 3), np.uint8)
    for inputs, bad in (([RGB[0], black, RGB[1]], 1), ([black, RGB[0], RGB[1]], 0)):
        results = infer(Picky(), inputs, on_error="report")
        assert [one.error is not None for one in results] == [index == bad for index in range(3)]
        assert str(results[bad].error) == "a black image"
        with pytest.raises(ZeroDivisionError):
            infer(Picky(), inputs)


def test_only_two_ways_to_take_an_error() -> None:
    with pytest.raises(InferenceError, match="on_error must be one of raise, report; got 'ignore'"):
        infer(detectors.ListOnly(), RGB, on_error="ignore")  # type: ignore[arg-type]  # a wrong value on purpose


def test_a_post_processing_step_gets_every_map() -> None:
    results = infer(
        detectors.ListOnly(),
        RGB,
        include_maps=True,
        postprocess=lambda one: one / 2,
        postprocess_summary={"step": "half"},
    )
    assert results[0].anomaly_map is not None
    np.testing.assert_array_equal(results[0].anomaly_map, RGB[0][..., 0] / 2)
    assert [one.postprocess_summary for one in results] == [{"step": "half"}] * 4


def test_a_map_that_is_kept_is_no_part_of_its_batch_and_stays_as_it_was() -> None:
    class Reuses:
        """Writes every batch into the same array, as one with memory of its own on a device may do."""

        maps = np.zeros((2, 6, 9), np.float32)

        def score_and_map(self, images: list[np.ndarray]) -> Any:
            self.maps[: len(images)] = [one[..., 0] for one in images]
            return [one.mean() for one in images], self.maps[: len(images)]

    for one, pixels in zip(infer(Reuses(), RGB, include_maps=True, batch_size=2), RGB, strict=True):
        assert one.anomaly_map is not None
        assert one.anomaly_map.base is None
        np.testing.assert_array_equal(one.anomaly_map, pixels[..., 0])


def test_no_inputs_give_no_results() -> None:
    assert infer(detectors.ListOnly(), []) == []


def test_results_come_while_inputs_are_still_made() -> None:
    taken: list[int] = []

    def endless() -> Iterator[np.ndarray]:
        while True:
            taken.append(len(taken))
            yield RGB[0]

    found = infer_iter(detectors.ListOnly(), endless(), batch_size=2)
    for _ in range(10):
        next(found)
    assert len(taken) <= 14
    found.close()


def test_memory_does_not_grow_with_the_number_of_images() -> None:
    def peak(count: int) -> int:
        images = (np.full((64, 64, 3), index % 256, np.uint8) for index in range(count))
        tracemalloc.start()
        for one in infer_iter(detectors.ListOnly(), images, include_maps=True):
            assert one.anomaly_map is not None
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(50)
    assert min(peak(400), peak(400)) < 1.2 * peak(50)  # once in a process, Python's table of strings grows by 1 MiB


def test_a_detector_is_not_kept_alive_by_what_was_found_out_about_it() -> None:
    detector = detectors.ListOnly()
    infer(detector, RGB)
    gone = weakref.ref(detector)
    del detector
    gc.collect()
    assert gone() is None


def test_a_detector_without_weak_references_runs() -> None:
    class Slots:
        __slots__ = ()

        def decision_function(self, images: list[np.ndarray]) -> list[float]:
            return [one.mean() for one in images]

    assert len(infer(Slots(), RGB)) == 4


def test_several_threads_may_share_one_detector() -> None:
    class Unsafe(detectors.ScoresOnly):
        """Keeps what it works on in itself, as many detectors do."""

        inside = 0

        def decision_function(self, images: list[np.ndarray]) -> list[float]:
            self.inside += 1
            assert self.inside == 1, "two threads in one detector"
            self.images = images
            scores = [sum(one.ravel().tolist()) / one.size for one in self.images]
            self.inside -= 1
            return scores

    detector = Unsafe()
    own = [[np.full((6, 9, 3), 10 * thread + index, np.uint8) for index in range(10)] for thread in range(8)]

    def run(images: list[np.ndarray]) -> list[float]:
        return [one.score for one in infer(detector, images, batch_size=1)]

    with ThreadPoolExecutor(8) as pool:
        for scores, images in zip(pool.map(run, own), own, strict=True):
            assert scores == [one[0, 0, 0] for one in images]


@pytest.mark.parametrize("form", ["files", "arrays"])
def test_a_tiled_detector_runs_as_any_other(tmp_path: Path, form: str) -> None:
    images = [np.random.default_rng(seed).integers(0, 200, (40, 50, 3), np.uint8) for seed in range(60)]
    inputs: list[Any] = (
        images if form == "arrays" else [save(one, tmp_path / f"{i}.png") for i, one in enumerate(images)]
    )
    tiled = TiledDetector(detector=detectors.Brightest(), tile_size=16, stride=16).fit(inputs)
    bright = images[0].copy()
    bright[20, 30] = 255
    first, second = infer(tiled, [images[0], bright], include_maps=True)
    assert first.score < second.score
    assert second.anomaly_map is not None
    assert second.anomaly_map.shape == (40, 50)
    assert np.unravel_index(second.anomaly_map.argmax(), (40, 50)) == (20, 30)
