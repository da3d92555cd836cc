"""The default model, created by name, in the host's pickles."""

from __future__ import annotations

from pathlib import Path

from distributions import python

CODE = """
import warnings; warnings.simplefilter("ignore")
import numpy as np
from pyimgano.models import create_model
from pyimgano.serialization.pickle import load_detector, save_detector
rng = np.random.default_rng(0)
images = [rng.integers(0, 255, (64, 64, 3), dtype=np.uint8) for _ in range(6)]
fitted = create_model("vision_industrial_filter_bank").fit(images)
save_detector({path!r}, fitted)
print(np.array_equal(load_detector({path!r}).decision_function(images), fitted.decision_function(images)))
"""


def test_the_host_saves_and_loads_the_default_model(tmp_path: Path) -> None:
    assert python(CODE.format(path=str(tmp_path / "line.pkl"))).strip() == "True"
