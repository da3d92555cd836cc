"""What inference costs: images a second with maps beside pyimgano alone, and the memory of a long run.

Run with `python tests/benchmarks/inference.py`. Every run is a process of its own; pyimgano alone and with the plugin
alternate. Ratios are taken within a round, then their median, so that other work on the machine does not decide. "no
wrapper" is the detector called on 16 images at a time: what is left when a wrapper costs nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

RUN = Path(__file__).with_name("inference_run.py")
IMAGES, LONG = 1000, (250, 1000, 4000)
HOST = {"host": None, "host, batch_size=16": 16}

Row = dict[str, Any]


@dataclass
class Bench:
    """How runs are made, and all that was found."""

    rounds: int
    images: int
    folder: Path
    calls: Sequence[str] = ("infer", "infer_iter")
    inputs: Sequence[str] = ("arrays", "paths")
    detectors: Sequence[str] = ("score_and_map", "a method each")
    found: list[Row] = field(default_factory=list)

    def interleaved(self, tasks: dict[str, Row]) -> dict[str, list[Row]]:
        """Run every task once a round, in turns of order: memory that one run has just freed is cheap for the next."""
        rows: dict[str, list[Row]] = {name: [] for name in tasks}
        for number in range(self.rounds):
            for name in list(tasks)[:: -1 if number % 2 else 1]:
                rows[name].append(self.run(tasks[name]))
        return rows

    def run(self, task: Row) -> Row:
        off = "1" if task.get("contender") == "host" else ""
        env = dict(os.environ, PYIMGANO_DISABLE_PLUGIN_AUTOLOAD=off)
        command = [sys.executable, str(RUN), json.dumps(task)]
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=True)
        row: Row = json.loads(done.stdout) | {"load": os.getloadavg()[0]}
        self.found.append(task | row)
        print(json.dumps(self.found[-1]), file=sys.stderr)
        return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--call", nargs="+", choices=["infer", "infer_iter"], default=["infer", "infer_iter"])
    parser.add_argument("--inputs", nargs="+", choices=["arrays", "paths"], default=["arrays", "paths"])
    kinds = ["score_and_map", "a method each"]
    parser.add_argument("--detector", nargs="+", choices=kinds, default=kinds)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--images", type=int, default=IMAGES)
    parser.add_argument("--scratch", type=Path, help="folder for 1.2 GB of files; default the temporary one")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="inference-", dir=args.scratch) as folder:
        bench = Bench(args.rounds, args.images, Path(folder), args.call, args.inputs, args.detector)
        files = "paths" in args.inputs
        written = bench.run({"task": "write", "folder": folder, "images": args.images, "files": files})
        print(f"{args.images} images of 512 x 512" + (f", {written['kib']:.0f} KiB each as PNG" if files else ""))
        for case in args.case:
            CASES[case](bench)
    loads = [row["load"] for row in bench.found]
    print(f"\nLoad of the machine during the runs: {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores.")
    if args.json:
        args.json.write_text(json.dumps(bench.found, indent=1), encoding="utf-8")
    return 0


def throughput(bench: Bench) -> None:
    """Scores and maps of all images, the cheap detector."""
    for inputs in bench.inputs:
        for call in bench.calls:
            for detector in bench.detectors:
                compared(bench, inputs, call, detector)


def model(bench: Bench) -> None:
    """The same with a model of pyimgano's."""
    for inputs in bench.inputs:
        compared(bench, inputs, "infer", "vision_pixel_mad_map")


def batches(bench: Bench) -> None:
    """By the size of the batches: what a call of the detector costs, and where memory is in use again."""
    sizes = (1, 2, 4, 8, 16, 32)
    for call in bench.calls:
        task = {"task": "batches", "folder": f"{bench.folder}", "images": bench.images}
        row = bench.run(task | {"call": call, "sizes": sizes, "rounds": 5})
        print(f"\n{call}, arrays, score_and_map; ms an image by images a batch, medians of 5\n")
        header("", *map(str, sizes))
        for name in ("ours", "no wrapper"):
            each = [f"{1000 * row[f'{name}, {size}'] / bench.images:.2f}" for size in sizes]
            print(f"| {name} | " + " | ".join(each) + " |", flush=True)


def compared(bench: Bench, inputs: str, call: str, detector: str) -> None:
    task = {"task": "timed", "inputs": inputs, "call": call, "detector": detector}
    task |= {"folder": f"{bench.folder}", "images": bench.images}
    tasks = {"ours": task | {"contender": "ours", "batch": None}}
    tasks |= {name: task | {"contender": "host", "batch": batch} for name, batch in HOST.items()}
    if inputs == "arrays":
        tasks["no wrapper"] = task | {"contender": "detector", "batch": 16}
    rows = bench.interleaved(tasks)
    print(f"\n{call}, {inputs}, {detector}; ratios: the host's seconds, ours being 1, in brackets the extremes\n")
    header("", "images a second", "seconds", "ratio", "CPU seconds", "ratio", "user seconds", "ratio", "peak MiB")
    for name, found in rows.items():
        columns = [f"{bench.images / median(found, 'seconds'):.0f}"]
        for key in ("seconds", "cpu", "user"):
            columns += [f"{median(found, key):.2f}", ratio(found, rows["ours"], key)]
        print(f"| {name} | " + " | ".join(columns) + f" | {median(found, 'peak_mib'):.0f} |", flush=True)


def memory(bench: Bench) -> None:
    """The peak of infer_iter by the number of images, beyond what the imports hold.

    pyimgano alone takes all images in one call where no batch size is given, so it stops at 1000.
    """
    task = {"task": "grown", "folder": f"{bench.folder}"}
    contenders = {"ours": None, "host": None, "host, batch_size=16": 16}
    print("\nPeak MiB of infer_iter with maps, one run each\n")
    header("", *(f"{images} images" for images in LONG))
    for inputs in bench.inputs:
        for name, batch in contenders.items():
            whole = task | {"inputs": inputs, "contender": name[:4], "batch": batch}
            longest = 1000 if name == "host" else max(LONG)
            peaks = [
                f"{bench.run(whole | {'images': images})['peak_mib']:.0f}" if images <= longest else "not run"
                for images in LONG
            ]
            print(f"| {name}, {inputs} | " + " | ".join(peaks) + " |", flush=True)


CASES: dict[str, Callable[[Bench], None]] = {
    "throughput": throughput,
    "batches": batches,
    "model": model,
    "memory": memory,
}


def header(*names: str) -> None:
    print("| " + " | ".join(names) + " |")
    print("| --- " + "| ---: " * (len(names) - 1) + "|")


def median(runs: Sequence[Row], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def ratio(runs: Sequence[Row], others: Sequence[Row], key: str) -> str:
    each = [run[key] / other[key] for run, other in zip(runs, others, strict=True)]
    return f"{statistics.median(each):.2f} ({min(each):.2f} to {max(each):.2f})"


if __name__ == "__main__":
    raise SystemExit(main())
