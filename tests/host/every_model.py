"""Scores three images with host models, as files and as arrays, together and alone, and prints what came of each.

Run as a program by test_every_model.py: `every_model.py NAME...`; prints one line of JSON a model. With --torch
first, the host's optional libraries may be used, and networks have random weights.
"""

from __future__ import annotations

import json
import logging
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import cv2
import numpy as np

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
    assert cv2.imwrite(f"{path}", pixels[..., ::-1])
    return f"{path}"


def differences(detector: Any, files: list[str], arrays: list[np.ndarray]) -> dict[str, float]:
    """The largest difference, relative to the scores, between the detector's own scores of files and ours."""
    from pyimgano.inference import infer

    def scores(inputs: Any) -> np.ndarray:
        return np.array([result.score for result in infer(detector, inputs)], np.float64)

    own = np.asarray(detector.decision_function(files), np.float64).ravel()
    alone = np.concatenate([scores([one]) for one in arrays])
    found = {
        "files": scores(files),
        "arrays": scores(arrays),
        "batch": scores(np.stack(arrays)),
        "mixed": scores([files[0], arrays[1], Path(files[2])]),
        "alone": alone,
    }
    return {name: (np.abs(one - own) / np.maximum(1, np.abs(own))).max().item() for name, one in found.items()}


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


def tried(name: str, normal: list[str], files: list[str], arrays: list[np.ndarray], **keywords: Any) -> dict[str, Any]:
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
        files = [save(one, Path(folder) / f"test{index}.png") for index, one in enumerate(arrays)]
        for name in names:
            print(json.dumps([name, tried(name, normal, files, arrays, **keywords)]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
