"""What the pixel metrics cost: seconds, peak memory and error beside anomalib, ADEval and scikit-learn.

Run with `python tests/benchmarks/metrics.py --python anomalib=PATH adeval=PATH`. Every run is a process of its own,
with the same maps; a peer without an interpreter runs in this one, and is a gap where it is not installed.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from stamp import stamp

RUN = Path(__file__).with_name("metrics_run.py")
TABLES = {
    "AU-PRO, limit 0.3": ("ours aupro", "ours aupro, maps copied", "adeval", "anomalib"),
    "AU-sPRO, five limits, two kinds": ("ours spro", "ours spro, maps copied"),
    "pixel AUROC and AP": ("ours pixels", "ours pixels, maps copied", "sklearn"),
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", nargs="+", type=int, default=[0, 1, 2], choices=[0, 1, 2])
    parser.add_argument("--maps", type=int, default=100)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--python", nargs="+", default=[], metavar="NAME=PATH", help="interpreters of peers")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    pythons = dict(one.split("=", 1) for one in args.python)
    print(stamp("scikit-learn"))
    found = []
    for table, names in list(TABLES.items())[slice(None)]:
        if list(TABLES).index(table) not in args.table:
            continue
        rows = {name: run(name, pythons.get(name, sys.executable), args.maps, args.side) for name in names}
        found += [{"table": table, "name": name, **row} for name, row in rows.items()]
        show(table, rows)
    if args.json:
        args.json.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


def run(name: str, python: str, maps: int, side: int) -> dict[str, Any]:
    command = [python, str(RUN), json.dumps({"name": name, "maps": maps, "side": side})]
    env = dict(os.environ, PYIMGANO_DISABLE_PLUGIN_AUTOLOAD="1")
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"gap": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    row: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return row | {"load": os.getloadavg()[0]}


def show(table: str, rows: dict[str, dict[str, Any]]) -> None:
    heads = ("contender", "seconds", "ratio", "CPU seconds", "MiB above the inputs", "ratio", "value")
    print(f"\n{table}\n\n| {' | '.join(heads)} |\n{'| --- ' * len(heads)}|")
    ours = next(iter(rows.values()))
    for name, row in rows.items():
        if "gap" in row:
            print(f"| {name} | not measured: {row['gap']} |")
            continue
        ratios = [row[key] / ours[key] if "gap" not in ours else float("nan") for key in ("seconds", "mib")]
        values = ", ".join(f"{value:.7f}" for value in row["values"])
        times = f"{row['seconds']:.2f} | {ratios[0]:.1f} | {row['cpu']:.2f}"
        print(f"| {name} | {times} | {row['mib']:.0f} | {ratios[1]:.1f} | {values} |")
    print(f"\nLoad: {', '.join(format(row.get('load', float('nan')), '.1f') for row in rows.values())}", flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
