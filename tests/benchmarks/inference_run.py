"""One measured run of the inference benchmark: a process that prints its seconds and its own peak memory as JSON.

The cheap detector's map is one channel and its score the maximum, so every result can be checked.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIDE, CHANNEL, WARM_UP = 512, 1, 32
ARRAYS = "images.npy"
Image = NDArray[np.uint8]


def main() -> int:
    task = json.loads(sys.argv[1])
    tasks = {"timed": timed, "batches": batches, "grown": grown, "write": write}
    print(json.dumps(tasks[task.pop("task")](**task)))
    return 0


class Channel:
    """pyimgano's protocol: a method for scores and one for maps; files are read as pyimgano's models read them."""

    def decision_function(self, images: Sequence[Any]) -> NDArray[np.float32]:
        return np.array([opened(image)[..., CHANNEL].max() for image in images], np.float32)

    def predict_anomaly_map(self, images: Sequence[Any]) -> NDArray[np.float32]:
        maps = np.empty((len(images), SIDE, SIDE), np.float32)
        for one, image in zip(maps, images, strict=True):
            one[...] = opened(image)[..., CHANNEL]
        return maps


class OnePass(Channel):
    """The same with scores and maps from one pass, which pyimgano alone does not use."""

    def score_and_map(self, images: Sequence[Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        maps = self.predict_anomaly_map(images)
        return maps.max(axis=(1, 2)), maps


class Own:
    """A model of pyimgano's, fitted on eight of the images."""

    def __new__(cls) -> Any:
        from pyimgano.models import create_model

        return create_model("vision_pixel_mad_map", contamination=0.1).fit([made(index) for index in range(8)])


class Alone:
    """No wrapper: the detector's calls on batches, and its maps as they come."""

    @staticmethod
    def infer_iter(model: Any, images: Sequence[Image], *, batch_size: int, **_: Any) -> Iterator[Any]:
        for start in range(0, len(images), batch_size):
            batch = images[start : start + batch_size]
            if hasattr(model, "score_and_map"):
                scores, maps = model.score_and_map(batch)
            else:
                scores, maps = model.decision_function(batch), model.predict_anomaly_map(batch)
            for score, one in zip(scores, maps, strict=True):
                yield SimpleNamespace(score=score, anomaly_map=one)

    @classmethod
    def infer(cls, *args: Any, **options: Any) -> list[Any]:
        return list(cls.infer_iter(*args, **options))


DETECTORS = {"a method each": Channel, "score_and_map": OnePass, "vision_pixel_mad_map": Own}


def timed(contender: str, detector: str, inputs: str, folder: str, images: int, call: str, batch: int | None) -> Any:
    """Scores and maps of all images; `infer` keeps every map, `infer_iter` lets each go."""
    run, model = Alone if contender == "detector" else loaded(contender), DETECTORS[detector]()
    found = sorted(Path(folder).glob("*.png"))[:images] if inputs == "paths" else arrays(folder, images)
    options: dict[str, Any] = {"include_maps": True, "batch_size": batch}
    options |= {"input_format": "rgb_u8_hwc"} if inputs == "arrays" else {}
    run.infer(model, found[:WARM_UP], **options)  # what a first call costs is not measured
    touch(images)
    base, before, started = peak(), used(), time.perf_counter()
    results = getattr(run, call)(model, found, **options)
    if call == "infer":
        seconds, now, highest = time.perf_counter() - started, used(), peak()
        check(results, arrays(folder, images), exact=detector != "vision_pixel_mad_map")
    else:
        count = sum(result.anomaly_map.shape == (SIDE, SIDE) for result in results)
        seconds, now, highest = time.perf_counter() - started, used(), peak()
        if count != images:
            raise SystemExit(f"{count} maps of {images} images")
    user, kernel = now[0] - before[0], now[1] - before[1]
    return {"seconds": seconds, "cpu": user + kernel, "user": user, "peak_mib": highest - base}


