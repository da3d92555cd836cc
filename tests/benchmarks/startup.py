"""What the plugin costs at start-up: an empty interpreter, and the import of the host's models.

Run with `python tests/benchmarks/startup.py`. Bare and plugged runs alternate; the medians are compared.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import time
from pathlib import Path

CASES = {"python -c pass": "pass", "import pyimgano.models": "import pyimgano.models"}
LIMITS = {"python -c pass": "0.5 ms more", "import pyimgano.models": "15 % more"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    rows = {name: measure(code, runs=args.runs) for name, code in CASES.items()}
    if args.json:
        print(json.dumps(rows, indent=2))
        return 0
    print(f"{'case':26}{'bare':>12}{'plugged':>12}{'more':>12}{'ratio':>8}   limit")
    for name, row in rows.items():
        print(
            f"{name:26}{row['bare_ms']:9.2f} ms{row['plugged_ms']:9.2f} ms{row['more_ms']:9.2f} ms"
            f"{row['ratio']:8.3f}   {LIMITS[name]}"
        )
    return 0


def measure(code: str, *, runs: int) -> dict[str, float]:
    """Return the medians of whole processes without and with the start-up file, in milliseconds.

    "Bare" is the same environment with the .pth file switched off before it does anything: the shim's own import is
    then still paid, so an empty interpreter is also timed inside, from the first to the last line of the .pth file.
    """
    bare, plugged = [], []
    for _ in range(runs):
        bare.append(seconds(code, off=True))
        plugged.append(seconds(code, off=False))
    without, with_plugin = 1e3 * statistics.median(bare), 1e3 * statistics.median(plugged)
    row = {"bare_ms": without, "plugged_ms": with_plugin, "more_ms": with_plugin - without}
    if code == "pass":
        row["more_ms"] = 1e3 * statistics.median(shim_seconds() for _ in range(runs))
        row["plugged_ms"] = row["bare_ms"] + row["more_ms"]
    row["ratio"] = row["plugged_ms"] / row["bare_ms"]
    return row


def seconds(code: str, *, off: bool) -> float:
    """Time one whole process."""
    env = dict(os.environ, PYIMGANO_DISABLE_PLUGIN_AUTOLOAD="1" if off else "")
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True, env=env)
    return time.perf_counter() - started


def shim_seconds() -> float:
    """Time the .pth file's line in a fresh interpreter that has not run it."""
    site = sysconfig.get_path("purelib")
    line = Path(site, "_pyimgano_autoload.pth").read_text(encoding="utf-8")
    code = (
        f"import sys, time; sys.path.append({site!r}); line = {line!r}\n"
        "started = time.perf_counter()\n"
        "exec(line)\n"  # as site does it
        "print(time.perf_counter() - started)"
    )
    done = subprocess.run([sys.executable, "-S", "-c", code], check=True, capture_output=True, text=True)
    return float(done.stdout)


if __name__ == "__main__":
    raise SystemExit(main())
