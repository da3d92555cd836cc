"""pyimgano.inference.infer and its neighbours are ours: bare and plugged, in fresh interpreters, on the real host."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from acme import save
from warm import bare_and_plugged, python

START = """
import warnings
import numpy as np
from functools import partial
from pathlib import Path
from pyimgano.inference import infer as host_infer
infer = partial(host_infer, input_format="rgb_u8_hwc")  # the bare host infers none
images = [np.full((6, 8, 3), value, np.uint8) for value in (10, 20)]
def said(run):
    try:
        return run()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
"""


def plain(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(90, 110, (24, 32, 3), np.uint8)


CLASSICAL = """
from pyimgano.models import create_model
rng = np.random.default_rng(0)
normal = [rng.integers(90, 110, (24, 32, 3), dtype=np.uint8) for _ in range(12)]
bad = normal[0].copy(); bad[5:15, 5:15] = 250
detector = create_model("vision_ecod"); detector.feature_extractor.resize = (5, 5); detector.fit(normal)
print(json.dumps(len({result.score for result in infer(detector, [*normal, bad])})))
"""


def test_classical_models_no_longer_see_black_in_every_array(tmp_path: Path) -> None:
    bare, plugged = bare_and_plugged(START + CLASSICAL, tmp_path)
    assert bare == 1
    assert plugged > 10


BROKEN = """
from pyimgano.models import create_model
paths = sorted(str(path) for path in Path(root).glob("*.png"))
detector = create_model("vision_ecod"); detector.feature_extractor.resize = (5, 5); detector.fit(paths[:-1])
print(json.dumps(said(lambda: [type(result.score).__name__ for result in infer(detector, [paths[-1]])])))
"""


def test_an_empty_file_is_an_error_and_no_black_image(tmp_path: Path) -> None:
    for index in range(8):
        save(plain(index), tmp_path / f"{index}.png")
    (tmp_path / "9.png").write_bytes(b"")
    bare, plugged = bare_and_plugged(START + BROKEN, tmp_path)
    assert bare == ["float"]
    assert "9.png: the file is empty; replace it" in plugged


TWO_SCORES = """
class Two:
    def decision_function(self, images): return [0.5, 1.5][:len(images)]
print(json.dumps(said(lambda: [result.score for result in infer(Two(), images)])))
"""


def test_two_scores_in_a_list_are_two_scores(tmp_path: Path) -> None:
    bare, plugged = bare_and_plugged(START + TWO_SCORES, tmp_path)
    assert bare != [0.5, 1.5]
    assert plugged == [0.5, 1.5]


MIXED_SIZES = """
class Maps:
    def decision_function(self, images): return [float(one.mean()) for one in images]
    def predict_anomaly_map(self, images): return [one[..., 0] for one in images]
images = [np.zeros((6, 8, 3), np.uint8), np.zeros((5, 9, 3), np.uint8)]
found = said(lambda: infer(Maps(), images, include_maps=True))
print(json.dumps(found if isinstance(found, str) else [m and list(m.shape) for m in [r.anomaly_map for r in found]]))
""".replace("m and list(m.shape)", "None if m is None else list(m.shape)")


def test_images_of_mixed_sizes_keep_their_maps(tmp_path: Path) -> None:
    bare, plugged = bare_and_plugged(START + MIXED_SIZES, tmp_path)
    assert bare != [[6, 8], [5, 9]]
    assert plugged == [[6, 8], [5, 9]]


BROKEN_MAPS = """
class Broken:
    calls = 0
    def decision_function(self, images): return [float(one.mean()) for one in images]
    def predict_anomaly_map(self, images):
        self.calls += 1
        raise RuntimeError("the hook is gone")
    def get_anomaly_map(self, image): return self.predict_anomaly_map([image])
detector = Broken()
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    infer(detector, images, include_maps=True, batch_size=1)
print(json.dumps([detector.calls, [str(one.message) for one in caught]]))
"""


def test_a_broken_map_call_is_said_once_and_not_repeated(tmp_path: Path) -> None:
    bare, plugged = bare_and_plugged(START + BROKEN_MAPS, tmp_path)
    assert bare[0] > 2
    assert bare[1] == []
    assert plugged[0] == 1
    assert len(plugged[1]) == 1
    assert "the map call of Broken failed with RuntimeError: the hook is gone" in plugged[1][0]


LIST_ONLY = """
class ListOnly:
    def decision_function(self, images):
        assert isinstance(images, list), "expected a list"
        return [float(one.mean()) for one in images]
    def predict_anomaly_map(self, images):
        assert isinstance(images, list), "expected a list"
        return np.stack([one[..., 0] for one in images])[..., None]
