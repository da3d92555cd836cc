"""Acme's plugin keeps the promises of pyimgano-industrial."""

from pathlib import Path

import numpy as np
from acme_bolts.dataset import AcmeBolts
from acme_bolts.model import Gauge
from PIL import Image

from pyimgano_industrial.testing import DatasetContract, ModelContract, PresetContract


class TestDataset(DatasetContract):
    def make_dataset(self, folder: Path) -> AcmeBolts:
        for kind in ("fit/fine", "check/fine", "check/reject", "marks/reject"):
            path = folder / "line3" / kind / "001.png"
            path.parent.mkdir(parents=True)
            Image.fromarray(np.full((20, 30), 255, np.uint8)).save(path)
        return AcmeBolts(folder, "line3")


class TestModel(ModelContract):
    def make_detector(self) -> Gauge:
        return Gauge()


class TestPreset(PresetContract):
    name = "acme-coarse"
