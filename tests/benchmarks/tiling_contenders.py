"""What the tiling benchmark compares: this package, pyimgano's TiledDetector and the peers, each on one cheap detector.

A contender imports what it needs, and returns (load, run): load turns an image (H, W, 3) uint8 into what the library
takes, run returns (score, map (H, W) float32). The cheap detector's map is one channel, so every blend must return that
channel: a wrong or missing pixel shows.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Map = NDArray[np.float32]
Contender = tuple[Callable[[Image], Any], Callable[[Any], tuple[float, Any]]]

CHANNEL = 1


class Channel:
    """pyimgano's protocol: a method for scores and one for maps."""

    def decision_function(self, images: Sequence[Image]) -> NDArray[np.float32]:
        return np.array([image[..., CHANNEL].max() for image in images], np.float32)

    def predict_anomaly_map(self, images: Sequence[Image]) -> Map:
        maps = np.empty((len(images), *images[0].shape[:2]), np.float32)
        for one, image in zip(maps, images, strict=True):
            one[...] = image[..., CHANNEL]
        return maps


class OnePass(Channel):
    """The same with score and map from one pass, which this package uses where it is there."""

    def score_and_map(self, images: Sequence[Image]) -> tuple[NDArray[np.float32], Map]:
        maps = self.predict_anomaly_map(images)
        return maps.max(axis=(1, 2)), maps


def ours(*, tile: int, stride: int, blend: str, detector: Any = None, score_from: str = "tiles") -> Contender:
    import cv2  # noqa: F401 - so that its import is not measured

    from pyimgano_industrial.tiling import TiledDetector

    tiled = TiledDetector(
        detector=detector or OnePass(), tile_size=tile, stride=stride, map_reduce=blend, score_from=score_from
    )

    def run(image: Any) -> tuple[float, Any]:
        scores, maps = tiled.score_and_map([image])
        return scores.item(), maps[0]

    return _as_it_is, run


def ours_two_calls(*, tile: int, stride: int, blend: str) -> Contender:
    return ours(tile=tile, stride=stride, blend=blend, detector=Channel())


def host(*, tile: int, stride: int, blend: str, detector: Any = None) -> Contender:
    """pyimgano's own class; the process runs with the plugin switched off."""
    import cv2  # noqa: F401 - so that its import is not measured
    from pyimgano.inference.tiling import TiledDetector

    if not TiledDetector.__module__.startswith("pyimgano."):
        raise SystemExit("the plugin is loaded: set PYIMGANO_DISABLE_PLUGIN_AUTOLOAD=1")
    tiled = TiledDetector(detector=detector or Channel(), tile_size=tile, stride=stride, map_reduce=blend)

    def run(image: Any) -> tuple[float, Any]:
        return tiled.decision_function([image]).item(), tiled.get_anomaly_map(image)

    return _as_it_is, run


def monai(*, tile: int, stride: int, blend: str) -> Contender:
    """MONAI's sliding_window_inference, one window at a time, which is its fastest here; hann is its `roi_weight_map`.

    It computes in the type of its input, so the image is converted to float32, which is not timed.
    """
    import torch
    from monai.inferers import sliding_window_inference

    axis = torch.from_numpy(np.sin(np.pi * (np.arange(tile) + 0.5) / tile) ** 2).float()
    options: dict[str, Any] = {
        "mean": {"mode": "constant"},
        "gaussian": {"mode": "gaussian"},
        "hann": {"mode": "gaussian", "roi_weight_map": torch.outer(axis, axis)[None, None]},
    }[blend]

    def load(image: Image) -> Any:
        return torch.from_numpy(image).permute(2, 0, 1)[None].float()

    def run(tensor: Any) -> tuple[float, Any]:
        with torch.inference_mode():
            found = sliding_window_inference(
                tensor, (tile, tile), 1, _one_channel, overlap=1 - stride / tile, **options
            )
            return found.max().item(), found[0, 0].numpy()

    return load, run


def patchly(*, tile: int, stride: int, blend: str) -> Contender:
    """patchly's GridSampler and Aggregator on numpy arrays."""
    from patchly import Aggregator, GridSampler, SamplingMode

    weights = {"mean": "avg", "gaussian": "gaussian"}[blend]  # an array of weights fails in its own check (0.0.19)

    def run(image: Image) -> tuple[float, Any]:
        size = image.shape[:2]
        sampler = GridSampler(
            image=image,
            spatial_size=size,
            patch_size=(tile, tile),
            step_size=(stride, stride),
            mode=SamplingMode.SAMPLE_EDGE,
        )
        aggregator = Aggregator(sampler=sampler, output=np.zeros(size, np.float32), weights=weights)
        for patch, box in sampler:
            aggregator.append(patch[..., CHANNEL].astype(np.float32), box)
        merged = aggregator.get_output(inplace=True)
        return merged.max().item(), merged

    return _as_it_is, run


def anomalib(*, tile: int, stride: int, blend: str) -> Contender:
    """anomalib's Tiler, which averages; all tiles of an image are in memory at a time.

    Its file is loaded by itself: importing anomalib brings in Lightning, whose memory would count as the interpreter's.
    """
    import torch

    if blend != "mean":
        raise SystemExit("anomalib's Tiler only averages")
    (folder,) = importlib.util.find_spec("anomalib").submodule_search_locations  # type: ignore[union-attr]  # it is there
    spec = importlib.util.spec_from_file_location("anomalib_tiler", Path(folder) / "data" / "utils" / "tiler.py")
    module = importlib.util.module_from_spec(spec)  # type: ignore[arg-type]  # likewise
    spec.loader.exec_module(module)  # type: ignore[union-attr]  # likewise
    tiler = module.Tiler(tile_size=tile, stride=stride)

    def load(image: Image) -> Any:
        return torch.from_numpy(image).permute(2, 0, 1)[None]  # in float32 its tiles would take 11 GiB at stride 128

    def run(tensor: Any) -> tuple[float, Any]:
        with torch.inference_mode():
            merged = tiler.untile(tiler.tile(tensor)[:, CHANNEL : CHANNEL + 1].float())
            return merged.max().item(), merged[0, 0].numpy()

    return load, run


def _one_channel(windows: Any) -> Any:
    return windows[:, CHANNEL : CHANNEL + 1].clone()  # a view of the input would be scaled in place by MONAI


def _as_it_is(image: Image) -> Image:
    return image


CONTENDERS: dict[str, Callable[..., Contender]] = {
    "ours": ours,
    "ours, two calls": ours_two_calls,
    "host": host,
    "MONAI": monai,
    "MONAI, 2 threads": monai,
    "patchly": patchly,
    "anomalib": anomalib,
}
