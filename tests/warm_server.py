"""Imports pyimgano once, then forks for every request on its standard input; run by `warm.py`."""

from __future__ import annotations

import importlib
import json
import os
import sys
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

IMPORTED = (
    "pyimgano.cli", "pyimgano.infer_cli", "pyimgano.robust_cli", "pyimgano.inference", "pyimgano.pipelines.mvtec_visa",
    "pyimgano.workbench", "sklearn.neighbors", "sklearn.metrics",
)  # fmt: skip


def main() -> None:
    for name in IMPORTED:
        importlib.import_module(name)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            answer(json.loads(line))
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def answer(request: dict[str, Any]) -> None:
    """Run the command with its output in two files, and end the process."""
    for number, name in enumerate(("stdout", "stderr"), start=1):
        file = os.open(Path(request["folder"], name), os.O_CREAT | os.O_WRONLY)
        os.dup2(file, number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.chdir(request["cwd"])
    code = 1
    try:
        code = call(request["command"])
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
        if isinstance(error.code, str):
            print(error.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - as the interpreter does at the top
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def call(command: list[str]) -> int:
    """Call a console script's function, or run `python -c CODE`; return the exit code."""
    name = Path(command[0]).stem
    if name.startswith("python"):
        flag, code, *arguments = command[1:]
        assert flag == "-c", command
        sys.argv = ["-c", *arguments]
        sys.modules["__main__"] = program = ModuleType("__main__")
        exec(code, vars(program))
        return 0
    sys.argv = command
    (point,) = entry_points(group="console_scripts", name=name)
    return point.load()() or 0


if __name__ == "__main__":
    main()
