"""Detectors that run anomalib's models: numpy in, native maps and raw scores out; anomalib is imported on first use."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.calls import DetectorOutputError
from pyimgano_industrial.core.errors import ImageError, IndustrialWarning
from pyimgano_industrial.core.extras import require
from pyimgano_industrial.core.images import read_rgb, to_uint8
from pyimgano_industrial.models.anomalib_table import BY_CLASS, AnomalibModel
from pyimgano_industrial.models.checkpoint_files import CheckpointError, sha256, sniff
from pyimgano_industrial.models.placing import place, region
from pyimgano_industrial.models.runtime import Runtime, Thresholds

if TYPE_CHECKING:
    from typing_extensions import Self

Image = NDArray[Any] | str | Path
Images = Sequence[Image] | NDArray[Any] | str | Path


class AnomalibScorer:
    """Scores images with a checkpoint that anomalib trained, or with a model that needs no training.

    checkpoint_path: a Lightning .ckpt, an exported .pt, an OpenVINO .xml or an ONNX file, told by its content.
    device: "auto", "cpu", "cuda:0", "mps", or any other name that torch (for exports: their runtime) knows.
    contamination: share of the images given to fit() that lie above threshold_, 0 < contamination < 0.5.
    batch_size: images in one forward.
    score: "raw" is what the model computes; "normalized" is anomalib's own 0..1 scale, clipped at both ends.
    trust_checkpoint: load a full pickle, whose code then runs with your rights.
    init_args, image_size, download: for models that fit() builds: arguments of anomalib's constructor, (height, width)
        of the model's input, which then is the whole image, uncropped, and whether pretrained weights that are not in
        the local cache may be fetched.

    Attributes: decision_scores_ and threshold_ after fit(); preprocessing, thresholds (the checkpoint's own, raw) and
    class_name as soon as a checkpoint is loaded. Raises CheckpointError, DeviceError and PluginError.
    """

    model: ClassVar[AnomalibModel | None] = None

    def __init__(
        self,
        *,
        checkpoint_path: str | Path | None = None,
        device: str = "auto",
        contamination: float = 0.1,
        batch_size: int = 16,
        score: Literal["raw", "normalized"] = "raw",
        trust_checkpoint: bool = False,
        init_args: Mapping[str, Any] | None = None,
        image_size: tuple[int, int] | None = None,
        download: bool = False,
    ) -> None:
        if not 0 < contamination < 0.5:
            raise ValueError(f"contamination must be in (0, 0.5); got {contamination}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more; got {batch_size}")
        if score not in ("raw", "normalized"):
            raise ValueError(f"score must be 'raw' or 'normalized'; got {score!r}")
        self.checkpoint_path = None if checkpoint_path is None else Path(checkpoint_path)
        self.device = device
        self.contamination = contamination
        self.batch_size = batch_size
        self.score = score
        self.trust_checkpoint = trust_checkpoint
        self.init_args = dict(init_args or {})
        self.image_size = image_size
        self.download = download
        self.decision_scores_: NDArray[np.float32] | None = None
        self.threshold_: float | None = None
        self._warned = False
        self._sha256: str | None = None
        self._runtime: Runtime | None = None
        self._check_model()
        if self.checkpoint_path is not None:
            self._sha256 = sha256(self.checkpoint_path) if self.checkpoint_path.is_file() else None
            self._runtime = self._load()

    @property
    def class_name(self) -> str:
        """anomalib's class, such as "Padim"; "unknown" for exports, which do not say."""
        return self._running().class_name

    @property
    def preprocessing(self) -> tuple[str, ...]:
        """What the checkpoint does to an image before its model sees it, in order."""
        return self._running().preprocessing

    @property
    def thresholds(self) -> Thresholds:
        """The checkpoint's own thresholds of raw scores and maps, as anomalib's training chose them."""
        return self._running().thresholds

    def fit(self, images: Images, y: object = None) -> Self:  # noqa: ARG002 - the host's signature
        """Set threshold_ from good images; a model without a checkpoint is built from them first.

        Raises CheckpointError where neither a checkpoint nor a model that fits in place is given.
        """
        listed = _listed(images)
        if not listed:
            raise ValueError("fit needs at least one image; got none")
        if self.checkpoint_path is None:
            self._fit_in_place(listed)
        self.decision_scores_ = self.decision_function(listed)
        self.threshold_ = float(np.quantile(self.decision_scores_, 1 - self.contamination))
        return self

    def decision_function(self, images: Images) -> NDArray[np.float32]:
        """Return scores (N,) float32, higher is more anomalous; images are arrays or files, of any sizes."""
        parts = [scores for _, scores, _ in self._run(_listed(images))]
        return np.concatenate(parts) if parts else np.empty(0, np.float32)

    def predict(self, images: Images) -> NDArray[np.int64]:
        """Return 1 where the score exceeds threshold_, or the checkpoint's own threshold before fit(), else 0."""
        return (self.decision_function(images) > self._limit()).astype(np.int64)

    def save(self, path: str | Path) -> Path:
        """Write a checkpoint of a model that fit() built; anomalib reads it too. Returns the path."""
        runtime = self._running()
        if runtime.kind != "fitted":
            raise CheckpointError(f"save is for models that fit() built; this one is {self.checkpoint_path}: copy it")
        from pyimgano_industrial.models.anomalib.fitting import save

        save(runtime.module, Path(path))  # type: ignore[attr-defined]  # fitted models run in torch
        return Path(path)

    def __getstate__(self) -> dict[str, Any]:
        """Keep the checkpoint's path and hash; a model that fit() built goes along as a checkpoint's bytes."""
        state = {key: value for key, value in vars(self).items() if key != "_runtime"}
        if self.checkpoint_path is None and self._runtime is not None:
            from pyimgano_industrial.models.anomalib.fitting import to_bytes

            state["_bytes"] = to_bytes(self._runtime.module)  # type: ignore[attr-defined]  # see save
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state, _runtime=None)

    @property
    def _name(self) -> str:
        return "vision_anomalib_checkpoint" if self.model is None else self.model.name

    def _limit(self) -> float:
        if self.threshold_ is not None:
            return self.threshold_
        own = self.thresholds.image
        if own is None:
            raise RuntimeError(
                "predict needs a threshold, and the checkpoint has none: call fit() on good images first"
            )
        return own if self.score == "raw" else 0.5

    def _run(
        self, images: Sequence[Image]
    ) -> Iterator[tuple[list[NDArray[np.uint8]], NDArray[np.float32], list[NDArray[np.float32]] | None]]:
        """Yield (images, scores, maps of the model's size) batch by batch."""
        runtime = self._running()
        for batch in _batches(images, self.batch_size):
            scores, maps = runtime(batch, normalized=self.score == "normalized")
            if not np.isfinite(scores).all():
                raise DetectorOutputError(
                    f"{runtime.class_name} gave a score that is not finite; got {scores.tolist()}"
                )
            yield batch, scores, maps

    def _running(self) -> Runtime:
        if self._runtime is None:
            if self.checkpoint_path is not None:
                self._check_hash()
                self._runtime = self._load()
            elif "_bytes" in vars(self):
                from pyimgano_industrial.models.anomalib.fitting import from_bytes

                self._runtime = from_bytes(vars(self).pop("_bytes"), device=self.device)
            else:
                raise RuntimeError(
                    f"{self._name} requires a checkpoint or fit() on good images before it can score; it has neither: "
                    "give checkpoint_path (--checkpoint-path), or fit it first"
                )
        return self._runtime

    def _load(self) -> Runtime:
        assert self.checkpoint_path is not None
        kind = sniff(self.checkpoint_path)
        if kind == "torch":
            require("anomalib", extra="anomalib")
            from pyimgano_industrial.models.anomalib.loading import load

            return load(self.checkpoint_path, model=self.model, device=self.device, trust=self.trust_checkpoint)
        alone = self.model is not None and self.model.alone
        if kind == "onnx" and (_is_there("onnx", "onnxruntime") or not _is_there("openvino")):
            from pyimgano_industrial.models.onnx_export import OnnxRuntime

            return OnnxRuntime(self.checkpoint_path, device=self.device, alone=alone)
        from pyimgano_industrial.models.openvino_export import OpenVinoRuntime

        return OpenVinoRuntime(self.checkpoint_path, kind=kind, device=self.device, alone=alone)

    def _fit_in_place(self, images: Sequence[Image]) -> None:
        require("anomalib", extra="anomalib")
        from pyimgano_industrial.models.anomalib.fitting import fit_in_place, new_runtime

        assert self.model is not None
        runtime = new_runtime(
            self.model, self.init_args, image_size=self.image_size, download=self.download, device=self.device
        )
        fit_in_place(runtime, lambda: _batches(images, self.batch_size), total=len(images))
        self._runtime = runtime

    def _check_model(self) -> None:
        if self.model is not None and self.model.not_loadable:
            raise CheckpointError(f"{self.model.name} cannot be used: {self.model.not_loadable}")
        if self.checkpoint_path is None and (self.model is None or self.model.fit != "in place"):
            raise CheckpointError(
                f"{self._name} needs checkpoint_path: anomalib trains this model; models that fit() builds from good "
                f"images are {', '.join(sorted(model.name for model in BY_CLASS.values() if model.fit == 'in place'))}"
            )
        if self.checkpoint_path is not None and (self.init_args or self.image_size):
            raise CheckpointError("init_args and image_size are the checkpoint's own where checkpoint_path is given")

    def _check_hash(self) -> None:
        path = self.checkpoint_path
        if self._sha256 is not None and path is not None and path.is_file() and sha256(path) != self._sha256:
            raise CheckpointError(
                f"{path} is not the file that this detector was made with: its SHA-256 must begin with "
                f"{self._sha256[:12]}; put that file back, or create the detector anew"
            )


