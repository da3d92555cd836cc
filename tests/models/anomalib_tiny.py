"""anomalib's models, as small as each can be built, with random weights, and their predictions by anomalib's Engine."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.models import anomalib_aliases

SIZE = (64, 64)
_DINO = (56, 56)  # a multiple of its patches of 14


@dataclass(frozen=True)
class Tiny:
    """How one model is built. size: the model's input, None for anomalib's own default; options: the constructor's."""

    options: dict[str, Any] = field(default_factory=dict)
    size: tuple[int, int] | None = SIZE


IN_PLACE = {
    "AnomalyDINO": Tiny({"encoder_name": "vit_small_patch14_dinov2"}, _DINO),
    "Dfkde": Tiny({"backbone": "resnet18", "n_pca_components": 4}),
    "Dfm": Tiny({"backbone": "resnet18", "layer": "layer1"}),
    "MHPatchcore": Tiny(
        {"backbone": "resnet18", "layers": ["layer2"], "memory_bank_size": 50, "local_coreset_size": 16}
    ),
    "Padim": Tiny({"backbone": "resnet18", "layers": ["layer1"], "n_features": 16}),
    "Patchcore": Tiny({"backbone": "resnet18", "layers": ["layer2"]}),
    "Rad": Tiny({"backbone": "vit_small_patch16_dinov3", "layers": [3, 7]}),
    "SuperADD": Tiny(
        {"backbone": "vit_small_patch16_dinov3", "layers": [3, 7], "patch_size": 64, "patch_overlap": 16}, (80, 80)
    ),
}
TRAINED = {
    "AnomalyVFM": Tiny(),
    "Cfa": Tiny({"backbone": "resnet18"}),
    "Cflow": Tiny({"backbone": "resnet18", "layers": ["layer2"], "coupling_blocks": 2, "condition_vector": 16}),
    "Csflow": Tiny({"cross_conv_hidden_channels": 8, "n_coupling_blocks": 1}, (128, 128)),
    "Dinomaly": Tiny({"encoder_name": "vit_small_patch14_dinov2"}, None),  # its own size and crop
    "Draem": Tiny(),
    "Dsr": Tiny(),
    "EfficientAd": Tiny(size=None),
    "Fastflow": Tiny({"backbone": "resnet18", "flow_steps": 2}),
    "FoundAD": Tiny(
        {"encoder_name": "dinov2_vit_small_14", "pred_depth": 1, "pred_emb_dim": 48, "image_size": 56}, None
    ),
    "Fre": Tiny({"backbone": "resnet18", "layer": "layer1", "input_dim": 64 * 8 * 8, "latent_dim": 8}),
    "Ganomaly": Tiny({"n_features": 4, "latent_vec_size": 8}),
    "GeneralAD": Tiny({"backbone": "vit_small_patch14_dinov2.lvd142m", "layers": (12,), "hidden_dim": 32}, _DINO),
    "Glass": Tiny(
        {
            "backbone": "resnet18",
            "input_shape": SIZE,
            "pretrain_embed_dim": 32,
            "target_embed_dim": 32,
            "discriminator_hidden": 32,
        }
    ),
    "InpFormer": Tiny({"encoder_name": "vit_small_patch14_reg4_dinov2"}, _DINO),
    "L2BT": Tiny(size=_DINO),
    "Patchflow": Tiny({"backbone": "tf_efficientnet_b0", "flow_feature_dim": 8, "flow_hidden_dim": 8}),
    "ReverseDistillation": Tiny({"backbone": "resnet18"}),
    "Stfpm": Tiny({"backbone": "resnet18"}),
    "Supersimplenet": Tiny({"backbone": "resnet18"}),
    "Uflow": Tiny({"backbone": "resnet18", "flow_steps": 1}, None),
    "UniNet": Tiny(),
}
TINY = IN_PLACE | TRAINED
ELSEWHERE = {
    "WinClip": "anomalib's is right with open_clip below 2.26.1 only: test_anomalib_winclip.py, by tox in winclip",
}


def alias(name: str) -> Any:
    """Return our class for anomalib's."""
    return getattr(anomalib_aliases, name)


def pictures(count: int, seed: int = 0, *, size: tuple[int, int] = (80, 96)) -> list[NDArray[np.uint8]]:
    scene = 90 + 60 * np.sin(np.linspace(0, 6, size[1])) * np.cos(np.linspace(0, 4, size[0]))[:, None]
    noise = np.random.default_rng(seed).normal(0, 12, (count, *size, 3))
    return list(np.clip(scene[..., None] + noise, 0, 255).astype(np.uint8))


