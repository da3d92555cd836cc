"""What steps, chains and the camera profile cost: megapixels a second and peak memory, beside pyimgano's own.

Run with `python tests/benchmarks/presets.py`. All contenders take the same RGB uint8 image on one core, one after the
other, and each round runs every contender once; the median of the rounds counts. Megapixels a second are of processor
time. Memory is the peak of a process of its own above what it held with the image, in images, for an RGB image and for
a grey one; Linux only. Steps against glare meet an image with glare.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stamp import stamp

Image = NDArray[np.uint8]
Contender = Callable[[Image], Any]
HOST = "illumination-contrast-balanced"
OWN = "industrial-camera-profile"
FITTED = (OWN, "industrial-camera-robust")  # the second corrects as the first does, and fits on more images


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--height", type=int, default=2048)
    parser.add_argument("--width", type=int, default=2448)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--memory-of", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.memory_of:
        print(memory(*args.memory_of))
        return 0
    image = picture(args.height, args.width)
    rows = speed(contenders(image), image, args.rounds)
    with tempfile.TemporaryDirectory() as folder:
        colour, grey = Path(folder) / "colour.npy", Path(folder) / "grey.npy"
        np.save(colour, image)
        np.save(grey, image[..., 1])
        for name, row in rows.items():
            row["memory"] = memory_apart(name, colour)
            if not name.startswith("pyimgano"):
                row["memory_grey"] = memory_apart(name, grey)
    show(rows, image)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


def picture(height: int, width: int, *, seed: int = 0) -> Image:
    """Return a textured part on a belt, (H, W, 3), with sensor noise."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    disc = np.hypot(y / height - 0.5, x / width - 0.5) < 0.4
    shade = 0.5 + 0.1 * np.sin(x / 23) * np.cos(y / 19)
    grey = np.where(disc, shade, np.float32(0.15))
    colour = grey[..., None] * np.float32([1.1, 0.9, 0.7]) + rng.normal(0, 0.01, (height, width, 1)).astype(np.float32)
    return np.rint(np.clip(colour, 0, 1) * 255).astype(np.uint8)


def glaring(image: Image) -> Image:
    """Return an image with glare on 1 % of its pixels."""
    height, width = image.shape[:2]
    image = image.copy()
    image[height // 3 : height // 3 + height // 10, width // 3 : width // 3 + width // 10] = 255
    return image


def contenders(image: Image) -> dict[str, Contender]:
    """Return everything that is measured; the profile meets an image that needs all of its corrections."""
    import cv2
    from pyimgano.preprocessing import advanced_operations as operations
    from pyimgano.preprocessing import industrial_presets as host
    from pyimgano.preprocessing import retinex as host_retinex
    from pyimgano.preprocessing.catalog import resolve_preprocessing_scheme

    from pyimgano_industrial import presets

    cv2.setNumThreads(1)
    scheme = resolve_preprocessing_scheme(HOST)
    fields = host.IlluminationContrastKnobs.__dataclass_fields__
    knobs = host.IlluminationContrastKnobs(**{k: v for k, v in scheme.payload.items() if k in fields})
    pictures = (picture(*image.shape[:2], seed=seed) for seed in range(6))
    profile = presets.CameraProfile.fit(one if image.ndim == 3 else one[..., 1] for one in pictures)
    found: dict[str, Contender] = {
        f"pyimgano: {HOST}": partial(host.apply_illumination_contrast, knobs=knobs),
        f"{OWN}, drift in all": lambda one: profile.correct(one, tolerance=(0, 0)),
        f"{OWN}, no drift": profile.correct,
        "profile: measure": profile.measure,
    }
    found |= {name: presets.chain(name).apply for name in sorted(presets.CHAINS) if name not in FITTED}
    pairs: dict[str, tuple[Contender, Contender]] = {
        "gray_world": (presets.gray_world, host.gray_world_white_balance),
        "max_rgb": (presets.max_rgb, host.max_rgb_white_balance),
        "homomorphic": (
            partial(presets.homomorphic, cutoff=0.25, gamma_low=0.8, gamma_high=1.2),
            partial(host.homomorphic_filter, cutoff=0.25, gamma_low=0.8, gamma_high=1.2),
        ),
        "clahe": (presets.clahe, partial(host._clahe_u8, clip_limit=2.0, tile_grid_size=(8, 8))),
        "stretch_contrast": (presets.stretch_contrast, operations.contrast_stretching),
        "gamma": (partial(presets.gamma, gamma=1.3), partial(operations.gamma_correction, gamma=1.3)),
        "retinex": (presets.retinex, host_retinex.msrcr_lite),
    }
    for name, (ours, theirs) in pairs.items():
        found |= {f"step {name}": ours, f"pyimgano: {name}": theirs}
    others = ("shades_of_gray", "match_exposure", "flatten", "denoise", "deblock", "mask_glare")
    found |= {f"step {name}": presets.STEPS[name] for name in others}
    found["step match_sharpness"] = partial(presets.match_sharpness, target=0.01)
    return found


def speed(measured: dict[str, Contender], image: Image, rounds: int) -> dict[str, dict[str, float]]:
    glare = glaring(image)
    drifted = np.rint(image * np.linspace(0.6, 0.95, image.shape[1])[None, :, None]).astype(np.uint8)
    seconds: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(rounds):
        for name, call in measured.items():
            taken = drifted if name.endswith("drift in all") else glare if "glare" in name else image
            started = time.process_time()
            call(taken)
            seconds[name].append(time.process_time() - started)
    megapixels = image.shape[0] * image.shape[1] / 1e6
    return {name: {"mp_s": megapixels / statistics.median(own)} for name, own in seconds.items()}


def memory(name: str, path: str) -> float:
    """Return the peak above what the process held with the image, as a multiple of the image."""
    image = np.load(path)
    small = picture(64, 64) if image.ndim == 3 else picture(64, 64)[..., 1]
    call = contenders(small)[name]
    call(small)
    image = glaring(image) if "glare" in name else image
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak begins anew
    before = _status("VmRSS")
    call(image)
    return (_status("VmHWM") - before) / image.nbytes


def _status(name: str) -> int:
    """Return a number of bytes that Linux keeps of this process."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))


def memory_apart(name: str, path: Path) -> float:
    command = [sys.executable, __file__, "--memory-of", name, f"{path}"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=dict(os.environ, OMP_NUM_THREADS="1")
    )
    return float(done.stdout.split()[-1])


def show(rows: dict[str, dict[str, float]], image: Image) -> None:
    base = rows[f"pyimgano: {HOST}"]["mp_s"]
    print(stamp())
    print(f"{image.shape[1]} x {image.shape[0]} RGB uint8, one core, megapixels a second of processor time\n")
    print("| what | MP/s | times pyimgano's scheme | memory, images | of a grey one |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name, row in rows.items():
        grey = f"{row['memory_grey']:.1f}" if "memory_grey" in row else "-"
        print(f"| {name} | {row['mp_s']:.1f} | {row['mp_s'] / base:.1f} | {row['memory']:.1f} | {grey} |")


if __name__ == "__main__":
    raise SystemExit(main())