class AnomalibDetector(AnomalibScorer):
    """An AnomalibScorer whose model gives anomaly maps too; each has its image's own size.

    Where the checkpoint crops the centre, the pixels around it get the map's smallest value, and a warning says how
    much of the image that is.
    """

    def score_and_map(self, images: Images) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Return scores (N,) and maps [(H, W) float32] of one forward."""
        scores, maps = [], []
        for batch, batch_scores, batch_maps in self._run(_listed(images)):
            if batch_maps is None:
                raise DetectorOutputError(
                    f"{self.class_name} gives no anomaly maps, with these settings; got scores only"
                )
            scores.append(batch_scores)
            maps += [self._placed(one, image) for one, image in zip(batch_maps, batch, strict=True)]
        return np.concatenate(scores) if scores else np.empty(0, np.float32), maps

    def predict_anomaly_map(self, images: Images) -> NDArray[np.float32] | list[NDArray[np.float32]]:
        """Return maps (N, H, W) float32, or a list of (H, W) where the images' sizes differ."""
        maps = self.score_and_map(images)[1]
        return np.stack(maps) if len({one.shape for one in maps}) == 1 else maps

    def get_anomaly_map(self, image: Image) -> NDArray[np.float32]:
        """Return the map (H, W) float32 of one image."""
        return self.score_and_map([image])[1][0]

    def _placed(self, anomaly_map: NDArray[np.float32], image: NDArray[np.uint8]) -> NDArray[np.float32]:
        height, width = image.shape[:2]
        where = region(self._running().steps, height, width)
        if not self._warned and (unseen := where.unseen(height, width)) > 0.001:
            self._warned = True
            warnings.warn(
                f"the checkpoint crops the centre of each image: {unseen:.0%} of the pixels, at the edges, are not "
                f"looked at; their map values are the smallest of the map. Train without CenterCrop to see them",
                IndustrialWarning,
                stacklevel=4,
            )
        return place(anomaly_map, where, height, width)


def _is_there(*modules: str) -> bool:
    return all(find_spec(module) is not None for module in modules)


def _listed(images: Images) -> Sequence[Image]:
    if isinstance(images, (str, Path)):
        return [images]
    return list(images)


def _batches(images: Sequence[Image], size: int) -> Iterator[list[NDArray[np.uint8]]]:
    remaining: Iterable[Image] = iter(images)
    while batch := [_rgb(image) for image in islice(remaining, size)]:
        yield batch


def _rgb(image: Image) -> NDArray[np.uint8]:
    """Return (H, W, 3) uint8 RGB of a file or an array (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)."""
    if isinstance(image, (str, Path)):
        return read_rgb(image)
    pixels = np.asarray(image)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or not pixels.size:
        raise ImageError(f"an image must be (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), not empty; got {pixels.shape}")
    samples = to_uint8(pixels)[..., :3]
    return samples if samples.shape[2] == 3 else np.repeat(samples, 3, axis=2)
