"""The first lines that a user types, each in a subprocess of an environment that has the wheel installed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from distributions import run
from docs.folders import write_all

PROGRAM = """
import json
import sys

import numpy as np

from pyimgano.models import create_model
from pyimgano.inference import infer
from pyimgano.inference.tiling import TiledDetector  # the plugin's, once it is installed

name, keywords = sys.argv[1], json.loads(sys.argv[2])
rng = np.random.default_rng(0)
*train_images, image = [rng.normal(110, 5, (160, 200, 3)).clip(0, 255).astype(np.uint8) for _ in range(9)]
image[100:130, 140:170] = 220

tiled = TiledDetector(detector=create_model(name, **keywords), tile_size=96, stride=64, score_reduce="max")
tiled.fit(train_images)
(result,) = infer(tiled, [image], input_format="rgb_u8_hwc", include_maps=True)

y, x = np.unravel_index(result.anomaly_map.argmax(), result.anomaly_map.shape)
told = {"tiling": type(tiled).__module__, "score": float(result.score), "size": result.anomaly_map.shape}
told |= {"finite": bool(np.isfinite(result.anomaly_map).all()), "y": int(y), "x": int(x)}
print(json.dumps({**told, "torch": "torch" in sys.modules}))
"""


@dataclass(frozen=True)
class Lines:
    """What is typed: `scripts` is the folder of the environment's commands, `model` the flags of a model."""

    scripts: Path
    folder: Path
    model: tuple[str, ...]

    @classmethod
    def in_folder(cls, folder: Path, scripts: Path, *model: str) -> Lines:
        """Write the data sets that the lines name into the folder."""
        write_all(folder)
        return cls(scripts, folder, model)

    def command(self, name: str, *arguments: str) -> str:
        return run(str(self.scripts / name), *arguments, cwd=self.folder).stdout

    def benchmark(self, dataset: str, category: str) -> dict[str, Any]:
        """Run `pyimgano-benchmark --pixel --output r.json` and return what it writes."""
        where = ("--dataset", dataset, "--root", dataset, "--category", category)
        self.command("pyimgano-benchmark", *where, *self.model, "--pixel", "--output", "r.json")
        found: dict[str, Any] = json.loads((self.folder / "r.json").read_text(encoding="utf-8"))
        return found

    def infer_tiled(self, images: str) -> list[float]:
        """Run `pyimgano-infer --tile-size --tile-stride --include-maps`; check the maps and return the scores."""
        tiles = ("--tile-size", "48", "--tile-stride", "32")
        maps_in = self.folder / "maps" / Path(images).name
        out = ("--include-maps", "--save-maps", str(maps_in), "--save-jsonl", "out.jsonl")
        train = ("--train-dir", "mvtec_loco/pushpins/train/good")
        self.command("pyimgano-infer", *self.model, *train, "--input", images, *tiles, *out)
        rows = [json.loads(line) for line in (self.folder / "out.jsonl").read_text(encoding="utf-8").splitlines()]
        maps = [np.load(path) for path in sorted(maps_in.rglob("*.npy"))]
        assert len(maps) == len(rows) == len(list((self.folder / images).glob("*.png")))
        assert {one.shape for one in maps} == {(60, 80)}
        assert all(np.isfinite(one).all() for one in maps)
        return [row["score"] for row in rows]

    def program(self, name: str, keywords: dict[str, Any]) -> dict[str, Any]:
        """Run the program with a model, and return what it tells."""
        python = str(self.scripts / "python")
        shown = run(python, "-c", PROGRAM, name, json.dumps(keywords), cwd=self.folder).stdout
        found: dict[str, Any] = json.loads(shown.splitlines()[-1])
        assert found["tiling"].startswith("pyimgano_industrial.")
        assert found["size"] == [160, 200]
        assert found["finite"]
        return found


def distributions(scripts: Path) -> dict[str, str]:
    """Return the installed distributions and their versions."""
    code = """
import importlib.metadata
import json

print(json.dumps({one.name.lower(): one.version for one in importlib.metadata.distributions()}))
"""
    found: dict[str, str] = json.loads(run(str(scripts / "python"), "-c", code).stdout)
    return found


def extra_is_there(status: str, name: str) -> bool:
    """Return whether `status` says that an extra is installed."""
    wanted: Sequence[str] = (name, "installed")
    return any(line.split() == list(wanted) for line in status.splitlines())
