"""What tiling does to accuracy: whole images, the host's tiling, and ours, on a rendered scene and on real images.

Run with `python tests/benchmarks/tiling_accuracy.py scene` (needs scikit-image; --models also takes vision_padim and
vision_patchcore where torch is installed) and `... data` (needs onnxruntime, and PYIMGANO_INDUSTRIAL_SHARED to name the
folder with `data` and `tools/patch_memory.py`). Every row is a process of its own; the host's rows run without the
plugin. --json keeps all scores.
"""

from __future__ import annotations

import argparse
import functools
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE = 512
PARTS = ("train", "good", "bad")
CONTAMINATION = 0.1
SEEN_AT = 2  # the real images' maps and masks are compared at 1 / SEEN_AT of the images' size
LIMITS = (0.3, 0.05)
TORCH: dict[str, dict[str, Any]] = {
    "vision_padim": {"pretrained": False, "image_size": 128, "d_reduced": 32},
    "vision_patchcore": {
        "pretrained": False, "backbone": "resnet50", "feature_projection_dim": 64, "coreset_sampling_ratio": 0.01,
    },
}  # fmt: skip
CLASSICAL: dict[str, dict[str, Any]] = {  # all look at 256 x 256 pixels, so that a tile is seen as it is
    "vision_pixel_mad_map": {},
    "ssim_template_map": {"resize_hw": (256, 256)},
    "vision_template_ncc_map": {"resize_hw": (256, 256)},
}
MODES = {
    "whole": "whole images",
    "host": "host's tiling",
    "tiles": "ours, tiles",
    "position": "ours, position",
    "both": "ours, position, scales 1 and 0.5",
    "half": "ours, position, scale 0.5",
}
OURS: dict[str, dict[str, Any]] = {  # the tiles of "half" show the model as much of the part in half as many pixels
    "tiles": {"fit_mode": "tiles"},
    "position": {"fit_mode": "position"},
    "both": {"fit_mode": "position", "scales": (1.0, 0.5)},
    "half": {"fit_mode": "position", "scales": (0.5,)},
}

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    scene = commands.add_parser("scene", help="a rendered aligned scene with small defects")
    scene.add_argument("--models", nargs="+", default=list(CLASSICAL), choices=[*CLASSICAL, *TORCH])
    scene.add_argument("--modes", nargs="+", default=["whole", "host", "tiles", "position"], choices=list(MODES))
    scene.add_argument("--tile", type=int, default=256)
    scene.add_argument("--stride", type=int, default=192)
    scene.add_argument("--counts", type=int, nargs=3, default=[100, 100, 60], metavar=("TRAIN", "GOOD", "BAD"))
    scene.add_argument("--repeats", type=int, default=3, help="scenes, each with images of its own")
    scene.add_argument("--json", type=Path)
    scene.set_defaults(run=run_scene)
    data = commands.add_parser("data", help="the real images, with a real network")
    data.add_argument("--sets", nargs="+", default=["cookie", "ballscrew"])
    data.add_argument("--modes", nargs="+", default=["whole", "host", "tiles"], choices=list(MODES))
    data.add_argument("--tile", type=int, default=256)
    data.add_argument("--stride", type=int, default=192)
    data.add_argument("--json", type=Path)
    data.set_defaults(run=run_data)
    one = commands.add_parser("one", help="one row, printed as JSON; the others start it")
    one.add_argument("options", type=json.loads)
    one.set_defaults(run=lambda args: print(json.dumps(measure(**args.options))))
    args = parser.parse_args()
    args.run(args)
    return 0


# The tables.


def run_scene(args: argparse.Namespace) -> None:
    rows = []
    print(
        "| model | mode | image AUROC | good images flagged, promised 10 % | seconds |\n| --- | --- | --- | --- | --- |"
    )
    with tempfile.TemporaryDirectory() as folder:
        for repeat in range(args.repeats):
            write_scene(Path(folder) / f"{repeat}", counts=args.counts, seed=repeat)
        for model in args.models:
            for mode in args.modes:
                found = [
                    child(model=model, mode=mode, source=f"{folder}/{repeat}", tile=args.tile, stride=args.stride)
                    for repeat in range(args.repeats)
                ]
                rows += found
                keep(rows, args.json)
                print(f"| `{model}` | {MODES[mode]} | {scene_cells(found)} |", flush=True)


def run_data(args: argparse.Namespace) -> None:
    shared = os.environ.get("PYIMGANO_INDUSTRIAL_SHARED")
    if not shared or not Path(shared, "data").is_dir() or importlib.util.find_spec("onnxruntime") is None:
        print("skipped: needs onnxruntime, and PYIMGANO_INDUSTRIAL_SHARED with the folders data and tools")
        return
    rows = []
    limits = " | ".join(f"AU-PRO at {limit}" for limit in LIMITS)
    print(f"| images | mode | image AUROC | {limits} | good images flagged | seconds |\n{'| --- ' * 7}|")
    for name in args.sets:
        for mode in args.modes:
            source = f"{shared}/data/{name}"
            row = child(model="PatchMemory", mode=mode, source=source, tile=args.tile, stride=args.stride)
            rows.append(row)
            keep(rows, args.json)
            aupro = " | ".join(f"{row['aupro'][str(limit)]:.3f}" for limit in LIMITS)
            auroc, flagged, seconds = scene_cells([row]).split(" | ")
            print(f"| {name} | {MODES[mode]} | {auroc} | {aupro} | {flagged} | {seconds} |", flush=True)


