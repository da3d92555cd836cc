"""Score and map of 32 images beside pyimgano's `vision_openclip_promptscore` and anomalib's WinCLIP, random weights.

Run with `python tests/benchmarks/openclip.py`; `--device cuda` on a GPU. All contenders run in one process, in turns,
on the same images and at the same resolution. On a machine without pyimgano its detector is left out and what it
computes, a forward pass an image for the score and another for the map, is run literally in its place ("two passes").
anomalib's WinCLIP runs where it is installed with open_clip below 2.26; at its own 240 pixels, since it takes no other.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

MODEL, SIDE = "ViT-B-16", 512
Images = list[NDArray[np.uint8]]
Run = Callable[[Images], Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    warnings.filterwarnings("ignore", message=".*has random weights")
    os.environ.setdefault("PYIMGANO_INDUSTRIAL_CACHE", tempfile.mkdtemp(prefix="openclip-"))
    generator = np.random.default_rng(0)
    images = [generator.integers(0, 256, (SIDE, SIDE, 3), np.uint8) for _ in range(args.images)]
    contenders = {**host(args.device), **ours(args.device, args.batch_size), **anomalib(args.device)}
    for run in contenders.values():
        run(images[: args.batch_size])
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(args.rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            seconds[name].append(timed(contenders[name], images, args.device))
            print(f"round {number + 1}: {name} {seconds[name][-1]:.2f} s", file=sys.stderr, flush=True)
    base = next(iter(contenders))
    place = torch.cuda.get_device_name() if args.device.startswith("cuda") else f"{torch.get_num_threads()} CPU threads"
    print(
        f"{args.images} images of {SIDE} x {SIDE}, {MODEL}, {place}, torch {torch.__version__}, median of {args.rounds}"
    )
    rows = []
    for name, found in seconds.items():
        ratio = statistics.median(first / own for first, own in zip(seconds[base], found, strict=True))
        rows.append({"contender": name, "seconds": found, "ratio": ratio})
        print(f"{name:48} {args.images / statistics.median(found):8.2f} images/s {ratio:6.2f} x")
    if args.device.startswith("cuda"):
        print(f"peak GPU memory of all: {torch.cuda.max_memory_allocated() / 2**30:.2f} GiB")
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


def timed(run: Run, images: Images, device: str) -> float:
    def wait() -> None:
        if device.startswith("cuda"):
            torch.cuda.synchronize()

    wait()
    start = time.perf_counter()
    run(images)
    wait()
    return time.perf_counter() - start


def host(device: str) -> dict[str, Run]:
    """pyimgano's own detector: the score, then the map."""
    if importlib.util.find_spec("pyimgano") is None:
        return {"two passes, an image at a time (fp32)": literal(device)}
    from pyimgano.models import create_model

    detector = create_model(
        "vision_openclip_promptscore",
        openclip_model_name=MODEL,
        openclip_pretrained=None,
        force_image_size=SIDE,
        device=device,
    )
    return {"pyimgano promptscore (fp32)": lambda images: both(detector, images)}


def both(detector: Any, images: Images) -> Any:
    return detector.decision_function(images), detector.predict_anomaly_map(images)


def literal(device: str) -> Run:
    """What pyimgano 0.9.1 does for each image, written out: Pillow's transform, tokens, cosines, a resized grid."""
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


def ours(device: str, batch_size: int) -> dict[str, Run]:
    from pyimgano_industrial.models.clip_few_shot import OpenCLIPFewShot
    from pyimgano_industrial.models.clip_prompts import OpenCLIPPromptPatch

    settings: dict[str, Any] = {"openclip_model_name": MODEL, "openclip_pretrained": None, "image_size": SIDE}
    settings |= {"device": device, "batch_size": batch_size}
    rows: dict[str, Run] = {}
    for precision in ("fp32", "bf16"):
        detector = OpenCLIPPromptPatch(**settings, precision=precision)
        rows[f"prompt_patch, dual ({precision})"] = detector.score_and_map
    few = OpenCLIPFewShot(**settings, precision="bf16" if device.startswith("cuda") else "fp32")
    if device.startswith("cuda"):
        few.fit([np.full((SIDE, SIDE, 3), value, np.uint8) for value in (60, 90, 120, 150)])
        rows["few_shot, dual, 4 good parts (bf16)"] = few.score_and_map
        small: dict[str, Any] = {**settings, "openclip_model_name": "ViT-B-16-plus-240", "image_size": 240}
        rows["prompt_patch, winclip at 240 (fp32)"] = OpenCLIPPromptPatch(**small, method="winclip").score_and_map
    return rows


def anomalib(device: str) -> dict[str, Run]:
    if importlib.util.find_spec("anomalib") is None:
        return {}
    if tuple(map(int, version("open_clip_torch").split(".")[:2])) >= (2, 26):
        print("anomalib's WinCLIP is left out: with this open_clip its maps are wrong", file=sys.stderr)
        return {}
    from anomalib.models.image.winclip import torch_model

    torch_model.PRETRAINED = None
    model = torch_model.WinClipModel("gear").eval().to(device)

    def run(images: Images) -> Any:
        small = np.stack([cv2.resize(image, (240, 240), interpolation=cv2.INTER_CUBIC) for image in images])
        pixels = torch.from_numpy(small).permute(0, 3, 1, 2).float() / 255
        found = [model(part.to(device)) for part in pixels.split(8)]
        return [(one.pred_score.cpu(), one.anomaly_map.cpu()) for one in found]

    return {"anomalib WinCLIP at 240 (fp32)": run}


if __name__ == "__main__":
    sys.exit(main())
