"""Every model of anomalib that can be built offline predicts from each of its files what anomalib's Engine predicts."""

from __future__ import annotations

import gc
import socket
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from pyimgano_industrial.models.anomalib_detector import AnomalibDetector
from pyimgano_industrial.models.anomalib_table import MODELS
from pyimgano_industrial.models.checkpoint_files import CheckpointError
from pyimgano_industrial.models.placing import region

pytest.importorskip("anomalib")
import torch
from anomalib.models.image.anomalyvfm.components import radio

from models.anomalib_tiny import ELSEWHERE, IN_PLACE, TINY, alias, checkpoint, close, engine_predicts, pictures, write

pytestmark = pytest.mark.filterwarnings("ignore::pyimgano_industrial.core.errors.IndustrialWarning")
torch.set_num_threads(1)
NOT_ALIKE = {  # what is said of it
    ("AnomalyVFM", "onnx"): "it writes nothing",
    ("AnomalyVFM", "openvino"): "it writes nothing",
    ("AnomalyVFM", "torch"): "it writes nothing",
    ("GeneralAD", "torch"): "no attribute '_forward'",  # of an attention that anomalib alters while it builds the model
    ("L2BT", "onnx"): "Not equal to tolerance",  # its graph pads to a square, then resizes without antialiasing
    ("L2BT", "openvino"): "Not equal to tolerance",
    ("MHPatchcore", "openvino"): "Not equal to tolerance",  # OpenVINO computes its float64 distances in float32
}
LOOSE = {"Cfa": 1e-3, "Dsr": 5e-4}  # small differences of large numbers, which every library rounds in its own way


@dataclass
class Made:
    """One model, its checkpoint, and what the Engine predicts: normalised scores, raw scores, raw maps."""

    name: str
    folder: Path
    path: Path
    module: Any
    files: list[str]
    normalized: NDArray[np.float32]
    scores: NDArray[np.float32]
    maps: NDArray[np.float32] | None
    exported: list[Any] = field(default_factory=list)

    def onnx(self, *_: object, **__: object) -> Any:
        """Export to ONNX, once; to_openvino does it anew each time, which is most of what it takes."""
        if not self.exported:
            try:
                self.exported.append(type(self.module).to_onnx(self.module, self.folder))
            except Exception as error:  # noqa: BLE001 - raised again for each who asks
                self.exported.append(error)
        if isinstance(self.exported[0], Exception):
            raise self.exported[0]
        return self.exported[0]


@pytest.fixture(scope="module", params=sorted(TINY))
def made(request: pytest.FixtureRequest) -> Iterator[Made]:
    """Make a model and forget it again; the network is denied, and AnomalyVFM has one of its 24 blocks."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as root:
        patch.setattr(socket.socket, "connect", refuse)
        patch.setattr(socket, "getaddrinfo", refuse)
        patch.setattr(radio, "VisionTransformer", partial(radio.VisionTransformer, depth=1))
        folder = Path(root)
        path, module = checkpoint(request.param, folder)
        files = write(pictures(3, seed=1), folder / "images")
        asked = path if request.param == "AnomalyVFM" else None  # zero-shot: without, the Engine would validate first
        normalized, _ = engine_predicts(module, folder / "images", folder, checkpoint=asked)
        kept, module.post_processor = module.post_processor, None
        scores, maps = engine_predicts(module, folder / "images", folder, checkpoint=asked)
        module.post_processor = kept
        torch.manual_seed(1)  # a tensor that did not come from the file would differ now
        yield Made(request.param, folder, path, module.cpu().eval(), files, normalized, scores, maps)
    gc.collect()


def test_every_loadable_model_is_compared_or_says_why_not() -> None:
    loadable = {model.class_name for model in MODELS if not model.not_loadable}
    assert TINY.keys() | ELSEWHERE.keys() == loadable
    assert not TINY.keys() & ELSEWHERE.keys()
    assert IN_PLACE.keys() | {"WinClip"} == {model.class_name for model in MODELS if model.fit == "in place"}


def compare(made: Made, path: Path, *, tolerance: float = 1e-4, **options: Any) -> Any:
    """Compare a file's scores and maps with the Engine's, one image at a time and in a batch; return the detector."""
    detector = alias(made.name)(checkpoint_path=path, device="cpu", batch_size=1, **options)
    assert detector.thresholds.image == pytest.approx(0.4)
    close(detector.decision_function(made.files), made.scores, tolerance=tolerance)
    if made.maps is None:
        assert not isinstance(detector, AnomalibDetector)
    else:
        images = [cv2.imread(file)[..., ::-1] for file in made.files]
        maps = [detector._running()([image], normalized=False)[1][0] for image in images]
        close(np.stack(maps), made.maps, tolerance=tolerance)
        scores, placed = detector.score_and_map(made.files)
        close(scores, made.scores, tolerance=tolerance)
        assert {one.shape for one in placed} == {(80, 96)}
    detector.batch_size = 3  # sums in another order, but nothing of the neighbours: theirs would be 10 times as much
    close(detector.decision_function(made.files), made.scores, tolerance=3 * tolerance)
    detector.score = "normalized"
    np.testing.assert_allclose(detector.decision_function(made.files), made.normalized, atol=1e-4)
    return detector


def test_a_checkpoint_gives_the_scores_and_maps_of_anomalib_s_engine_whatever_the_batch(made: Made) -> None:
    compare(made, made.path)


@pytest.mark.parametrize("form", ["torch", "onnx", "openvino"])
def test_an_export_gives_them_too_or_is_known_not_to(made: Made, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxscript")
    export = made.onnx if form == "onnx" else getattr(made.module, f"to_{form}")
    if form == "openvino":
        monkeypatch.setattr(made.module, "to_onnx", made.onnx)
    if form != "torch":
        pytest.importorskip("onnxruntime" if form == "onnx" else "openvino")
    otherwise = NOT_ALIKE.get((made.name, form))
    with nullcontext() if otherwise is None else pytest.raises((AssertionError, CheckpointError), match=otherwise):
        path = export(made.folder)
        assert path is not None, "it writes nothing"
        trust = form == "torch"
        detector = compare(made, path, tolerance=LOOSE.get(made.name, 1e-4), trust_checkpoint=trust)
        whole = alias(made.name)(checkpoint_path=made.path, device="cpu")
        seen = [region(one._running().steps, 80, 96) for one in (detector, whole)]
        assert seen[0] == seen[1]
