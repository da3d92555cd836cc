"""Runs console scripts and code in processes forked from one that has imported pyimgano, which takes seconds each time.

`run`, `python` and `bare_and_plugged` are those of `distributions`. What start-up itself does is tested without this.
Where there is no fork, every process starts cold.
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import distributions

SERVER = Path(__file__).with_name("warm_server.py")
SWITCH = "PYIMGANO_DISABLE_PLUGIN_AUTOLOAD"


class Server:
    """One process that forks: with the plugin, or the bare host."""

    def __init__(self, switch: str) -> None:
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYIMGANO_", "PYTHONPATH"))}
        self._process = subprocess.Popen(
            [sys.executable, str(SERVER)],
            env=kept | {"PYTHONUTF8": "1", SWITCH: switch},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self._lock = threading.Lock()
        atexit.register(self._stop)

    def run(self, command: tuple[str, ...], *, check: bool, cwd: Path | None) -> subprocess.CompletedProcess[str]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with tempfile.TemporaryDirectory(prefix="warm-") as folder:
            request = {"command": command, "cwd": str(cwd or Path.cwd()), "folder": folder}
            with self._lock:
                self._process.stdin.write(json.dumps(request) + "\n")
                self._process.stdin.flush()
                code = int(self._process.stdout.readline())
            said = [Path(folder, name).read_text(encoding="utf-8") for name in ("stdout", "stderr")]
        if check:
            assert code == 0, f"{command} -> {code}\n{said[0][-3000:]}\n{said[1][-3000:]}"
        return subprocess.CompletedProcess(command, code, *said)

    def _stop(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@cache
def server(switch: str) -> Server:
    return Server(switch)


def run(
    *command: str, check: bool = True, env: Mapping[str, str] | None = None, cwd: Path | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a console script of this environment, or `python -c CODE`."""
    own = env or {}
    if options or own.keys() - {SWITCH} or not hasattr(os, "fork"):
        return distributions.run(*command, check=check, env=env, cwd=cwd, **options)
    return server(own.get(SWITCH, "")).run(command, check=check, cwd=cwd)


def python(code: str, *, cwd: Path | None = None) -> str:
    """Run code as a program and return what it printed."""
    return run(sys.executable, "-c", code, cwd=cwd).stdout


def bare_and_plugged(code: str, root: Path) -> tuple[Any, Any]:
    """Run code that prints one line of JSON; return what the bare host says and what it says with the plugin."""
    program = f"import json, sys, warnings; warnings.simplefilter('ignore'); root = {str(root)!r}\n{code}"
    bare, plugged = (json.loads(run(sys.executable, "-c", program, env={SWITCH: off}).stdout) for off in ("1", ""))
    return bare, plugged
