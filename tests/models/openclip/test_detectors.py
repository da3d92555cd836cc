"""The detectors on whole images: places, sizes, the host's commands, tiling, and what good parts teach."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.inference import infer
from pyimgano_industrial.models.clip_batch import OpenCLIPBatch
from pyimgano_industrial.models.clip_detector import NotFittedError
from pyimgano_industrial.models.clip_few_shot import OpenCLIPFewShot
from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch
from pyimgano_industrial.models.clip_settings import ClipError
from pyimgano_industrial.models.views import ViewError
from pyimgano_industrial.testing import ModelContract
from pyimgano_industrial.tiling import TiledDetector

NAME = "tiny-ViT-B-16"
CLIP = {"openclip_model_name": NAME, "openclip_pretrained": None}
DETECTORS: tuple[Any, ...] = (OpenCLIPPromptPatch, OpenCLIPFewShot, OpenCLIPBatch)
Image = NDArray[np.uint8]


def parts(count: int, size: tuple[int, int] = (96, 128)) -> list[Image]:
    noise = np.random.default_rng(0).integers(100, 120, (count, *size, 3))
    return list(noise.astype(np.uint8))


class TestFewShot(ModelContract):
    def make_detector(self) -> Any:
        return OpenCLIPFewShot(**CLIP)

    def test_an_anomalous_image_scores_higher_than_normal_ones(self) -> None:
        """Random weights: the part of the prompts means nothing, that of the bank does."""
        detector = self.make_detector().fit(self.normal_images())
        far = [detector._bank_part(one, (4, 6), [None] * 4).max() for one in self._features(detector)]
        assert far[-1] > max(far[:-1])

    def _features(self, detector: Any) -> Any:
        images = [*self.normal_images(), self.anomalous_image()]
        views = detector._views(images[0])
        return list(detector.engine.views(images, views, detector._wanted(views.view, plain=True), batch_size=1))


class TestBatch(ModelContract):
    def make_detector(self) -> Any:
        return OpenCLIPBatch(**CLIP)


@pytest.mark.parametrize("detector", DETECTORS)
def test_images_of_mixed_sizes_keep_their_order_and_their_scores(detector: Any) -> None:
    fitted = detector(**CLIP, batch_size=2).fit(parts(3))
    images = [*parts(2, (70, 90)), *parts(1), np.full((200, 64, 3), 90, np.uint8), *parts(2, (70, 90))]
    scores, maps = fitted.score_and_map(images)
    assert [one.shape for one in maps] == [image.shape[:2] for image in images]
    alone = [fitted.decision_function([image])[0] for image in images]
    np.testing.assert_allclose(scores, alone, rtol=1e-4, atol=1e-5)


@pytest.mark.filterwarnings("ignore:4 scores of normal images")
@pytest.mark.parametrize("detector", DETECTORS)
def test_tiling_and_inference_compose(detector: Any) -> None:
    tiled = TiledDetector(detector=detector(**CLIP), tile_size=64, stride=48, score_reduce="max")
    tiled.fit(parts(4, (128, 160)))
    results = infer(tiled, parts(2, (128, 160)), include_maps=True)
    assert [one.anomaly_map.shape for one in results] == [(128, 160)] * 2
    assert all(np.isfinite(one.score) for one in results)


def test_images_of_fit_are_scored_without_their_own_patches() -> None:
    images = parts(3)
    images[2][:48] = (250, 20, 30)
    detector = OpenCLIPFewShot(**CLIP).fit(images)
    alone = OpenCLIPFewShot(**CLIP).fit(images[:2])
    np.testing.assert_allclose(detector.decision_scores_[2], alone.decision_function(images[2:])[0], rtol=1e-4)
    assert detector.decision_scores_[2] > detector.decision_function(images)[2]


def test_rotations_and_lighting_enlarge_the_bank() -> None:
    plain, more = OpenCLIPFewShot(**CLIP), OpenCLIPFewShot(**CLIP, rotations=True, lighting=True)
    images = parts(2, (64, 64))
    assert len(more.fit(images)._bank[0]) == 20 * len(plain.fit(images)._bank[0])
    turned = np.random.default_rng(3).integers(0, 255, (64, 64, 3), np.uint8)
    fitted = OpenCLIPFewShot(**CLIP, rotations=True).fit([turned, images[0]])
    views = fitted._views(turned)
    wanted = fitted._wanted(views.view, plain=True)
    rotated = next(fitted.engine.views([np.rot90(turned).copy()], views, wanted, batch_size=1))
    assert fitted._bank_part(rotated, views.view, [None] * 4).max() < 1e-5


def test_the_bank_stays_within_its_size() -> None:
    detector = OpenCLIPFewShot(**CLIP, bank_size=30).fit(parts(4))
    assert [len(rows) for rows in detector._bank] == [30] * 4


def test_a_single_good_image_warns_that_its_threshold_is_too_low() -> None:
    with pytest.warns(IndustrialWarning, match="knows by heart"):
        OpenCLIPFewShot(**CLIP).fit(parts(1))


def test_a_batch_scores_the_odd_one_highest_with_and_without_fit() -> None:
    images = parts(6)
    images[4][20:60, 40:90] = (250, 20, 30)
    free, fitted = OpenCLIPBatch(**CLIP), OpenCLIPBatch(**CLIP).fit(images)
    scores = free.decision_function(images)
    assert scores.argmax() == 4
    np.testing.assert_allclose(fitted.decision_function(images), scores, rtol=1e-5)
    np.testing.assert_allclose(fitted.decision_scores_, scores, rtol=1e-5)
    y, x = np.unravel_index(fitted.get_anomaly_map(images[4]).argmax(), (96, 128))
    assert 8 <= y <= 72
    assert 28 <= x <= 102


def test_what_is_too_little_is_an_error() -> None:
    with pytest.raises(NotFittedError, match="scores images against each other; got 1"):
        OpenCLIPBatch(**CLIP).decision_function(parts(1))
    with pytest.raises(ClipError, match="at least two different images"):
        OpenCLIPBatch(**CLIP).fit([parts(1)[0]] * 3)
    with pytest.raises(NotFittedError, match="needs good images: call fit"):
        OpenCLIPFewShot(**CLIP).decision_function(parts(1))
    with pytest.raises(NotFittedError, match="predict\\(\\) needs a threshold"):
        OpenCLIPPromptPatch(**CLIP).predict(parts(1))
    with pytest.raises(ClipError, match="fit\\(\\) needs at least one image"):
        OpenCLIPPromptPatch(**CLIP).fit([])
    with pytest.raises(ViewError, match="at least one patch"):
        OpenCLIPPromptPatch(**CLIP).decision_function(parts(1, (8, 100)))
    with pytest.raises(ClipError, match=r"blocks must be in 1\.\.4"):
        OpenCLIPPromptPatch(**CLIP, blocks=[2, 5]).decision_function(parts(1))
    with pytest.raises(ClipError, match="pass resizing='windows'"):
        OpenCLIPPromptPatch(
            openclip_model_name="tiny-EVA02-B-16", openclip_pretrained=None, resizing="interpolate"
        ).decision_function(parts(1))


def test_copies_share_the_loaded_model() -> None:
    detector = OpenCLIPPromptPatch(**CLIP)
    assert copy.deepcopy(detector).engine is detector.engine


def test_a_detector_keeps_its_model_whatever_others_load() -> None:
    detectors = [OpenCLIPPromptPatch(**CLIP, precision=precision) for precision in ("fp32", "bf16", "fp16")]
    loaded = [detector.engine for detector in detectors]
    assert [detector.engine for detector in detectors] == loaded
    assert OpenCLIPPromptPatch(**CLIP).engine is loaded[0], "a new detector shares what another holds"


def test_a_pickle_leaves_the_model_out() -> None:
    detector = OpenCLIPPromptPatch(**CLIP).fit(parts(2))
    stored = pickle.dumps(detector)
    assert len(stored) < 100_000, "its weights alone have 6 MB"
    np.testing.assert_array_equal(pickle.loads(stored).decision_function(parts(2)), detector.decision_scores_)


def test_maps_are_not_copied_and_equal_those_of_a_generator() -> None:
    detector = OpenCLIPPromptPatch(**CLIP, batch_size=2)
    maps = detector.predict_anomaly_map(parts(5))
    assert isinstance(maps, np.ndarray)
    np.testing.assert_array_equal(detector.predict_anomaly_map(part for part in parts(5)), maps)


def test_the_zero_shot_threshold_flags_the_stated_share() -> None:
    detector = OpenCLIPPromptPatch(**CLIP, contamination=0.25).fit(parts(8))
    assert detector.predict(parts(8)).sum() == 2
