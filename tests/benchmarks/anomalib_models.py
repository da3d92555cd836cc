"""Score and map of 64 files with PaDiM and PatchCore, beside pyimgano's wrapper and anomalib's own predictions.

Run with `python tests/benchmarks/anomalib_models.py`. Every contender is a process of its own that loads its model
once; then they score all images in turns. Ratios are taken within a round, then their median. The backbones have
random weights; all contenders' scores and maps must agree.
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

import numpy as np
from anomalib_models_run import CONTENDERS, MODELS
from stamp import stamp

RUN = Path(__file__).with_name("anomalib_models_run.py")
Row = dict[str, Any]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--models", nargs="+", choices=list(MODELS), default=list(MODELS))
    parser.add_argument("--json", type=Path)
    parser.add_argument("--folder", type=Path, help="where images and checkpoints are kept for the next run")
    args = parser.parse_args()
    print(f"{args.images} files of 256 x 256, {args.threads} threads, median of {args.rounds} rounds")
    print(stamp("torch", "anomalib"))
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="anomalib-") as temporary:
        folder = args.folder or Path(temporary)
        if not (folder / "images").is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            task = {"contender": "write", "folder": str(folder), "images": args.images}
            subprocess.run([sys.executable, str(RUN), json.dumps(task)], check=True)
        for model in args.models:
            rows += measure(model, folder, args.rounds, args.threads)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    return 0


def measure(model: str, folder: Path, rounds: int, threads: int) -> list[Row]:
    contenders = {name: started(name, model, folder, threads) for name in CONTENDERS}
    for process in contenders.values():
        while (line := answer(process)) != "ready":
            print(line, file=sys.stderr)
    found: dict[str, list[Row]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name in list(contenders)[:: -1 if number % 2 else 1]:
            process = contenders[name]
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
            line = answer(process)
            while not line.startswith("{"):
                line = answer(process)  # what anomalib prints
            found[name].append(json.loads(line))
            print(f"{model}, round {number + 1}: {name} {found[name][-1]['seconds']:.2f} s", file=sys.stderr)
    for process in contenders.values():
        process.communicate()
    print(f"\n{model}\n{'':18}{'images/s':>9}{'CPU s':>8}{'ratio, wall (range)':>28}{'ratio, CPU':>12}{'peak MiB':>10}")
    summary = []
    for name, own in found.items():
        for key in ("scores", "maps"):
            np.testing.assert_allclose(own[0][key], found["ours"][0][key], rtol=1e-3, atol=1e-3, err_msg=name)
        wall, processor = (
            [one[key] / base[key] for one, base in zip(own, found["ours"], strict=True)] for key in ("seconds", "cpu")
        )
        row = {
            "model": model,
            "contender": name,
            "images_per_second": len(own[0]["scores"]) / statistics.median(one["seconds"] for one in own),
            "cpu": statistics.median(one["cpu"] for one in own),
            "ratio": statistics.median(wall),
            "lowest": min(wall),
            "highest": max(wall),
            "ratio_cpu": statistics.median(processor),
            "peak_mib": max(one["peak_mib"] for one in own),
        }
        summary.append(row)
        spread = f"{row['ratio']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})"
        print(
            f"{name:18}{row['images_per_second']:9.1f}{row['cpu']:8.2f}{spread:>28}"
            f"{row['ratio_cpu']:12.2f}{row['peak_mib']:10.0f}"
        )
    return summary


def started(name: str, model: str, folder: Path, threads: int) -> subprocess.Popen[str]:
    task = {"contender": name, "model": model, "folder": str(folder), "threads": threads}
    off = "" if name.startswith("ours") else "1"
    env = dict(os.environ, PYIMGANO_DISABLE_PLUGIN_AUTOLOAD=off, TRUST_REMOTE_CODE="1")
    command = [sys.executable, str(RUN), json.dumps(task)]
    return subprocess.Popen(command, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout
    line = process.stdout.readline()
    if not line:
        raise SystemExit(f"a contender ended with code {process.wait()}")
    return line.strip()


if __name__ == "__main__":
    raise SystemExit(main())
