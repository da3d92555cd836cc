"""Every model of anomalib that can be built offline predicts through its checkpoint what anomalib's Engine predicts."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from pyimgano_industrial.models.anomalib_detector import AnomalibDetector
from pyimgano_industrial.models.anomalib_table import MODELS

pytest.importorskip("anomalib")
import torch

from models.anomalib_tiny import ELSEWHERE, IN_PLACE, TINY, alias, checkpoint, close, engine_predicts, pictures, write

pytestmark = pytest.mark.filterwarnings("ignore::pyimgano_industrial.core.errors.IndustrialWarning")
torch.set_num_threads(1)


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_every_loadable_model_is_compared_or_says_why_not() -> None:
    loadable = {model.class_name for model in MODELS if not model.not_loadable}
    assert TINY.keys() | ELSEWHERE.keys() == loadable
    assert not TINY.keys() & ELSEWHERE.keys()
    assert IN_PLACE.keys() | {"WinClip"} == {model.class_name for model in MODELS if model.fit == "in place"}


@pytest.mark.usefixtures("denied")
@pytest.mark.parametrize("name", sorted(TINY))
def test_scores_and_maps_are_those_of_anomalib_s_engine_whatever_the_batch(name: str, tmp_path: Path) -> None:
    path, module = checkpoint(name, tmp_path)
    files = write(pictures(3, seed=1), tmp_path / "images")
    torch.manual_seed(1)  # a tensor that did not come from the file would differ now
    detector: Any = alias(name)(checkpoint_path=path, device="cpu", batch_size=1)
    scaled = alias(name)(checkpoint_path=path, device="cpu", batch_size=3, score="normalized")
    assert detector.thresholds.image == pytest.approx(0.4)
    expected, _ = engine_predicts(module, tmp_path / "images", tmp_path)
    np.testing.assert_allclose(scaled.decision_function(files), expected, atol=1e-4)
    module.post_processor = None
    expected, expected_maps = engine_predicts(module, tmp_path / "images", tmp_path)
    close(detector.decision_function(files), expected)
    if expected_maps is None:
        assert not isinstance(detector, AnomalibDetector)
    else:
        images = [cv2.imread(file)[..., ::-1] for file in files]
        maps = [detector._running()([image], normalized=False)[1][0] for image in images]
        close(np.stack(maps), expected_maps)
        scores, placed = detector.score_and_map(files)
        close(scores, expected)
        assert {one.shape for one in placed} == {(80, 96)}
    detector.batch_size = 3  # sums in another order, but nothing of the neighbours: theirs would be 10 times as much
    close(detector.decision_function(files), expected, tolerance=3e-4)