def scene_cells(rows: Sequence[Row]) -> str:
    """Return AUROC, share of good images flagged with its interval, and time of the runs of one row."""
    mean = np.mean([auroc(row["good"], row["bad"]) for row in rows])
    flagged = sum(np.sum(np.array(row["good"]) > row["threshold"]) for row in rows)
    count = sum(len(row["good"]) for row in rows)
    low, high = wilson(flagged, count)
    seconds = sum(row["seconds"] for row in rows)
    return f"{mean:.3f} | {flagged / count:.1%} ({low:.1%} to {high:.1%}) | {seconds:.0f}"


def child(**options: Any) -> Row:
    """Measure one row in a process of its own, without the plugin where the row is the host's."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYIMGANO_DISABLE")}
    if options["mode"] in ("whole", "host"):
        env["PYIMGANO_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    command = [sys.executable, __file__, "one", json.dumps(options)]
    done = subprocess.run(command, env=env, capture_output=True, text=True, encoding="utf-8", check=False)
    if done.returncode:
        sys.exit(f"{options}\n{done.stderr[-3000:]}")
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


def keep(rows: Sequence[Row], path: Path | None) -> None:
    if path is not None:
        path.write_text(json.dumps(rows), encoding="utf-8")


# One row.


def measure(*, model: str, mode: str, source: str, tile: int, stride: int) -> Row:
    """Fit on the normal images and return the scores of the others, the threshold, and AU-PRO where there are masks."""
    warnings.simplefilter("ignore")
    start = time.perf_counter()
    folder = Path(source)
    images = real_images(folder) if (folder / "test").is_dir() else scene_images(folder)
    shrink = 2 if mode == "half" else 1
    new = functools.partial(new_detector, model, shrink=shrink)
    most = len(images["train"]) if model == "vision_patchcore" else None
    detector = wrapped(new, mode=mode, tile=tile // shrink, stride=stride // shrink, most=most)
    detector.fit(images["train"])
    row: Row = {"model": model, "mode": mode, "source": folder.name}
    for part in ("good", "bad"):
        row[part] = np.asarray(detector.decision_function(images[part]), float).tolist()
    if model == "PatchMemory" and mode in (
        "whole",
        "host",
    ):  # it has no threshold, and the host's takes it from fitting
        threshold = np.quantile(detector.decision_function(images["train"]), 1 - CONTAMINATION).item()
    else:
        threshold = float(detector.threshold_)
        row["calibration"] = np.asarray(detector.decision_scores_, float).tolist()
    row["threshold"] = threshold
    if "masks" in images:
        row["aupro"] = real_aupro(detector, images)
    return row | {"seconds": time.perf_counter() - start}


def wrapped(new: Callable[[], Any], *, mode: str, tile: int, stride: int, most: int | None) -> Any:
    """Return the detector tiled as the mode says; `most`: the tiles that it is fitted on at most."""
    if mode == "whole":
        return new()
    from pyimgano.inference.tiling import TiledDetector

    own = {"contamination": CONTAMINATION, "factory": new, "max_fit_tiles": most}
    options = {} if mode == "host" else {**own, **OURS[mode]}
    return TiledDetector(detector=new(), tile_size=tile, stride=stride, map_reduce="hann", **options)


def new_detector(model: str, *, shrink: int = 1) -> Any:
    if model == "PatchMemory":
        return patch_memory()()
    from pyimgano.models import create_model

    keywords = {"contamination": CONTAMINATION, **{**CLASSICAL, **TORCH}[model]}
    if "resize_hw" in keywords:
        keywords["resize_hw"] = tuple(side // shrink for side in keywords["resize_hw"])
    if model in TORCH:
        import torch

        torch.manual_seed(0)
        torch.set_num_threads(1)
    return create_model(model, **keywords)


@functools.cache
def patch_memory() -> type[Any]:
    """Return a PatchMemory that runs no image twice, in any mode or fold: the network is what takes the time here."""
    path = Path(os.environ["PYIMGANO_INDUSTRIAL_SHARED"]) / "tools" / "patch_memory.py"
    spec = importlib.util.spec_from_file_location("patch_memory", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    seen: dict[int, Any] = {}

    class Remembering(module.PatchMemory):  # type: ignore[misc]
        def _features(self, image: NDArray[np.uint8]) -> Any:
            key = hash((image.shape, image.tobytes()))
            if key not in seen:
                seen[key] = super()._features(image)
            return seen[key]

    return Remembering


# The rendered scene.


def write_scene(folder: Path, *, counts: Sequence[int], seed: int) -> None:
    """Write a textured part in one place: light that varies by 1 %, noise of 4 levels, a defect of 8 to 14 pixels."""
    import cv2

    folder.mkdir()
    rng = np.random.default_rng([7, seed])
    scene = np.full((SIDE, SIDE), 120.0)
    for size, strength in ((4, 6), (16, 25), (64, 30)):
        coarse = rng.normal(0, strength, (SIDE // size, SIDE // size))
        scene += cv2.resize(coarse, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    for part, count in zip(PARTS, counts, strict=True):
        images = np.empty((count, SIDE, SIDE, 3), np.uint8)
        for image in images:
            surface = scene.copy()
            if part == "bad":
                diameter = rng.integers(8, 15)
                y, x = rng.integers(16, SIDE - 16, 2).tolist()
                spot = np.zeros(scene.shape)
                cv2.circle(spot, (x, y), int(diameter) // 2, rng.choice([-1.0, 1.0]) * rng.uniform(35, 60), -1)
                surface += cv2.GaussianBlur(spot, (0, 0), 0.8)
            noisy = surface * rng.normal(1, 0.01) + rng.normal(0, 4, scene.shape)
            image[:] = np.clip(noisy, 0, 255)[..., None]
        np.save(folder / f"{part}.npy", images)


def scene_images(folder: Path) -> dict[str, list[Any]]:
    return {part: list(np.load(folder / f"{part}.npy")) for part in PARTS}


# The real images.


def real_images(folder: Path) -> dict[str, list[Any]]:
    import cv2

    def read(below: str) -> list[NDArray[np.uint8]]:
        files = sorted((folder / below).iterdir())
        return [cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB) for file in files]

    masks = [
        cv2.imread(str(folder / "ground_truth/bad" / f"{file.stem}_mask.png"), cv2.IMREAD_GRAYSCALE) > 0
        for file in sorted((folder / "test/bad").iterdir())
    ]
    return {"train": read("train/good"), "good": read("test/good"), "bad": read("test/bad"), "masks": masks}


def real_aupro(detector: Any, images: dict[str, list[Any]]) -> dict[str, float]:
    """Return AU-PRO per limit at 1 / SEEN_AT of the images' size: maps averaged, masks without losing a defect."""
    import cv2

    from pyimgano_industrial.datasets.masks import reduce_mask

    def pairs() -> Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]]:
        masks = [np.zeros(image.shape[:2], bool) for image in images["good"]] + images["masks"]
        for image, mask in zip(images["good"] + images["bad"], masks, strict=True):
            size = image.shape[0] // SEEN_AT, image.shape[1] // SEEN_AT
            anomaly_map = np.asarray(detector.predict_anomaly_map([image])[0], np.float32)
            yield cv2.resize(anomaly_map, size[::-1], interpolation=cv2.INTER_AREA), reduce_mask(mask, size)

    return {str(limit): value for limit, value in zip(LIMITS, aupro(pairs(), limits=LIMITS), strict=True)}


