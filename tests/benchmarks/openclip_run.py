"""One process of the OpenCLIP benchmark: it prints a line of JSON for each contender and round.

Each contender takes a list of images (H, W, 3) uint8 and returns scores and maps. The peak on the CPU is ru_maxrss of
the whole process, libraries, weights and images included, so that a process should hold one contender; on a GPU it is
what torch's allocator gave out during a pass, beyond what lay there before, weights for the most part.
"""

from __future__ import annotations

import importlib.util
import json
import resource
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

MODEL, SIDE = "ViT-B-16", 512
WINDOW_MODEL, WINDOW_SIDE = "ViT-B-16-plus-240", 240
Images = list[NDArray[np.uint8]]
Run = Callable[[Images], Any]
Row = dict[str, Any]


def main() -> int:
    task = json.loads(sys.argv[1])
    warnings.filterwarnings("ignore", message=".*has random weights")
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(task["images"])]
    device, batch_size = task["device"], task["batch_size"]
    gpu = device.startswith("cuda")
    runs: dict[str, Run] = {}
    known: dict[str, Row] = {}
    for name in task["names"]:
        try:
            run = CONTENDERS[name](device, batch_size)
            known[name] = {"first_seconds": measured(run, images[: batch_size if gpu else 1], gpu=gpu)["seconds"]}
        except Exception as error:  # noqa: BLE001 - the others are measured all the same
            print(json.dumps({"name": name, "gap": f"{type(error).__name__}: {error}".splitlines()[0]}), flush=True)
            continue
        runs[name] = run
        if gpu and name in PRECISIONS:
            known[name]["away"] = away(images[:batch_size], settings(device, batch_size), PRECISIONS[name])
    for number in range(task["rounds"]):
        for name in list(runs)[:: -1 if number % 2 else 1]:
            print(json.dumps({"name": name, **known[name], **measured(runs[name], images, gpu=gpu)}), flush=True)
    return 0


def measured(run: Run, images: Images, *, gpu: bool) -> Row:
    """Return seconds of the clock and of the CPU, peak memory, and where it ran."""
    held = 0
    if gpu:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        held = torch.cuda.memory_allocated()
    started, used = time.perf_counter(), time.process_time()
    run(images)
    if gpu:
        torch.cuda.synchronize()
    row = {"images": len(images), "seconds": time.perf_counter() - started, "cpu": time.process_time() - used}
    row["peak_mib"] = (torch.cuda.max_memory_allocated() - held) / 2**20 if gpu else peak()
    place = torch.cuda.get_device_name() if gpu else f"{torch.get_num_threads()} threads"
    return row | {"where": f"{place}, torch {torch.__version__}, open_clip {version('open_clip_torch')}"}


def away(images: Images, common: dict[str, Any], chosen: dict[str, Any]) -> float:
    """Return how far scores and maps are from fp32, at most, with a trained model's logit scale of 100."""
    from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch

    found = []
    for options in ({}, chosen):
        detector = OpenCLIPPromptPatch(**common, **options)
        own, detector.engine.logit_scale = detector.engine.logit_scale, 100.0
        found.append(detector.score_and_map(images))
        detector.engine.logit_scale = own  # the loaded model is shared
    return max(float(np.abs(np.subtract(one, other)).max()) for one, other in zip(*found, strict=True))


def host(device: str, batch_size: int) -> Run:  # noqa: ARG001 - it takes an image at a time
    """pyimgano's own detector: the score, then the map; where it is not installed, what it computes."""
    if importlib.util.find_spec("pyimgano") is None:
        return literal(device)
    from pyimgano.models import create_model

    detector = create_model(
        "vision_openclip_promptscore",
        openclip_model_name=MODEL,
        openclip_pretrained=None,
        force_image_size=SIDE,
        device=device,
    )
    return lambda images: (detector.decision_function(images), detector.predict_anomaly_map(images))


