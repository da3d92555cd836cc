"""Models that need no training: one pass over good images through anomalib's own code, and a checkpoint it reads."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import lightning
import numpy as np
import torch
from anomalib.data import ImageBatch
from anomalib.models import image as anomalib_models
from anomalib.models.components import AnomalibModule, MemoryBankMixin
from anomalib.pre_processing import PreProcessor
from numpy.typing import NDArray
from torchvision.transforms import v2

from pyimgano_industrial.core.progress import TerminalProgress
from pyimgano_industrial.models.anomalib.building import module_of, warn_of_open_clip
from pyimgano_industrial.models.anomalib.coreset import steady_coreset
from pyimgano_industrial.models.anomalib.offline import OfflineError, without_network
from pyimgano_industrial.models.anomalib.reading import anomalib_version, read
from pyimgano_industrial.models.anomalib.running import TorchRuntime
from pyimgano_industrial.models.anomalib_table import AnomalibModel
from pyimgano_industrial.models.checkpoint_files import CheckpointError


def new_runtime(
    model: AnomalibModel,
    init_args: Mapping[str, Any],
    *,
    image_size: tuple[int, int] | None,
    download: bool,
    device: str,
) -> TorchRuntime:
    """Return an unfitted model; its backbone's weights come from the local cache, or the network if `download`.

    init_args: arguments of anomalib's constructor. Raises CheckpointError where they do not fit or weights are missing.
    """
    model_class = getattr(anomalib_models, model.class_name)
    components: dict[str, Any] = {"evaluator": False, "visualizer": False}
    if image_size is not None:
        components["pre_processor"] = uncropped(model_class.configure_pre_processor, image_size)
    try:
        with nullcontext() if download else without_network():
            module: AnomalibModule = model_class(**{**components, **init_args})
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"init_args must be those of anomalib's {model.class_name}: {error}") from error
    except (OSError, RuntimeError) as error:
        if download or not _is_offline(error):
            raise
        raise CheckpointError(
            f"the pretrained weights of {model.class_name} are not in the local cache, and nothing is fetched unasked: "
            f"allow it with download=True, or give checkpoint_path"
        ) from error
    return TorchRuntime(module, device=device, kind="fitted")


def fit_in_place(runtime: TorchRuntime, images: Callable[[], Iterable[list[NDArray[np.uint8]]]], *, total: int) -> None:
    """Build the model's bank or statistics from good images.

    images: returns the batches anew for each pass, since some models pass over them several times.
    """
    module = runtime.module
    if not isinstance(module, MemoryBankMixin):
        _set_up_winclip(runtime, images())
        return
    needed = getattr(module.hparams, "n_pca_components", 0) if runtime.class_name == "Dfkde" else 0
    if total < needed:
        raise CheckpointError(
            f"Dfkde needs at least as many good images as n_pca_components, {needed}; got {total}: give more, or "
            f"init_args={{'n_pca_components': {total}}}"
        )
    passes = int(module.trainer_arguments.get("max_epochs", 1))
    module.train()
    with torch.no_grad(), steady_coreset(), TerminalProgress(f"fitting {runtime.class_name}") as progress:
        for epoch in range(passes):
            done = 0
            for batch in images():
                tensors = torch.cat([runtime.prepare(image) for image in batch])
                try:
                    module.training_step(ImageBatch(image=tensors), 0)
                except AssertionError as error:  # SuperADD checks sizes so, without a message
                    raise CheckpointError(
                        f"{runtime.class_name} does not take images of {tensors.shape[2]} x {tensors.shape[3]} with "
                        f"these init_args: give a larger image_size"
                    ) from error
                done += len(batch)
                progress(epoch * total + done, passes * total)
            module.on_train_epoch_end()
    module.eval()


def save(module: AnomalibModule, path: Path | BinaryIO) -> None:
    """Write a Lightning checkpoint that anomalib's Engine and load_from_checkpoint read."""
    content: dict[str, Any] = {
        "epoch": 0,
        "global_step": 0,
        "pytorch-lightning_version": lightning.__version__,
        "state_dict": {name: tensor.cpu() for name, tensor in module.state_dict().items()},
        "callbacks": {},
        "optimizer_states": [],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": dict(module.hparams),
        "anomalib_version": anomalib_version(),
    }
    module.on_save_checkpoint(content)
    torch.save(content, path)


def to_bytes(module: AnomalibModule) -> bytes:
    """Return the checkpoint that `save` would write."""
    buffer = BytesIO()
    save(module, buffer)
    return buffer.getvalue()


def from_bytes(content: bytes, *, device: str) -> TorchRuntime:
    """Return the model of `to_bytes`, read as safely as a file."""
    with tempfile.TemporaryDirectory(prefix="pyimgano-") as folder:
        path = Path(folder) / "fitted.ckpt"
        path.write_bytes(content)
        return TorchRuntime(module_of(read(path, trust=False), path, wanted=None), device=device, kind="fitted")


def uncropped(configure: Callable[..., Any], image_size: tuple[int, int]) -> PreProcessor:
    """Return the class's own pre-processor with another size and without a crop, so that the whole image is seen.

    Raises CheckpointError where the model's size cannot be chosen, as WinCLIP's.
    """
    try:
        transform = configure(image_size=image_size).transform
    except ValueError:  # MH-PatchCore refuses sizes below that of its crop
        transform = configure().transform
    else:
        fixed = next(one.size for one in transform.transforms if isinstance(one, v2.Resize))
        if tuple(fixed) != tuple(image_size):
            raise CheckpointError(f"image_size must be {tuple(fixed)}, which this model fixes; got {image_size}")
    kept = [
        v2.Resize(image_size, interpolation=one.interpolation, antialias=one.antialias)
        if isinstance(one, v2.Resize)
        else one
        for one in transform.transforms
        if not isinstance(one, v2.CenterCrop)
    ]
    return PreProcessor(transform=v2.Compose(kept))


def _set_up_winclip(runtime: TorchRuntime, batches: Iterable[list[NDArray[np.uint8]]]) -> None:
    """Embed the prompts and, where k_shot asks for them, the first good images."""
    module: Any = runtime.module
    warn_of_open_clip()
    shots = list(islice((image for batch in batches for image in batch), module.k_shot))
    if len(shots) < module.k_shot:
        raise CheckpointError(f"k_shot={module.k_shot} needs as many good images; got {len(shots)}")
    references = torch.cat([runtime.prepare(image) for image in shots]) if shots else None
    with torch.no_grad():
        module.model.setup(module.class_name or "object", references)
    module.is_setup = True  # so that anomalib's own trainer does not look for the images again


def _is_offline(error: BaseException | None) -> bool:
    """Return whether the network's refusal is among the causes."""
    while error is not None:
        if isinstance(error, OfflineError) or "locate the file on the Hub" in f"{error}":
            return True
        error = error.__cause__ or error.__context__
    return False
