"""Models of pyimgano's work each image out once for its score and its map, and give what their two methods give."""

from __future__ import annotations

import json
from pathlib import Path

from pyimgano_industrial.host.one_pass import MODELS
from warm import bare_and_plugged, python

CODE = """
import json
import warnings
import cv2
import numpy as np
from pyimgano.inference import infer
from pyimgano.models import create_model
warnings.simplefilter("ignore")

class Embedder:
    input_color = "rgb"
    def embed(self, image):
        pixels = image if isinstance(image, np.ndarray) else cv2.imread(image)[..., ::-1]
        cells = pixels.reshape(4, 16, 4, 16, 3).mean((1, 3)).reshape(16, 3)
        return cells, (4, 4), pixels.shape[:2]

STEPS = {"vision_patch_embedding_core_map": "_embed", "vision_patchcore_lite_map": "_embed"}
NAMES = ["vision_patch_embedding_core_map", "vision_patchcore_lite_map", "vision_phase_correlation_map",
         "vision_pixel_gaussian_map", "vision_pixel_mad_map", "vision_pixel_mean_absdiff_map", "ssim_struct_map",
         "ssim_template_map", "vision_template_ncc_map"]
rng = np.random.default_rng(0)
normal = list(rng.integers(90, 110, (8, 64, 64, 3), np.uint8))
images = list(rng.integers(80, 120, (5, 64, 64, 3), np.uint8))
found = {}
for name in NAMES:
    keywords = {"embedder": Embedder()} if name in STEPS else {}
    model = create_model(name, **keywords).fit(normal)
    scores, maps = model.decision_function(images), model.predict_anomaly_map(images)
    step, calls = STEPS.get(name, "get_anomaly_map"), []
    class Counts(type(model)):
        pass
    own = getattr(Counts, step)
    def counting(self, item, own=own, calls=calls):
        calls.append(item)
        return own(self, item)
    setattr(Counts, step, counting)
    model.__class__ = Counts
    results = infer(model, images, include_maps=True, input_format="rgb_u8_hwc")
    same = np.allclose([one.score for one in results], scores, rtol=1e-6)
    same = same and np.array_equal([one.anomaly_map for one in results], maps)
    module = type(model).__mro__[1].__module__.rpartition(".")[2]
    found[f"{module}.{name}"] = [len(calls), bool(same), step in vars(model)]
print(json.dumps(found))
"""


def test_an_image_passes_once_and_score_and_map_are_those_of_the_two_methods(tmp_path: Path) -> None:
    bare, plugged = bare_and_plugged(CODE, tmp_path)
    assert {name.partition(".")[0] for name in plugged} == set(MODELS)
    assert set(map(tuple, plugged.values())) == {(5, True, False)}
    assert {row[0] for row in bare.values()} == {10}


def test_what_a_subclass_or_an_instance_changes_counts() -> None:
    code = """
import json
import numpy as np
from pyimgano.inference import infer
from pyimgano.models import create_model
images = list(np.random.default_rng(0).integers(90, 110, (8, 16, 16, 3), np.uint8))
model = create_model("vision_pixel_mad_map").fit(images)
class Smooth(type(model)):
    def predict_anomaly_map(self, x):
        return super().predict_anomaly_map(x) + 100
model.__class__ = Smooth
smooth = infer(model, images, include_maps=True)
def broken(item):
    raise RuntimeError("no more")
model.get_anomaly_map = broken
try:
    model.score_and_map(images)
except RuntimeError as error:
    lowest = min(float(one.anomaly_map.min()) for one in smooth)
    print(json.dumps([lowest, str(error), model.get_anomaly_map is broken]))
"""
    assert json.loads(python(code)) == [100.0, "no more", True]