# Metrics.


def auroc(good: Sequence[float], bad: Sequence[float]) -> float:
    """Return the share of pairs in which the bad image scores higher, ties counting half."""
    lower = np.asarray(good)[:, None]
    return float(np.mean((lower < np.asarray(bad)) + 0.5 * (lower == np.asarray(bad))))


def wilson(hits: float, count: int, z: float = 1.96) -> tuple[float, float]:
    """Return the 95 % interval of a share (Wilson, 1927)."""
    share, spread = hits / count, z**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = z * np.sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, float(middle - half)), min(1.0, float(middle + half))


def aupro(pairs: Iterator[tuple[NDArray[np.float32], NDArray[np.bool_]]], *, limits: Sequence[float]) -> list[float]:
    """Return the area under the mean overlap of regions (8-connected), up to each false positive rate, over that rate.

    Exact: all pixels are sorted, each distinct value is a threshold.
    """
    from scipy import ndimage

    scores, weights, background = [], [], []
    regions = 0
    for anomaly_map, mask in pairs:
        labels, count = ndimage.label(mask, structure=np.ones((3, 3)))
        sizes = np.bincount(labels.reshape(-1))
        scores.append(anomaly_map.reshape(-1))
        weights.append(np.where(labels > 0, 1 / np.maximum(sizes, 1)[labels], 0).reshape(-1).astype(np.float32))
        background.append(~mask.reshape(-1))
        regions += count
    values, free = np.concatenate(scores), np.concatenate(background)
    order = np.argsort(-values)
    values = values[order]
    last = np.append(values[1:] != values[:-1], True)  # one point for each distinct score
    rate = np.cumsum(free[order])[last] / free.sum()
    overlap = np.cumsum(np.concatenate(weights)[order], dtype=np.float64)[last] / regions
    rate, overlap = np.append(0.0, rate), np.append(0.0, overlap)
    return [float(area(rate, overlap, limit) / limit) for limit in limits]


def area(x: NDArray[np.float64], y: NDArray[np.float64], limit: float) -> float:
    """Return the area under a curve from 0 to `limit`, by trapezoids."""
    inside = x < limit
    x, y = np.append(x[inside], limit), np.append(y[inside], np.interp(limit, x, y))
    return float(np.sum(np.diff(x) * (y[1:] + y[:-1]) / 2))


if __name__ == "__main__":
    sys.exit(main())
