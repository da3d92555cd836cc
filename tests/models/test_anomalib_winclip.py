"""WinCLIP fitted in place, saved, loaded and compared with anomalib's Engine (tox run -e winclip)."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("anomalib")
pytest.importorskip("open_clip")
if tuple(int(part) for part in version("open_clip_torch").split(".")[:3]) >= (2, 26, 1):
    pytest.skip("anomalib's WinCLIP gives constant maps with this open_clip_torch", allow_module_level=True)
import torch

from models.anomalib_tiny import alias, close, engine_predicts, pictures, write
from pyimgano_industrial.models.anomalib.offline import without_weights

torch.set_num_threads(1)


def test_winclip_fits_on_its_shots_and_its_checkpoint_predicts_what_anomalib_s_engine_predicts(tmp_path: Path) -> None:
    files = write(pictures(2, seed=1), tmp_path / "images")
    with without_weights():
        fitted = alias("WinClip")(init_args={"class_name": "part", "k_shot": 1}, device="cpu").fit(pictures(2))
    path = fitted.save(tmp_path / "winclip.ckpt")
    module = fitted._runtime.module
    module.post_processor = None
    expected, expected_maps = engine_predicts(module, tmp_path / "images", tmp_path, checkpoint=path)
    del fitted, module
    torch.manual_seed(1)  # a tensor that did not come from the file would differ now
    detector = alias("WinClip")(checkpoint_path=path, device="cpu")
    found = detector._running()(pictures(2, seed=1), normalized=False)
    close(found[0], expected)
    assert found[1] is not None
    close(np.stack(found[1]), expected_maps)
    assert min(np.ptp(one) for one in found[1]) > 0
    scores, maps = detector.score_and_map(files)
    close(scores, expected)
    assert {one.shape for one in maps} == {(80, 96)}
