"""Score and map of images of 512 x 512 beside pyimgano's `vision_openclip_promptscore` and anomalib's WinCLIP.

Run with `python tests/benchmarks/openclip.py --python anomalib=PATH`; `--device cuda` on a GPU. PATH is an interpreter
with anomalib and open_clip below 2.26, since with later ones anomalib's maps are wrong. Weights are random, nothing is
downloaded. The contenders alternate, ratios are taken within a round; on the CPU every run is a process of its own, on
a GPU those of one interpreter share one. ViT-B-16 runs at 512 x 512; WinCLIP's windows at 240 x 240 with
ViT-B-16-plus-240, since anomalib's takes nothing else. `--images 8 32 128` shows what more images cost in memory.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

RUN = Path(__file__).with_name("openclip_run.py")
WHOLE = ("pyimgano promptscore, fp32", "prompt_patch, fp32", "prompt_patch, bf16")
ON_GPU = ("prompt_patch, fp16", "prompt_patch, bf16, compiled", "few_shot, four good parts, bf16")
WINDOWS = ("anomalib WinCLIP, fp32", "prompt_patch winclip, fp32")
TITLES = {WHOLE + ON_GPU: "ViT-B-16 at 512 x 512", WINDOWS: "windows, ViT-B-16-plus-240 at 240 x 240"}

Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--images", type=int, nargs="+", default=[32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--only", nargs="+", default=[*WHOLE, *ON_GPU, *WINDOWS], metavar="CONTENDER")
    parser.add_argument("--python", nargs="+", default=[], metavar="NAME=PATH", help="interpreters of contenders")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    gpu = args.device.startswith("cuda")
    names = [name for name in (*WHOLE, *(ON_GPU if gpu else ()), *WINDOWS) if name in args.only]
    pythons = dict(one.split("=", 1) for one in args.python)
    rows: dict[tuple[str, int], list[Row]] = {(name, count): [] for name in names for count in args.images}
    with tempfile.TemporaryDirectory(prefix="openclip-") as folder:
        env = {"PYIMGANO_INDUSTRIAL_CACHE": folder, **os.environ, "PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": "1"}
        for group, count, rounds in processes(names, args, pythons):
            python = pythons.get(group[0].split()[0], sys.executable)
            task = {"device": args.device, "images": count, "batch_size": args.batch_size}
            for row in run(python, task | {"names": group, "rounds": rounds}, env):
                rows[row["name"], count].append(row)
    for members, title in TITLES.items():
        show(title, {key: found for key, found in rows.items() if key[0] in members}, gpu=gpu)
    if args.json:
        args.json.write_text(json.dumps([row for found in rows.values() for row in found], indent=1), encoding="utf-8")
    return 0


def processes(names: list[str], args: Any, pythons: dict[str, str]) -> list[tuple[list[str], int, int]]:
    """Return (contenders, images, rounds) of each process, in order."""
    if not args.device.startswith("cuda"):
        turns = [names[:: -1 if number % 2 else 1] for number in range(args.rounds)]
        return [([name], count, 1) for turn in turns for name in turn for count in args.images]
    groups = defaultdict(list)
    for name in names:
        groups[pythons.get(name.split()[0], sys.executable)].append(name)
    return [(group, count, args.rounds) for group in groups.values() for count in args.images]


def run(python: str, task: Row, env: dict[str, str]) -> list[Row]:
    """Return what one process measured, and for what it did not, the reason."""
    found: list[Row] = []
    with tempfile.TemporaryFile("w+") as errors:
        command = [python, str(RUN), json.dumps(task)]
        with subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors, text=True) as process:
            for line in process.stdout or ():
                if line.startswith("{"):
                    print(line, end="", file=sys.stderr, flush=True)
                    found.append(json.loads(line))
        if process.returncode:
            errors.seek(0)
            reason = (errors.read().strip().splitlines() or [f"ended with {process.returncode}"])[-1]
            found += [{"name": name, "gap": reason} for name in task["names"]]
    return found


def show(title: str, rows: dict[tuple[str, int], list[Row]], *, gpu: bool) -> None:
    memory = ("MiB of a pass", "first call, s", "away from fp32") if gpu else ("peak MiB",)
    heads = ("contender", "images", "images/s", "times", "CPU s an image", "times", *memory, "where")
    print(f"\n{title}\n\n| {' | '.join(heads)} |\n| --- {'| ---: ' * (len(heads) - 2)}| --- |")
    first = next(iter(rows.values()), [])
    for (name, count), found in rows.items():
        if gap := next((row["gap"] for row in found if "gap" in row), None):
            print(f"| {name} | {count} | not measured: {gap} |")
            continue
        cells = [
            format(1 / median(found, "seconds"), ".2f"),
            ratio(first, found, "seconds"),
            format(median(found, "cpu"), ".2f"),
            ratio(first, found, "cpu"),
            format(median(found, "peak_mib"), ".0f"),
        ]
        if gpu:
            away = found[0].get("away")
            cells += [format(found[0]["first_seconds"], ".1f"), "-" if away is None else format(away, ".4f")]
        print(f"| {' | '.join([name, str(count), *cells, found[0]['where']])} |")


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
