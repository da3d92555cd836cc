"""What tiling costs: seconds and peak memory beside pyimgano's TiledDetector, MONAI, patchly and anomalib's Tiler.

Run with `python tests/benchmarks/tiling.py`. Every run is a process of its own, with one thread unless its name says
otherwise; the contenders of a table alternate. Ratios are of CPU seconds within a round, then their median, so that
other work on the machine does not decide.
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

from stamp import stamp

RUN = Path(__file__).with_name("tiling_run.py")
SIDE, TILE = 8192, 512
PEERS = {"hann": ("host", "MONAI"), "gaussian": ("MONAI", "patchly"), "mean": ("MONAI", "patchly", "anomalib")}
SIZES = (2048, 4096, 8192, 16384, 32768)
FILES = (
    (32768, 32768, None),
    (131072, 8192, None),
    (8192, 131072, None),
    (32768, 32768, "zlib"),
    (8192, 131072, "zlib"),
)  # height, width, compression

Row = dict[str, Any]


@dataclass
class Bench:
    """How runs are made: their number, the interpreters of contenders that have their own, and all that was found."""

    rounds: int
    pythons: dict[str, str]
    folder: Path
    strides: Sequence[int]
    blends: Sequence[str]
    warm: bool = False
    only: Sequence[str] | None = None
    network: int = 15  # rounds of the case network, which alternate in one process
    found: list[Row] = field(default_factory=list)

    def interleaved(self, tasks: dict[str, Row]) -> dict[str, list[Row]]:
        """Run every task once a round; a contender that fails is left out of later rounds."""
        rows: dict[str, list[Row]] = {name: [] for name in tasks}
        for _ in range(self.rounds):
            for name, task in tasks.items():
                if not any("gap" in row for row in rows[name]):
                    rows[name].append(self.run(name, task))
        return rows

    def run(self, name: str, task: Row) -> Row:
        threads = "2" if name.endswith("2 threads") else "1"
        env = dict(os.environ, OMP_NUM_THREADS=threads, PYIMGANO_DISABLE_PLUGIN_AUTOLOAD="1")
        command = [self.pythons.get(name, sys.executable), str(RUN), json.dumps(task)]
        if self.warm:
            subprocess.run([sys.executable, "-c", "import numpy; numpy.ones(2**30)"], check=True)
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            row = {"gap": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
        else:
            row = json.loads(done.stdout)
        self.found.append({"name": name, **task, **row, "load": os.getloadavg()[0]})
        print(f"{name}: {json.dumps(row)}, load {os.getloadavg()[0]:.1f}", file=sys.stderr)
        return row


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--stride", nargs="+", type=int, default=[128, 384, 512], help="of the case memory")
    parser.add_argument("--blend", nargs="+", choices=list(PEERS), default=list(PEERS), help="of the case memory")
    parser.add_argument("--contender", nargs="+", help="of the case memory; ours is always there")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--python", nargs="+", default=[], metavar="NAME=PATH", help="interpreters of contenders")
    parser.add_argument("--warm", action="store_true", help="touch 8 GiB before each run: on a virtual machine memory "
                        "that nobody has used for a while is slow, whoever comes first")  # fmt: skip
    parser.add_argument("--scratch", type=Path, help="folder for files of 10 GiB; default the temporary one")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    print(stamp("monai", "torch", "patchly", "onnxruntime", "tifffile"))
    with tempfile.TemporaryDirectory(prefix="tiling-", dir=args.scratch) as folder:
        pythons = dict(one.split("=", 1) for one in args.python)
        bench = Bench(args.rounds, pythons, Path(folder), args.stride, args.blend, args.warm, args.contender)
        for case in args.case:
            CASES[case](bench)
    loads = [row["load"] for row in bench.found]
    if loads:
        print(f"Load of the machine during the runs: {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores.")
    if args.json:
        args.json.write_text(json.dumps(bench.found, indent=1), encoding="utf-8")
    return 0


def memory(bench: Bench) -> None:
    """One image in memory, every blend and grid that somebody offers."""
    limit = SIDE**2 * (3 + 4) / 2**20 + 64
    for stride in bench.strides:
        for blend in bench.blends:
            peers = PEERS[blend]
            names = ("ours", "ours, two calls", *peers) if blend == "hann" else ("ours", *peers)
            names += ("MONAI, 2 threads",) if blend == "hann" else ()
            names = tuple(name for name in names if bench.only is None or name in ("ours", *bench.only))
            task = {"task": "cheap", "side": SIDE, "tile": TILE, "stride": stride, "blend": blend}
            rows = bench.interleaved({name: task | {"contender": name} for name in names})
            print(f"\n{SIDE} x {SIDE} RGB, tile {TILE}, stride {stride}, {blend}; limit {limit:.0f} MiB\n")
            header("contender", "seconds", "CPU seconds", "ratio", "user seconds", "ratio", "peak MiB", "largest error")
            for name in names:
                line(name, rows[name], lambda found, all_rows=rows: [
                    *seconds(found), f"{ratio(found, all_rows['ours'], 'cpu'):.2f}",
                    f"{median(found, 'user'):.2f}", f"{ratio(found, all_rows['ours'], 'user'):.2f}",
                    f"{median(found, 'peak_mib'):.0f}", f"{median(found, 'error'):.1g}",
                ])  # fmt: skip


def network(bench: Bench) -> None:
    """A network as the detector."""
    print("\n2048 x 1536 RGB, tile 512, stride 384, hann, PatchMemory as the detector\n")
    if not (Path(os.environ.get("PYIMGANO_INDUSTRIAL_SHARED", "")) / "tools" / "patch_memory.py").is_file():
        print("Not measured: PYIMGANO_INDUSTRIAL_SHARED names no folder with tools/patch_memory.py.")
        return
    task = {"task": "network", "height": 1536, "width": 2048, "tile": TILE, "stride": 384, "rounds": bench.network}
    row = bench.run("network", task)
    if "gap" in row:
        print(f"Not measured: {row['gap']}")
        return
    rows: dict[str, list[Row]] = row["found"]
    bare = rows["bare tiles"]
    least = [one["maps"] / (one["scores"] + one["maps"]) for one in bare]
    print(f"{row['tiles']} tiles; medians of {bench.network} rounds in one process, and the range of the middle half")
    print(f"bare tiles: scores {median(bare, 'scores'):.3f} s, maps {median(bare, 'maps'):.3f} s; "
          f"maps take {spread(least)} of both\n")  # fmt: skip
    header("contender", "seconds", "CPU seconds", "in the detector", "overhead in %", "share of the host's CPU time")
    for name in (name for name in rows if name != "bare tiles"):
        line(name, rows[name], lambda found: [
            *seconds(found), f"{median(found, 'inside'):.3f}",
            spread([100 * (one["cpu"] / one["inside"] - 1) for one in found], digits=1),
            spread([one["cpu"] / other["cpu"] for one, other in zip(found, rows["host"], strict=True)]),
        ])  # fmt: skip


def disk(bench: Bench) -> None:
    """Files of 3 GiB to maps of 4 GiB, square, tall and wide."""
    print(f"\nTIFF to .npy, tile {TILE}, stride 384, hann; limit 1024 MiB\n")
    header("file", "its MiB", "seconds", "CPU seconds", "peak MiB", "largest error")
    for height, width, compression in FILES:
        name = f"{height} x {width} {compression or 'uncompressed'}"
        source, target = bench.folder / "image.tif", bench.folder / "map.npy"
        task = {"task": "write", "target": str(source), "height": height, "width": width}
        written = bench.run("write", task | {"compression": compression})
        if "gap" in written:
            line(name, [written], lambda _: [])
            continue
        paths = {"source": str(source), "target": str(target)}
        rows = bench.interleaved({name: {"task": "disk", **paths, "tile": TILE, "stride": 384, "blend": "hann"}})
        line(name, rows[name], lambda found, size=written["mib"]: [
            f"{size:.0f}", *seconds(found), f"{median(found, 'peak_mib'):.0f}", f"{median(found, 'error'):.1g}",
        ])  # fmt: skip
        for path in (source, target):
            path.unlink(missing_ok=True)


def scaling(bench: Bench) -> None:
    """The cost per pixel; a virtual machine may charge the first touch of memory, which user seconds leave out.

    Smaller images than that of the case memory are run as often as they fit into it: theirs are milliseconds.
    """
    task = {"task": "cheap", "contender": "ours", "tile": TILE, "stride": 384, "blend": "hann", "check": False}
    times = {side: max(1, (SIDE // side) ** 2) for side in SIZES}
    rows = bench.interleaved({f"{side}": task | {"side": side, "times": times[side]} for side in SIZES})
    print(f"\nOurs by size in memory, tile {TILE}, stride 384, hann\n")
    header("side", "tiles", "CPU seconds", "user seconds", "CPU ns per pixel", "user ns", "MiB beyond image and map")
    for name, runs in rows.items():
        pixels = int(name) ** 2
        line(name, runs, lambda found, pixels=pixels: [
            f"{found[0]['tiles']}", f"{median(found, 'cpu'):.2f}", f"{median(found, 'user'):.2f}",
            f"{1e9 * median(found, 'cpu') / pixels:.1f}", f"{1e9 * median(found, 'user') / pixels:.1f}",
            f"{median(found, 'peak_mib') - 7 * pixels / 2**20:.0f}",
        ])  # fmt: skip


CASES: dict[str, Callable[[Bench], None]] = {"memory": memory, "network": network, "disk": disk, "scaling": scaling}


def header(*names: str) -> None:
    print("| " + " | ".join(names) + " |")
    print("| --- " + "| ---: " * (len(names) - 1) + "|")


def line(name: str, runs: Sequence[Row], columns: Callable[[Sequence[Row]], list[str]]) -> None:
    gap = next((run["gap"] for run in runs if "gap" in run), None)
    print(f"| {name} | " + (f"not measured: {gap} |" if gap else " | ".join(columns(runs)) + " |"), flush=True)


def seconds(runs: Sequence[Row]) -> list[str]:
    return [f"{median(runs, 'seconds'):.2f}", f"{median(runs, 'cpu'):.2f}"]


def median(runs: Sequence[Row], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def spread(values: Sequence[float], *, digits: int = 3) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def ratio(runs: Sequence[Row], others: Sequence[Row], key: str) -> float:
    if any("gap" in run for run in others):
        return float("nan")
    return statistics.median(run[key] / other[key] for run, other in zip(runs, others, strict=True))


if __name__ == "__main__":
    raise SystemExit(main())
