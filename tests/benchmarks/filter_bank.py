"""How good and how fast the filter bank is, beside every torch-free model of the host that makes maps.

Run with `python tests/benchmarks/filter_bank.py` (needs scikit-image, and onnxruntime for the ImageNet row;
PYIMGANO_INDUSTRIAL_SHARED names the folder with `data` and `tools/patch_memory.py`, without which only generated images
are measured). Every row is a process of its own; maps are compared with masks at the images' own size. --page writes
the tables between the markers of the documentation page. --speed measures speed alone, --accuracy accuracy alone.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from stamp import stamp

OURS = ("fast", "accurate")
HOST = (
    "vision_pixel_mad_map", "vision_pixel_gaussian_map", "vision_pixel_mean_absdiff_map", "ssim_template_map",
    "ssim_struct_map", "vision_template_ncc_map", "vision_phase_correlation_map",
)  # fmt: skip
IMAGENET = "ImageNet features"
REAL = ("cookie", "ballscrew")
GENERATED = ("tray", "scene", "brick", "gravel")
MODES = ("aligned", "texture")
BEGIN, END = "<!-- measured -->", "<!-- end -->"

Row = dict[str, Any]
Images = list[NDArray[np.uint8]]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sets", nargs="+", default=[*REAL, *GENERATED], choices=[*REAL, *GENERATED])
    parser.add_argument("--models", nargs="+", default=[*OURS, *HOST, IMAGENET])
    parser.add_argument("--speed", action="store_true", help="speed alone")
    parser.add_argument("--accuracy", action="store_true", help="accuracy alone")
    parser.add_argument("--json", type=Path, help="rows are kept here; those that are there are not measured again")
    parser.add_argument("--page", type=Path, help="the documentation page to write the tables into")
    parser.add_argument("--one", type=json.loads, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(**args.one)))
        return 0
    rows: list[Row] = json.loads(args.json.read_text(encoding="utf-8")) if args.json and args.json.exists() else []
    wanted = [] if args.speed else [{"model": model, "name": name} for name in args.sets for model in args.models]
    if not args.accuracy:
        ours = [model for model in args.models if model in OURS]
        wanted += [{"model": model, "name": f"speed, {mode}"} for mode in MODES for model in ours]
    for options in wanted:
        if any(row["options"] == options for row in rows):
            continue
        rows.append({"options": options, **child(options)})
        print(rows[-1], flush=True)
        if args.json:
            args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    text = tables(rows)
    print(text)
    if args.page:
        page = args.page.read_text(encoding="utf-8")
        before, after = page.partition(BEGIN)[0], page.partition(END)[2]
        args.page.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{after}", encoding="utf-8")
    return 0


def child(options: dict[str, str]) -> Row:
    done = subprocess.run(
        [sys.executable, __file__, "--one", json.dumps(options)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        return {"gap": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    row: Row = json.loads(done.stdout.splitlines()[-1])
    return row


# One row.


def measure(*, model: str, name: str) -> Row:
    warnings.simplefilter("ignore")
    if name.startswith("speed"):
        return speed(model, mode=name.removeprefix("speed, "))
    from pyimgano_industrial.metrics import AUPRO, image_auroc

    train, good, bad, masks = images_of(name)
    detector = new_detector(model)
    began = time.process_time()
    detector.fit(train)
    fit = time.process_time() - began
    metric = AUPRO(limit=0.3)
    scores, seconds = [], 0.0
    for image, mask in zip([*good, *bad], [*[None] * len(good), *masks], strict=True):
        began = time.process_time()
        score, found = one_pass(detector, image)
        seconds += time.process_time() - began
        scores.append(score)
        metric.update(np.ascontiguousarray(found, np.float32), mask)
    labels = [0] * len(good) + [1] * len(bad)
    alike = [index for index, image in enumerate([*good, *bad]) if image.shape == good[0].shape]
    return {
        "auroc": image_auroc(scores, labels),
        "alike": image_auroc(np.array(scores)[alike], np.array(labels)[alike]),
        "aupro": metric.compute().value,
        "fit": fit,
        "seconds": seconds / len(labels),
        "mode": getattr(detector, "mode_", ""),
        "explained": getattr(detector, "explained_", None),
        "counts": [len(train), len(good), len(bad)],
    }


def speed(model: str, *, mode: str) -> Row:
    """Fit 100 images of 1024 x 1024 and score 20 others; wall and CPU seconds, peak memory from the OS."""
    import resource

    rng = np.random.default_rng(0)
    coarse = rng.uniform(40, 210, (40, 40, 3)).astype(np.float32)

    def images(count: int) -> Images:
        import cv2

        part = cv2.resize(coarse, (1024, 1024), interpolation=cv2.INTER_CUBIC)
        noise = rng.normal(0, 4, part.shape).astype(np.float32)
        return [np.clip(part + np.roll(noise, 37 * number, axis=1), 0, 255).astype(np.uint8) for number in range(count)]

    train, test = images(100), images(20)
    detector = new_detector(model, mode=mode)
    wall, cpu = time.perf_counter(), time.process_time()
    detector.fit(train)
    row = {"fit": time.perf_counter() - wall, "fit_cpu": time.process_time() - cpu}
    detector.score_and_map(test[:1])
    wall, cpu = time.perf_counter(), time.process_time()
    for image in test:
        detector.score_and_map([image])
    row |= {"rate": len(test) / (time.perf_counter() - wall), "cpu": (time.process_time() - cpu) / len(test)}
    return row | {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "cores": os.cpu_count()}


def one_pass(detector: Any, image: NDArray[np.uint8]) -> tuple[float, NDArray[np.float32]]:
    if hasattr(type(detector), "score_and_map"):
        scores, maps = detector.score_and_map([image])
        return float(scores[0]), maps[0]
    return float(detector.decision_function([image])[0]), np.asarray(detector.predict_anomaly_map([image]))[0]


def new_detector(model: str, **options: str) -> Any:
    if model == IMAGENET:
        sys.path.insert(0, str(Path(os.environ["PYIMGANO_INDUSTRIAL_SHARED"]) / "tools"))
        from patch_memory import PatchMemory

        return PatchMemory()
    from pyimgano.models import create_model

    if model in OURS:
        return create_model("vision_industrial_filter_bank", configuration=model, **options)
    return create_model(model)


# Images: training, good, bad, and the masks of the bad.


def images_of(name: str) -> tuple[Images, Images, Images, list[NDArray[np.bool_]]]:
    if name in REAL:
        return real(Path(os.environ["PYIMGANO_INDUSTRIAL_SHARED"]) / "data" / name)
    if name == "tray":
        return trays()
    rng = np.random.default_rng(5)
    if name == "scene":
        scene = aligned_scene(rng)
        return drawn(lambda: scene, rng, train=25)
    from skimage import data

    texture = getattr(data, name)().astype(np.float32)
    return drawn(lambda: crop(texture, rng), rng, train=25)


def real(folder: Path) -> tuple[Images, Images, Images, list[NDArray[np.bool_]]]:
    import cv2

    from pyimgano_industrial.core.images import read_rgb

    parts = [[read_rgb(path) for path in sorted((folder / part).iterdir())] for part in ("train/good", "test/good")]
    bad = sorted((folder / "test/bad").iterdir())
    masks = [
        cv2.imread(str(folder / f"ground_truth/bad/{path.stem}_mask.png"), cv2.IMREAD_GRAYSCALE) > 0 for path in bad
    ]
    return parts[0], parts[1], [read_rgb(path) for path in bad], masks


def trays() -> tuple[Images, Images, Images, list[NDArray[np.bool_]]]:
    """The demo's job at 1024 x 768: 16 trays to fit, 10 good ones, 20 with defects of every kind."""
    from pyimgano_industrial.demo.scene import LOGICAL, STRUCTURAL, render

    def defects(number: int) -> list[str]:
        names = STRUCTURAL if number % 2 else LOGICAL
        return [names[(number // 2 + more) % len(names)] for more in range(1 + (number % 3 == 2))]

    bad = [render(3000 + number, height=768, defects=defects(number)) for number in range(20)]
    masks = [np.any([defect.mask for defect in scene.defects], axis=0) for scene in bad]
    train, good = ([render(seed, height=768).image for seed in seeds] for seeds in (range(16), range(2000, 2010)))
    return train, good, [scene.image for scene in bad], masks


def aligned_scene(rng: np.random.Generator) -> NDArray[np.float32]:
    import cv2

    scene = np.full((512, 512), 120, np.float32)
    for size, strength in ((4, 6), (16, 25), (64, 30)):
        coarse = rng.normal(0, strength, (512 // size, 512 // size)).astype(np.float32)
        scene += cv2.resize(coarse, (512, 512), interpolation=cv2.INTER_CUBIC)
    return scene


def crop(texture: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    y, x = rng.integers(0, 512 - 320, 2).tolist()
    part = texture[y : y + 320, x : x + 320]
    return part[:, ::-1] if rng.random() < 0.5 else part


def drawn(
    surface: Callable[[], NDArray[np.float32]], rng: np.random.Generator, *, train: int
) -> tuple[Images, Images, Images, list[NDArray[np.bool_]]]:
    """Photograph surfaces under light that varies by 2 %, with noise; 30 of them have a spot, scratch or smear."""

    def shot(pixels: NDArray[np.float32]) -> NDArray[np.uint8]:
        noisy = pixels * rng.normal(1, 0.02) + rng.normal(0, 3, pixels.shape)
        return np.repeat(np.clip(noisy, 0, 255).astype(np.uint8)[..., None], 3, axis=2)

    bad, masks = [], []
    for _ in range(30):
        pixels, mask = marred(surface(), rng)
        bad.append(shot(pixels))
        masks.append(mask)
    return [shot(surface()) for _ in range(train)], [shot(surface()) for _ in range(20)], bad, masks


def marred(pixels: NDArray[np.float32], rng: np.random.Generator) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    import cv2

    side, mark = len(pixels), np.zeros(pixels.shape, np.float32)
    y, x = rng.integers(30, side - 30, 2).tolist()
    kind, sign = rng.integers(3), rng.choice([-1.0, 1.0])
    if kind == 0:
        axes = tuple(rng.integers(4, 10, 2).tolist())
        cv2.ellipse(mark, (x, y), axes, rng.uniform(0, 180), 0, 360, 1.0, -1)
        return pixels + cv2.GaussianBlur(mark, (0, 0), 1) * sign * rng.uniform(40, 80), mark > 0
    if kind == 1:
        turn, length = rng.uniform(0, 2 * np.pi), rng.uniform(20, 70)
        end = np.clip([x + length * np.cos(turn), y + length * np.sin(turn)], 5, side - 5).astype(int).tolist()
        cv2.line(mark, (x, y), tuple(end), 1.0, 2)
        return pixels + cv2.GaussianBlur(mark, (0, 0), 0.6) * sign * rng.uniform(60, 110), mark > 0
    cv2.circle(mark, (x, y), int(rng.integers(10, 22)), 1.0, -1)
    share = cv2.GaussianBlur(mark, (0, 0), 1)
    return pixels * (1 - share) + share * cv2.GaussianBlur(pixels, (0, 0), 3), mark > 0


# The page.


def tables(rows: Sequence[Row]) -> str:
    parts = [stamp()]
    found = {(row["options"]["name"], row["options"]["model"]): row for row in rows}
    sets = [name for name in (*REAL, *GENERATED) if any(key[0] == name for key in found)]
    parts.append(speed_table(found, [name for name in sets if name in REAL]))
    for name in sets:
        mine = {model: row for (of, model), row in found.items() if of == name}
        parts.append(accuracy_table(name, mine))
    return "\n\n".join(part for part in parts if part)


def speed_table(found: dict[tuple[str, str], Row], sets: Sequence[str]) -> str:
    rows = [(model, mode) for model in OURS for mode in MODES if "fit" in found.get((f"speed, {mode}", model), {})]
    if not rows:
        return ""
    heads = [f"{name}: image AUROC, AU-PRO" for name in sets]
    head = ("configuration", "mode", "fit, seconds", "images a second", "CPU seconds an image", "peak MiB", *heads)
    lines = [f"| {' | '.join(head)} |", f"| --- | --- {'| ---: ' * (len(head) - 2)}|"]
    for model, mode in rows:
        row = found[f"speed, {mode}", model]
        cells = [f"{row['fit']:.1f}", f"{row['rate']:.1f}", f"{row['cpu']:.3f}", f"{row['mib']:.0f}"]
        for name in sets:
            one = found.get((name, model), {})
            cells.append(f"{one['auroc']:.3f}, {one['aupro']:.3f}" if one.get("mode") == mode else "-")
        lines.append(f"| `{model}` | {mode} | {' | '.join(cells)} |")
    return "\n".join(lines)


def accuracy_table(name: str, rows: dict[str, Row]) -> str:
    counts = next((row["counts"] for row in rows.values() if "counts" in row), None)
    shares = [f"{row['explained']:.2f}" for row in rows.values() if row.get("explained") is not None]
    modes = sorted({row["mode"] for row in rows.values() if row.get("mode")})
    told = f"{counts[0]} images fitted, {counts[1]} good, {counts[2]} bad." if counts else ""
    rule = f" The place explains {' and '.join(dict.fromkeys(shares))}: {', '.join(modes)}." if shares else ""
    alike = any(row.get("auroc") != row.get("alike") for row in rows.values())
    head = [
        "model",
        "image AUROC",
        *(["of images of one size"] if alike else []),
        "AU-PRO 0.30",
        "CPU seconds an image",
    ]
    lines = [f"### {name}", "", told + rule, "", f"| {' | '.join(head)} |", f"| --- {'| ---: ' * (len(head) - 1)}|"]
    for model, row in rows.items():
        label = f"**filter bank, {model}**" if model in OURS else model if model == IMAGENET else f"`{model}`"
        if "gap" in row:
            lines.append(f"| {label} | not measured: {row['gap'][:90]} |{' |' * (len(head) - 2)}")
            continue
        cells = [f"{row['auroc']:.3f}", *([f"{row['alike']:.3f}"] if alike else []), f"{row['aupro']:.3f}"]
        lines.append(f"| {label} | {' | '.join([*cells, format(row['seconds'], '.3f')])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    raise SystemExit(main())