print(json.dumps(said(lambda: [r.anomaly_map is not None for r in infer(ListOnly(), images, include_maps=True)])))
"""


def test_maps_with_a_channel_axis_are_kept(tmp_path: Path) -> None:
    bare, plugged = bare_and_plugged(START + LIST_ONLY, tmp_path)
    assert bare != [True, True]
    assert plugged == [True, True]


TURNED = """
from pyimgano.models import create_model
paths = sorted(str(path) for path in Path(root).glob("good*.png"))
detector = create_model("vision_pixel_mad_map"); detector.fit(paths)
print(json.dumps([round(infer(detector, [str(Path(root) / name)])[0].score, 4) for name in names]))
"""


def test_a_turned_file_scores_as_the_upright_one(tmp_path: Path) -> None:
    for index in range(6):
        save(plain(index), tmp_path / f"good{index}.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(np.rot90(plain(9))).save(tmp_path / "turned.png", exif=turned)
    Image.fromarray(plain(9)).save(tmp_path / "upright.png")
    code = START + f"names = ['turned.png', 'upright.png']{TURNED}"
    (first, second) = json.loads(python(f"import json; root = {str(tmp_path)!r}\n{code}"))
    assert first == second


def test_a_12_bit_file_keeps_its_levels(tmp_path: Path) -> None:
    for index in range(6):
        save(plain(index), tmp_path / f"good{index}.png")
    assert cv2.imwrite(str(tmp_path / "deep.png"), plain(9)[..., ::-1].astype(np.uint16) * 16)
    save(plain(9), tmp_path / "plain.png")
    bare, plugged = bare_and_plugged(START + f"names = ['deep.png', 'plain.png']{TURNED}", tmp_path)
    assert bare[0] != bare[1]
    assert plugged[0] == plugged[1]


BY_ALL_NAMES = """
import pyimgano.inference as top, pyimgano.inference.api as api, pyimgano_industrial.inference as ours
from pyimgano.inference.runtime_adapter import score_and_maps
class Maps:
    def decision_function(self, images): return [float(one.mean()) for one in images]
    def predict_anomaly_map(self, images): return [one[::2, ::2, 0] for one in images]
results = top.infer(Maps(), images, include_maps=True)
print(json.dumps([top.infer is api.infer, type(results[0]) is ours.Result is api.InferenceResult,
                  [list(r.anomaly_map.shape) for r in results], list(score_and_maps(Maps(), images)[1].shape)]))
"""


def test_every_name_of_the_host_is_ours() -> None:
    found = json.loads(python(f"import json{START}{BY_ALL_NAMES}"))
    assert found == [True, True, [[6, 8], [6, 8]], [2, 3, 4]]


REPORT = """
from pyimgano.inference import result_to_jsonable
class Mean:
    def decision_function(self, images): return [float(one.mean()) for one in images]
good, bad = infer(Mean(), [images[0], "nowhere.png"], on_error="report")
print(json.dumps([result_to_jsonable(good)["score"], result_to_jsonable(bad)]))
"""


def test_a_reported_error_is_in_the_json() -> None:
    score, bad = json.loads(python(f"import json{START}{REPORT}"))
    assert score == 10.0
    assert bad["score"] is None
    assert bad["error"] == {"type": "ImageError", "message": "image file not found: nowhere.png"}


PEERS = """
from pyimgano.models import create_model
normal = [np.random.default_rng(seed).integers(90, 110, (24, 32, 3), dtype=np.uint8) for seed in range(6)]
detector = create_model("vision_sos"); detector.feature_extractor.resize = (5, 5); detector.fit(normal)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    infer(detector, normal)
print(json.dumps([str(one.message) for one in caught if "industrial" in type(one.message).__module__]))
"""


def test_a_model_that_compares_the_images_of_a_batch_says_so() -> None:
    (message,) = json.loads(python(f"import json{START}{PEERS}"))
    assert message.startswith("a VisionSOS scores an image against the others of its batch, so that its score changes")


@pytest.mark.parametrize("extra", ["amp=True", "batch_size=0", "include_confidence=True", "u16_max=4095"])
def test_the_host_s_own_arguments_still_work(extra: str) -> None:
    mean = "class Mean:\n    def decision_function(self, x): return [1.0] * len(x)"
    code = f"{mean}\nprint(len(infer(Mean(), images, {extra})))"
    assert python(f"{START}{code}").strip() == "2"


MIXED_CALIBRATION = """
from pyimgano.inference import calibrate_threshold
class Mean:
    def decision_function(self, images):
        import cv2
        opened = [cv2.imread(one) if isinstance(one, str) else one for one in images]
        return [float(one.mean()) for one in opened]
normal = [str(Path(root) / "plain.png"), images[0], *(images[1],) * 18]
print(json.dumps(said(lambda: calibrate_threshold(Mean(), normal, quantile=0.5))))
"""


def test_a_threshold_comes_from_files_and_arrays_mixed(tmp_path: Path) -> None:
    save(plain(9), tmp_path / "plain.png")
    bare, plugged = bare_and_plugged(START + MIXED_CALIBRATION, tmp_path)
    assert "Error" in bare
    assert plugged == 20.0


ROBUSTNESS = """
from pyimgano.services.robustness_service import _load_u8_rgb
deep, flat = (_load_u8_rgb(str(Path(root) / name), resize=(12, 16)) for name in ("deep.png", "plain.png"))
print(json.dumps([list(deep.shape), int(np.abs(deep.astype(int) - flat).max())]))
"""


def test_the_robustness_benchmark_reads_a_12_bit_file_as_all_others_do(tmp_path: Path) -> None:
    assert cv2.imwrite(str(tmp_path / "deep.png"), plain(9)[..., ::-1].astype(np.uint16) * 16)
    save(plain(9), tmp_path / "plain.png")
    bare, plugged = bare_and_plugged(START + ROBUSTNESS, tmp_path)
    assert bare[1] > 50
    assert plugged == [[12, 16, 3], 0]