def write(images: list[NDArray[np.uint8]], folder: Path) -> list[str]:
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index:03}.png"), image[..., ::-1])
    return sorted(map(str, folder.glob("*.png")))


def checkpoint(name: str, folder: Path) -> tuple[Path, Any]:
    """Return a checkpoint with thresholds and a range, and the very module that it was written from."""
    import torch

    from pyimgano_industrial.models.anomalib.fitting import save
    from pyimgano_industrial.models.anomalib.offline import without_weights

    torch.manual_seed(0)
    path = folder / f"{name}.ckpt"
    with without_weights():
        if name in IN_PLACE:
            tiny = IN_PLACE[name]
            detector = alias(name)(init_args=tiny.options, image_size=tiny.size, device="cpu").fit(pictures(6))
            module = detector._runtime.module
        else:
            module = _trained(name, folder)
    limits = {"_image_threshold": 0.4, "_pixel_threshold": 0.5, "image_min": 0, "image_max": 2, "pixel_min": 0}
    for buffer, value in {**limits, "pixel_max": 3}.items():
        getattr(module.post_processor, buffer).fill_(value)
    save(module, path)
    return path, module


def _trained(name: str, folder: Path) -> Any:
    """Return a model of random weights, with what its training would have set up before the first step."""
    import torch
    from anomalib.data import ImageBatch
    from anomalib.models import image as anomalib_models

    from pyimgano_industrial.models.anomalib.fitting import uncropped
    from pyimgano_industrial.models.anomalib.running import TorchRuntime

    tiny, model_class = TRAINED[name], getattr(anomalib_models, name)
    options = dict(tiny.options)
    if tiny.size is not None:
        options["pre_processor"] = uncropped(model_class.configure_pre_processor, tiny.size)
    if name == "Draem":
        (folder / "dtd").mkdir()
        options["dtd_dir"] = str(folder / "dtd")
    module = model_class(**options, evaluator=False, visualizer=False).eval()
    runtime = TorchRuntime(module, device="cpu", kind="fitted")
    batch = torch.cat([runtime.prepare(image) for image in pictures(4)])
    if name == "Cfa":
        module.model.initialize_centroid([ImageBatch(image=batch)])
    if name == "Csflow":  # its map is a product, which would be 0
        _settle(module, batch)
    return module


def _settle(module: Any, batch: Any) -> None:
    """Give every batch normalisation the statistics of a batch, as training would."""
    import torch

    learned = set()

    def learn(layer: Any, inputs: Any) -> None:
        if layer in learned:
            return  # the first of its three scales decides
        learned.add(layer)
        layer.running_mean.copy_(inputs[0].mean((0, 2, 3)))
        layer.running_var.copy_(inputs[0].var((0, 2, 3)))

    layers = [one for one in module.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    hooks = [one.register_forward_pre_hook(learn) for one in layers]
    with torch.no_grad():
        module.model(batch)
    for hook in hooks:
        hook.remove()


def engine_predicts(
    module: Any, folder: Path, root: Path, *, checkpoint: Path | None = None
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None]:
    """Return scores and maps of a folder's images, one at a time, by anomalib's Engine.

    checkpoint: read by the Engine first; without one it wants to validate models that learn from few images
    """
    from anomalib.data import PredictDataset
    from anomalib.engine import Engine

    engine = Engine(accelerator="cpu", devices=1, logger=False, default_root_dir=root, enable_progress_bar=False)
    found = engine.predict(model=module, dataset=PredictDataset(folder), ckpt_path=checkpoint)
    scores = np.concatenate([one.pred_score.float().reshape(-1).numpy() for one in found])
    if found[0].anomaly_map is None:
        return scores, None
    maps = [one.anomaly_map.float().numpy() for one in found]
    return scores, np.stack([one.reshape(one.shape[-2:]) for one in maps])


def close(found: Any, expected: Any, *, tolerance: float = 1e-4) -> None:
    """Assert that numbers agree relative to the largest of them, and that they are not all the same."""
    expected = np.asarray(expected)
    largest = float(np.abs(expected).max())
    assert math.isfinite(largest)
    assert np.ptp(expected) > 0
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * min(1.0, largest))
