"""Scores three images with host models, as files and arrays of every kind, together and alone; prints what came of it.

Run as a program by test_every_model.py: `every_model.py NAME...`; prints one line of JSON a model. With --torch
first, the host's optional libraries may be used, and networks have random weights.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

OPTIONAL = {"torch", "torchvision", "open_clip", "anomalib", "numba", "onnxruntime", "openvino", "faiss", "mamba_ssm"}


class Denied:
    """Forbids the host's optional libraries, so that every machine runs the same models."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> None:  # noqa: ARG002 - the protocol's
        if name.partition(".")[0] in OPTIONAL:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


def image(seed: int, *, spot: bool = False) -> np.ndarray:
    """A coloured ramp with noise, (32, 40, 3) RGB; the ramp tells red from blue, and rows from columns."""
    rows, columns = np.mgrid[:32, :40]
    ramp = np.stack([80 + 2 * columns, 60 + 3 * rows, 150 - columns], axis=-1)
    noisy = ramp + np.random.default_rng(seed).normal(0, 5, ramp.shape)
    if spot:
        noisy[8:18, 10:25] = (250, 30, 10)
    return noisy.clip(0, 255).astype(np.uint8)


def save(pixels: np.ndarray, path: Path) -> str:
    assert cv2.imwrite(f"{path}", pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    return f"{path}"


def deep(pixels: np.ndarray) -> np.ndarray:
    """The same image with samples of 12 bits, whose lowest four say nothing."""
    return pixels.astype(np.uint16) * 16 + 7


def turned(pixels: np.ndarray, path: Path) -> str:
    """Write an image that lies on its side, and an EXIF tag that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(pixels)).save(path, exif=exif)
    return f"{path}"


def differences(detector: Any, files: dict[str, list[str]], arrays: list[np.ndarray]) -> dict[str, float]:
    """The largest difference, relative to the scores, between the detector's own scores of files and ours."""
    from pyimgano.inference import infer

    def scores(inputs: Any, input_format: str | None = None) -> np.ndarray:
        found = infer(detector, inputs, input_format=input_format)
        return np.array([result.score for result in found], np.float64)

    def own(kind: str) -> np.ndarray:
        return np.asarray(detector.decision_function(files[kind]), np.float64).ravel()

    plain, grey = own("plain"), own("grey")
    coloured = {
        "files": scores(files["plain"]),
        "arrays": scores(arrays),
        "batch": scores(np.stack(arrays)),
        "mixed": scores([files["plain"][0], arrays[1], Path(files["plain"][2])]),
        "alone": np.concatenate([scores([one]) for one in arrays]),
        "12-bit files": scores(files["deep"]),
        "12-bit files, own": own("deep"),
        "12-bit arrays": scores([deep(one) for one in arrays]),
        "turned files": scores(files["turned"]),
        "turned files, own": own("turned"),
        "RGBA": scores([np.dstack([one, one[..., 0]]) for one in arrays]),
        "BGR": scores([one[..., ::-1] for one in arrays], "bgr_u8_hwc"),
        "float": scores([one / np.float32(255) for one in arrays]),
    }
    greys = {"grey files": scores(files["grey"]), "grey arrays": scores([one[..., 0] for one in arrays])}
    return {name: apart(one, plain) for name, one in coloured.items()} | {
        name: apart(one, grey) for name, one in greys.items()
    }


KINDS: dict[str, Callable[[np.ndarray, Path], str]] = {
    "plain": save,
    "deep": lambda pixels, path: save(deep(pixels), path),
    "turned": turned,
    "grey": lambda pixels, path: save(pixels[..., 0], path),
}


def apart(found: np.ndarray, wanted: np.ndarray) -> float:
    return (np.abs(found - wanted) / np.maximum(1, np.abs(wanted))).max().item()


def shrink(detector: Any) -> None:
    """Let the classical models' default features be 75 instead of 150,528 raw pixels: some need their square."""
    from pyimgano.utils.image_ops import ImagePreprocessor

    features = getattr(detector, "feature_extractor", None)
    if isinstance(features, ImagePreprocessor):
        features.resize = (5, 5)


def created(name: str, keywords: dict[str, Any]) -> Any:
    """Make a model with those of the keywords that it knows; one that does not know a keyword says so by name."""
    from pyimgano.models import create_model

    while True:
        try:
            return create_model(name, **keywords)
        except TypeError as error:
            unknown = next((word for word in keywords if f"unexpected keyword argument '{word}'" in f"{error}"), None)
            if unknown is None:
                raise
            keywords = {word: value for word, value in keywords.items() if word != unknown}


def tried(
    name: str, normal: list[str], files: dict[str, list[str]], arrays: list[np.ndarray], **keywords: Any
) -> dict[str, Any]:
    try:
        np.random.seed(0)  # the host's models draw from the global generator
        detector = created(name, keywords)
        shrink(detector)
        detector.fit(normal)
        return differences(detector, files, arrays)
    except Exception as error:  # noqa: BLE001 - the test asserts each of them
        return {"error": f"{type(error).__name__}: {error}".splitlines()[0][:160]}


def main(names: list[str]) -> None:
    keywords: dict[str, Any] = {}
    if names[0] == "--torch":
        names, keywords = names[1:], {"pretrained": False, "epochs": 1}
    else:
        sys.meta_path.insert(0, Denied())
    warnings.simplefilter("ignore")
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        normal = [save(image(seed), Path(folder) / f"normal{seed}.png") for seed in range(60)]
        arrays = [image(100), image(101, spot=True), image(102)]
        files = {
            kind: [write(one, Path(folder) / f"{kind}{index}.png") for index, one in enumerate(arrays)]
            for kind, write in KINDS.items()
        }
        for name in names:
            print(json.dumps([name, tried(name, normal, files, arrays, **keywords)]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