def literal(device: str) -> Run:
    """What pyimgano 0.9.1 does for each image, written out: Pillow's transform, tokens, cosines, a resized grid."""
    import cv2
    import open_clip
    from PIL import Image

    model, _, transform = open_clip.create_model_and_transforms(MODEL, pretrained=None, force_image_size=SIDE)
    model = model.eval().to(device)
    visual = model.visual
    text = torch.nn.functional.normalize(torch.randn(2, 512), dim=-1).numpy()

    def patches(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        pixels = transform(Image.fromarray(image)).unsqueeze(0).to(device)
        with torch.no_grad():
            tokens = visual.ln_post(visual.transformer(visual._embeds(pixels))) @ visual.proj
            return torch.nn.functional.normalize(tokens[:, 1:], dim=-1)[0].cpu().numpy() @ text.T

    def run(images: Images) -> Any:
        scores = [np.sort(found[:, 1] - found[:, 0])[-11:].mean() for found in map(patches, images)]
        side = SIDE // 16
        grids = [(found[:, 1] - found[:, 0]).reshape(side, side) for found in map(patches, images)]
        return scores, [cv2.resize(grid, (SIDE, SIDE)) for grid in grids]

    return run


def dual(**options: Any) -> Callable[[str, int], Run]:
    def make(device: str, batch_size: int) -> Run:
        from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch

        return OpenCLIPPromptPatch(**settings(device, batch_size), **options).score_and_map

    return make


def few_shot(device: str, batch_size: int) -> Run:
    from pyimgano_industrial.models.clip_few_shot import OpenCLIPFewShot

    detector = OpenCLIPFewShot(**settings(device, batch_size), precision="bf16")
    return detector.fit([np.full((SIDE, SIDE, 3), value, np.uint8) for value in (60, 90, 120, 150)]).score_and_map


def winclip(device: str, batch_size: int) -> Run:
    from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch

    small = settings(device, batch_size) | {"openclip_model_name": WINDOW_MODEL, "image_size": WINDOW_SIDE}
    return OpenCLIPPromptPatch(**small, method="winclip").score_and_map


def settings(device: str, batch_size: int) -> dict[str, Any]:
    chosen = {"openclip_model_name": MODEL, "openclip_pretrained": None, "image_size": SIDE}
    return {**chosen, "device": device, "batch_size": batch_size}


def anomalib(device: str, batch_size: int) -> Run:
    """anomalib's WinCLIP with its own pre-processing, maps back at the images' size as its users see them."""
    from anomalib.models.image.winclip import WinClip, torch_model

    if tuple(map(int, version("open_clip_torch").split(".")[:2])) >= (2, 26):
        raise SystemExit("anomalib's WinCLIP is wrong with this open_clip: --python anomalib=PATH, with one below 2.26")
    torch_model.PRETRAINED = None
    model = torch_model.WinClipModel("object").eval().to(device)
    prepare = WinClip.configure_pre_processor().transform

    def run(images: Images) -> Any:
        found = []
        with torch.inference_mode():
            for start in range(0, len(images), batch_size):
                stack = torch.from_numpy(np.stack(images[start : start + batch_size])).to(device)
                one = model(prepare(stack.permute(0, 3, 1, 2).float() / 255))
                maps = torch.nn.functional.interpolate(one.anomaly_map[:, None], size=(SIDE, SIDE), mode="bilinear")
                found.append((one.pred_score.cpu().numpy(), maps[:, 0].cpu().numpy()))
        return found

    return run


def peak() -> float:
    """Return the largest resident set of this process until now, in MiB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


PRECISIONS: dict[str, dict[str, Any]] = {
    "prompt_patch, bf16": {"precision": "bf16"},
    "prompt_patch, fp16": {"precision": "fp16"},
    "prompt_patch, bf16, compiled": {"precision": "bf16", "compile": True},
}
CONTENDERS: dict[str, Callable[[str, int], Run]] = {
    "pyimgano promptscore, fp32": host,
    "prompt_patch, fp32": dual(),
    **{name: dual(**options) for name, options in PRECISIONS.items()},
    "few_shot, four good parts, bf16": few_shot,
    "anomalib WinCLIP, fp32": anomalib,
    "prompt_patch winclip, fp32": winclip,
}

if __name__ == "__main__":
    sys.exit(main())