def batches(folder: str, images: int, call: str, sizes: Sequence[int], rounds: int) -> Any:
    """Seconds of ours and of no wrapper by batch size, in turns in one process: the medians of the rounds."""
    ours, model, found = loaded("ours"), OnePass(), arrays(folder, images)
    seconds: dict[tuple[str, int], list[float]] = {}
    touch(images)
    for round_ in range(rounds + 1):  # the first is not counted
        for size in sizes:
            for name, run in {"ours": ours, "no wrapper": Alone}.items():
                options: dict[str, Any] = {"include_maps": True, "batch_size": size, "input_format": "rgb_u8_hwc"}
                started = time.perf_counter()
                results = getattr(run, call)(model, found, **options)
                count = sum(result.anomaly_map.shape == (SIDE, SIDE) for result in results)
                if round_:
                    seconds.setdefault((name, size), []).append(time.perf_counter() - started)
                if count != images:
                    raise SystemExit(f"{count} maps of {images} images")
                del results
    return {f"{name}, {size}": statistics.median(values) for (name, size), values in seconds.items()}


def grown(contender: str, inputs: str, folder: str, images: int, batch: int | None) -> Any:
    """Peak memory of infer_iter with maps, each dropped as the next comes; arrays come from a generator."""
    run = loaded(contender)
    given: Any = (made(index) for index in range(images))
    if inputs == "paths":
        files = sorted(Path(folder).glob("*.png"))
        given = [f"{files[index % len(files)]}" for index in range(images)]
    options: dict[str, Any] = {"input_format": "rgb_u8_hwc"} if inputs == "arrays" else {}
    model, base = OnePass(), peak()
    if contender == "host" and inputs == "arrays":
        given = list(given)  # it takes a sequence
    count = sum(
        result.anomaly_map.shape == (SIDE, SIDE)
        for result in run.infer_iter(model, given, include_maps=True, batch_size=batch, **options)
    )
    if count != images:
        raise SystemExit(f"{count} maps of {images} images")
    return {"peak_mib": peak() - base}


def write(folder: str, images: int, files: bool) -> Any:
    """Write the images as one array and, for `files`, as PNG files."""
    import cv2

    total = 0
    whole = np.lib.format.open_memmap(f"{folder}/{ARRAYS}", "w+", np.uint8, (images, SIDE, SIDE, 3))
    for index in range(images):
        whole[index] = made(index)
        if files:
            path = Path(folder, f"{index:05}.png")
            cv2.imwrite(f"{path}", whole[index][..., ::-1])
            total += path.stat().st_size
    return {"kib": total / images / 2**10}


def loaded(contender: str) -> Any:
    """Return pyimgano.inference, in which `infer` is the plugin's or the host's own."""
    import cv2  # noqa: F401 - so that its import is not measured
    import pyimgano.inference as found

    ours = hasattr(found.InferenceResult(score=0.0), "error")
    if ours != (contender == "ours"):
        raise SystemExit(f"the plugin is {'loaded' if ours else 'not loaded'}; got contender {contender}")
    return found


def touch(images: int) -> None:
    """Have another process touch and free more memory than any contender needs.

    On a virtual machine, memory that was idle comes from the hypervisor: at up to ten times the kernel's own cost, for
    whoever happens to come first.
    """
    subprocess.run([sys.executable, "-c", f"import numpy; numpy.ones({3 * images} << 20, numpy.uint8)"], check=True)


def check(results: Sequence[Any], images: Sequence[Image], *, exact: bool) -> None:
    """Compare every result with its image."""
    right = (
        row.anomaly_map.shape == (SIDE, SIDE)
        and (not exact or (np.array_equal(row.anomaly_map, image[..., CHANNEL]) and row.score == row.anomaly_map.max()))
        for row, image in zip(results, images, strict=True)
    )
    if not all(right):
        raise SystemExit("a score or a map is wrong")


def opened(image: Any) -> Image:
    if isinstance(image, np.ndarray):
        return image
    from pyimgano.io.image import read_image

    return read_image(image, color="rgb")


def arrays(folder: str, images: int) -> list[Image]:
    """Return the images that `write` wrote, in memory."""
    return list(np.load(f"{folder}/{ARRAYS}")[:images])


def made(index: int) -> Image:
    """Return (SIDE, SIDE, 3) uint8: slow shading with little noise, the same in every process."""
    noise = np.random.default_rng(index).integers(0, 8, (SIDE, SIDE, 3), np.uint8)
    shading = (np.arange(SIDE) // 4).astype(np.uint8)
    noise += shading[:, None, None]
    noise += np.uint8(index % 64)
    return noise


def used() -> tuple[float, float]:
    """Return the CPU seconds of this process in its own code and in the kernel."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime, usage.ru_stime


def peak() -> float:
    """Return the largest resident set of this process until now, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


if __name__ == "__main__":
    raise SystemExit(main())
