"""One measured run of the tiling benchmark: a process that prints its seconds and its own peak memory as JSON.

Peak: ru_maxrss of this process at the end of the work, less what it was after the imports; in MiB. It counts image,
map and all that the library holds.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tiling_contenders as contenders
from numpy.typing import NDArray

BLOCK = 256  # rows that are made at a time


def main() -> int:
    task = json.loads(sys.argv[1])
    print(json.dumps({"cheap": cheap, "network": network, "disk": disk, "write": write}[task.pop("task")](**task)))
    return 0


def cheap(
    contender: str, side: int, tile: int, stride: int, blend: str, check: bool = True, times: int = 1
) -> dict[str, Any]:
    """A random image in memory and the cheap detector; seconds are those of one of the `times` that it is run."""
    load, run = contenders.CONTENDERS[contender](tile=tile, stride=stride, blend=blend)
    base = peak()
    run(load(made(tile, tile + stride)))  # what a first call costs is not measured
    image = load(made(side, side))
    started, used, user = time.perf_counter(), time.process_time(), user_seconds()
    for _ in range(times):
        found = None  # else two maps would be alive
        score, found = run(image)
    row = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - used, "user": user_seconds() - user}
    row = {name: value / times for name, value in row.items()} | {"peak_mib": peak() - base}
    row |= {"score": score, "tiles": len(list(starts(side, tile, stride))) ** 2}
    return row | {"error": largest_error(found)} if check else row


def network(height: int, width: int, tile: int, stride: int, rounds: int) -> dict[str, Any]:
    """The network of `tools/patch_memory.py` behind each contender, in rounds that alternate.

    `inside` are the CPU seconds spent in it; `scores` and `maps` those of its two methods on bare tiles, one at a time.
    In one thread, since those of onnxruntime spin where they wait, and that would count.
    """
    import cv2
    import onnxruntime

    cv2.setNumThreads(1)

    sys.path.insert(0, str(Path(os.environ["PYIMGANO_INDUSTRIAL_SHARED"]) / "tools"))
    patch_memory = importlib.import_module("patch_memory")
    memory = patch_memory.PatchMemory()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    memory._session = onnxruntime.InferenceSession(patch_memory.WEIGHTS, options, providers=["CPUExecutionProvider"])
    image = made(height, width)
    ys, xs = list(starts(height, tile, stride)), list(starts(width, tile, stride))
    tiles = [image[y : y + tile, x : x + tile] for y in ys for x in xs]
    memory.fit(tiles[:8])
    timed = Timed(memory)
    grid: dict[str, Any] = {"tile": tile, "stride": stride, "blend": "hann", "detector": timed}
    runs = {
        "ours, score from map": contenders.ours(**grid, score_from="map")[1],
        "ours, score from tiles": contenders.ours(**grid, score_from="tiles")[1],
        "host": contenders.host(**grid)[1],
    }
    found: dict[str, list[dict[str, float]]] = {name: [] for name in (*runs, "bare tiles")}
    for run in runs.values():
        run(image[: tile + stride, : tile + stride])  # what a first call costs is not measured
    for _ in range(rounds):
        for name, run in runs.items():
            timed.seconds = 0.0
            started, used = time.perf_counter(), time.process_time()
            run(image)
            row = {"cpu": time.process_time() - used, "seconds": time.perf_counter() - started}
            found[name].append(row | {"inside": timed.seconds})
        bare = {}
        for name, method in {"scores": timed.decision_function, "maps": timed.predict_anomaly_map}.items():
            timed.seconds = 0.0
            for one in tiles:
                method([one])
            bare[name] = timed.seconds
        found["bare tiles"].append(bare)
    return {"found": found, "tiles": len(tiles)}


def disk(source: str, target: str, tile: int, stride: int, blend: str) -> dict[str, Any]:
    """A file larger than the limit to a map on disk."""
    import cv2  # noqa: F401 - so that its import is not measured
    import tifffile  # noqa: F401 - likewise

    from pyimgano_industrial.tiling import TiledDetector

    tiled = TiledDetector(detector=contenders.OnePass(), tile_size=tile, stride=stride, map_reduce=blend)
    base = peak()
    started, used = time.perf_counter(), time.process_time()
    score = tiled.write_anomaly_map(source, target)
    row = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - used, "peak_mib": peak() - base}
    found = np.load(target, mmap_mode="r")
    return row | {"score": score, "error": largest_error(found)}


def write(target: str, height: int, width: int, compression: str | None) -> dict[str, Any]:
    """Write the image to a TIFF, by rows, in strips of BLOCK rows."""
    import tifffile

    blocks = (block for _, block in rows(height, width))
    tifffile.imwrite(
        target,
        blocks if compression is None else (zlib.compress(block.tobytes(), 1) for block in blocks),
        shape=(height, width, 3),
        dtype=np.uint8,
        photometric="rgb",
        rowsperstrip=BLOCK,
        bigtiff=True,
        compression=compression,
    )
    return {"mib": Path(target).stat().st_size / 2**20}


class Timed:
    """A detector whose own CPU seconds are counted: those of its thread, since maps are merged in another meanwhile."""

    def __init__(self, detector: Any) -> None:
        self._detector, self.seconds = detector, 0.0

    def decision_function(self, images: Any) -> Any:
        return self._count(self._detector.decision_function, images)

    def predict_anomaly_map(self, images: Any) -> Any:
        return self._count(self._detector.predict_anomaly_map, images)

    def _count(self, call: Any, images: Any) -> Any:
        used = time.thread_time()
        found = call(images)
        self.seconds += time.thread_time() - used
        return found


def largest_error(found: NDArray[np.float32]) -> float:
    height, width = found.shape
    blocks = ((y0, block[..., contenders.CHANNEL]) for y0, block in rows(height, width))
    return max(np.abs(found[y0 : y0 + len(block)] - block).max().item() for y0, block in blocks)


def made(height: int, width: int) -> NDArray[np.uint8]:
    image = np.empty((height, width, 3), np.uint8)
    for y0, block in rows(height, width):
        image[y0 : y0 + len(block)] = block
    return image


def rows(height: int, width: int) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield (first row, (n, width, 3) uint8): noise on slowly changing patches, the same in every process."""
    steps = (np.arange(width) // 64 % 3 * 16).astype(np.uint8)
    for y0 in range(0, height, BLOCK):
        noise = np.random.default_rng(y0).integers(0, 32, (min(BLOCK, height - y0), width, 3), np.uint8)
        noise += steps[None, :, None]
        noise += np.uint8(y0 // BLOCK % 8 * 16)
        yield y0, noise


def starts(length: int, tile: int, stride: int) -> Iterator[int]:
    last = max(0, length - tile)
    yield from range(0, last, stride)
    yield last


def user_seconds() -> float:
    """Return the CPU seconds outside the kernel, without those for the first touch of memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_utime


def peak() -> float:
    """Return the largest resident set of this process until now, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    raise SystemExit(main())
