"""Score and map of images of 512 x 512 beside pyimgano's `vision_openclip_promptscore` and anomalib's WinCLIP.

Run with `python tests/benchmarks/openclip.py --python anomalib=PATH`; `--device cuda` on a GPU. PATH is an interpreter
with anomalib and open_clip below 2.26, since with later ones anomalib's maps are wrong. Weights are random, nothing is
downloaded. Every run is a process of its own, the contenders alternate, ratios are taken within a round. ViT-B-16 runs
at 512 x 512; WinCLIP's windows at 240 x 240 with ViT-B-16-plus-240, since anomalib's takes nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

RUN = Path(__file__).with_name("openclip_run.py")
WHOLE = ("pyimgano promptscore, fp32", "prompt_patch, fp32", "prompt_patch, bf16")
ON_GPU = ("few_shot, four good parts, bf16",)
WINDOWS = ("anomalib WinCLIP, fp32", "prompt_patch winclip, fp32")

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, default=32)
    parser.add_argument("--window-images", type=int, help="of the table with WinCLIP's windows; default --images")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--only", nargs="+", default=[*WHOLE, *ON_GPU, *WINDOWS], metavar="CONTENDER")
    parser.add_argument("--python", nargs="+", default=[], metavar="NAME=PATH", help="interpreters of contenders")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    pythons = dict(one.split("=", 1) for one in args.python)
    whole = (*WHOLE, *(ON_GPU if args.device.startswith("cuda") else ()))
    names = [name for name in (*whole, *WINDOWS) if name in args.only]
    rows: dict[str, list[Row]] = {name: [] for name in names}
    with tempfile.TemporaryDirectory(prefix="openclip-") as folder:
        env = {"PYIMGANO_INDUSTRIAL_CACHE": folder, **os.environ, "PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": "1"}
        for number in range(args.rounds):
            for name in names[:: -1 if number % 2 else 1]:
                count = args.images if name in whole else args.window_images or args.images
                task = {"name": name, "device": args.device, "images": count, "batch_size": args.batch_size}
                rows[name].append(run(pythons.get(name.split()[0], sys.executable), task, env))
    for group, title in ((whole, "ViT-B-16 at 512 x 512"), (WINDOWS, "windows, ViT-B-16-plus-240 at 240 x 240")):
        show(title, {name: rows[name] for name in group if name in rows})
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


def run(python: str, task: Row, env: dict[str, str]) -> Row:
    """Return what one process measured, or the reason why it did not."""
    done = subprocess.run([python, str(RUN), json.dumps(task)], env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"gap": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    row: Row = json.loads(done.stdout.splitlines()[-1])
    print(f"{task['name']}: {json.dumps(row)}", file=sys.stderr, flush=True)
    return row


def show(title: str, rows: dict[str, list[Row]]) -> None:
    heads = ("contender", "images", "images/s", "times", "CPU s an image", "times", "peak MiB", "where")
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n| --- {'| ---: ' * (len(heads) - 2)}| --- |")
    first = next(iter(rows.values()), [])
    for name, found in rows.items():
        if gap := next((row["gap"] for row in found if "gap" in row), None):
            print(f"| {name} | not measured: {gap} |")
            continue
        times = [ratio(first, found, key) for key in ("seconds", "cpu")]
        print(
            f"| {name} | {found[0]['images']} | {1 / median(found, 'seconds'):.2f} | {times[0]} "
            f"| {median(found, 'cpu'):.2f} | {times[1]} | {median(found, 'peak_mib'):.0f} | {found[0]['where']} |"
        )


def median(rows: list[Row], key: str) -> float:
    """Return the median of a number that every round measured, for one image where it is a time."""
    return statistics.median(row[key] / (row["images"] if key in ("seconds", "cpu") else 1) for row in rows)


def ratio(first: list[Row], rows: list[Row], key: str) -> str:
    """Return how many times less the rows take than the first contender, the median over the rounds."""
    if any("gap" in row for row in first):
        return "-"
    pairs = zip(first, rows, strict=True)
    return format(statistics.median(one[key] / one["images"] / (own[key] / own["images"]) for one, own in pairs), ".2f")


if __name__ == "__main__":
    sys.exit(main())
