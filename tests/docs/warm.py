"""Console scripts run in processes forked from one that has imported pyimgano, which takes seconds each time."""

from __future__ import annotations

import multiprocessing
import os
import sys
import tempfile
from collections.abc import Sequence
from importlib.metadata import entry_points
from pathlib import Path

_METHOD = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
_CONTEXT = multiprocessing.get_context(_METHOD)
_PRELOADED = ["__main__", "pyimgano.cli", "pyimgano.infer_cli", "pyimgano.pipelines.mvtec_visa", "pyimgano.workbench"]
if _METHOD == "forkserver":
    _CONTEXT.set_forkserver_preload(_PRELOADED)


def run_script(name: str, arguments: Sequence[str], folder: Path) -> tuple[int, str]:
    """Run a console script in a folder; return its exit code and all that it printed."""
    with tempfile.TemporaryDirectory() as spare:
        output = Path(spare) / "output.txt"
        process = _CONTEXT.Process(target=_call, args=(name, list(arguments), folder, output))
        process.start()
        process.join()
        return process.exitcode or 0, output.read_text(encoding="utf-8")


def _call(name: str, arguments: list[str], folder: Path, output: Path) -> None:
    with output.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    sys.argv = [name, *arguments]
    (point,) = entry_points(group="console_scripts", name=name)
    raise SystemExit(point.load()())
