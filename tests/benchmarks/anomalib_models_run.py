"""One contender of the anomalib benchmark: a process that loads its model once, then scores all images at each "go".

It answers with one line of JSON each: seconds, CPU seconds, its own peak memory, and the scores, which must agree.
"""

from __future__ import annotations

import json
import logging
import resource
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE, FITTED, BATCH = 256, 16, 16
MODELS: dict[str, dict[str, Any]] = {
    "Padim": {"backbone": "resnet18", "layers": ["layer1", "layer2", "layer3"], "n_features": 100},
    "Patchcore": {"backbone": "resnet18", "layers": ["layer2", "layer3"], "coreset_sampling_ratio": 0.1},
}
Found = tuple[NDArray[np.float32], NDArray[np.float32]]
Run = Callable[[list[str]], Found]


def main() -> int:
    task = json.loads(sys.argv[1])
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    folder = Path(task["folder"])
    if task["contender"] == "write":
        write(folder, task["images"])
        return 0
    import torch

    torch.set_num_threads(task["threads"])
    files = sorted(map(str, (folder / "images").iterdir()))
    run = CONTENDERS[task["contender"]](folder, task["model"])
    base = peak()
    run(files[:BATCH])  # what a first call costs is not measured
    print("ready", flush=True)
    for _ in sys.stdin:
        before, started = cpu(), time.perf_counter()
        scores, maps = run(files)
        seconds, used = time.perf_counter() - started, cpu() - before
        if maps.shape != (len(files), SIDE, SIDE) or not np.isfinite(maps).all():
            raise SystemExit(f"maps of {maps.shape}, or not finite")
        row = {"seconds": seconds, "cpu": used, "peak_mib": peak(), "grown_mib": peak() - base}
        print(json.dumps(row | {"scores": scores.tolist(), "maps": maps[:, ::64, ::64].tolist()}), flush=True)
    return 0


def ours(folder: Path, model: str) -> Run:
    """A Lightning checkpoint, one call for scores and maps."""
    from pyimgano.models import create_model

    detector = create_model(f"vision_{model.lower()}_anomalib", checkpoint_path=folder / f"{model}.ckpt", device="cpu")

    def run(files: list[str]) -> Found:
        scores, maps = detector.score_and_map(files)
        return scores, np.stack(maps)

    return run


def ours_arrays(folder: Path, model: str) -> Run:
    """The same from arrays, which are read before."""
    from pyimgano_industrial.core.images import read_rgb

    run, arrays = ours(folder, model), {path: read_rgb(path) for path in map(str, (folder / "images").iterdir())}
    return lambda files: run([arrays[path] for path in files])  # type: ignore[misc]  # arrays are images, too


def host(folder: Path, model: str) -> Run:
    """pyimgano's wrapper as it is: scores, then maps, by anomalib's TorchInferencer, from a full pickle."""
    from pyimgano.models import create_model

    detector = create_model("vision_anomalib_checkpoint", checkpoint_path=str(folder / f"{model}.pt"), device="cpu")
    if "industrial" in type(detector).__module__:
        raise SystemExit("the plugin is loaded")
    return lambda files: (detector.decision_function(files), detector.predict_anomaly_map(files))


def inferencer(folder: Path, model: str) -> Run:
    """anomalib's TorchInferencer, which has no batch call: score and map of one image at a time."""
    from anomalib.deploy import TorchInferencer

    predictor = TorchInferencer(folder / f"{model}.pt", device="cpu")

    def run(files: list[str]) -> Found:
        found = [predictor.predict(file) for file in files]
        return (
            np.array([float(one.pred_score) for one in found], np.float32),
            np.concatenate([one.anomaly_map.detach().numpy().reshape(1, SIDE, SIDE) for one in found]),
        )

    return run


def engine(folder: Path, model: str) -> Run:
    """anomalib's Engine.predict with batches, without a visualizer and without a progress bar."""
    from anomalib.data import PredictDataset
    from anomalib.engine import Engine
    from anomalib.models import image as anomalib_models
    from torch.utils.data import DataLoader, Subset

    from pyimgano_industrial.models.anomalib.offline import without_weights

    with without_weights():  # it would fetch those of the backbone
        module = getattr(anomalib_models, model).load_from_checkpoint(folder / f"{model}.ckpt", map_location="cpu")
    runner = Engine(accelerator="cpu", devices=1, logger=False, default_root_dir=folder, enable_progress_bar=False)
    images = PredictDataset(folder / "images")

    def run(files: list[str]) -> Found:
        loader = DataLoader(Subset(images, range(len(files))), batch_size=BATCH, collate_fn=images.collate_fn)
        found = runner.predict(model=module, dataloaders=loader)
        return (
            np.concatenate([one.pred_score.reshape(-1).numpy() for one in found]),
            np.concatenate([one.anomaly_map.numpy().reshape(-1, SIDE, SIDE) for one in found]),
        )

    return run


CONTENDERS: dict[str, Callable[[Path, str], Run]] = {
    "ours": ours,
    "ours, arrays": ours_arrays,
    "pyimgano": host,
    "TorchInferencer": inferencer,
    "Engine.predict": engine,
}


def write(folder: Path, images: int) -> None:
    """Write PNG files and, of each model, the checkpoint and the export; random weights, no range, so raw scores."""
    import cv2
    from pyimgano.models import create_model

    from pyimgano_industrial.models.anomalib.offline import without_weights

    (folder / "images").mkdir()
    for index in range(images):
        cv2.imwrite(str(folder / "images" / f"{index:03}.png"), made(index)[..., ::-1])
    for model, settings in MODELS.items():
        with without_weights():
            detector = create_model(
                f"vision_{model.lower()}_anomalib", init_args=settings, device="cpu", contamination=0.1
            )
            detector.fit([made(1000 + index) for index in range(FITTED)])
        detector.save(folder / f"{model}.ckpt")
        detector._runtime.module.to_torch(folder).rename(folder / f"{model}.pt")


def made(index: int) -> NDArray[np.uint8]:
    """Return (SIDE, SIDE, 3) uint8: slow shading with noise; every fourth has a bright spot."""
    generator = np.random.default_rng(index)
    image = generator.normal(110, 8, (SIDE, SIDE, 3)) + np.arange(SIDE)[:, None, None] / 6
    if index % 4 == 3:
        y, x = generator.integers(20, SIDE - 40, 2)
        image[y : y + 20, x : x + 20] += 70
    return image.clip(0, 255).astype(np.uint8)


def cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def peak() -> float:
    """Return the largest resident set of this process until now, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    raise SystemExit(main())
