"""Builds small real plugin distributions and installs them with pip, for the tests of the plugin system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Distribution:
    """The source of one plugin: its modules' text and its entry points, {group: {name: module}}."""

    name: str
    modules: Mapping[str, str]
    entry_points: Mapping[str, Mapping[str, str]]
    extras: Mapping[str, list[str]] = field(default_factory=dict)

    def write(self, folder: Path) -> Path:
        root = folder / self.name
        (root / "src").mkdir(parents=True)
        for module, text in self.modules.items():
            (root / "src" / f"{module}.py").write_text(text, encoding="utf-8")
        lines = [
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"',
            f'[project]\nname = "{self.name}"\nversion = "1.0"',
            *(f'[project.entry-points."{group}"]\n{_table(points)}' for group, points in self.entry_points.items()),
            f"[project.optional-dependencies]\n{_table(self.extras)}",
            '[tool.hatch.build.targets.wheel]\nsources = ["src"]\ninclude = ["src/*.py"]',
        ]
        (root / "pyproject.toml").write_text("\n\n".join(lines), encoding="utf-8")
        return root


def _table(values: Mapping[str, Any]) -> str:
    return "\n".join(f'"{key}" = {json.dumps(value)}' for key, value in values.items())


def build_wheels(distributions: Iterable[Distribution], folder: Path) -> dict[str, Path]:
    """Build every distribution with pip; return {name: wheel}."""
    sources = [distribution.write(folder / "src") for distribution in distributions]
    pip("wheel", "--no-deps", "--no-build-isolation", "-w", str(folder / "wheels"), *map(str, sources))
    return {wheel.name.split("-")[0].replace("_", "-"): wheel for wheel in (folder / "wheels").glob("*.whl")}


def pip(*arguments: str, python: str = sys.executable) -> None:
    command = [python, "-m", "pip", *arguments, "--quiet", "--disable-pip-version-check"]
    subprocess.run(command, check=True, capture_output=True, text=True)


def run(
    *command: str, path: Path | None = None, check: bool = True, env: Mapping[str, str] | None = None, **options: Any
) -> subprocess.CompletedProcess[str]:
    """Run a command with `path` on PYTHONPATH; a failure shows its output."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("PYIMGANO_", "PYTHONPATH"))}
    variables |= {"PYTHONUTF8": "1", **(env or {})}
    if path is not None:
        variables["PYTHONPATH"] = str(path)
    done = subprocess.run(list(command), env=variables, capture_output=True, text=True, encoding="utf-8", **options)
    if check:
        assert done.returncode == 0, f"{command} -> {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done


def python(code: str, *, path: Path | None = None, **options: Any) -> str:
    """Run code in a fresh interpreter and return what it printed."""
    return run(sys.executable, "-c", code, path=path, **options).stdout


def script(name: str) -> str:
    """Return the path of a console script of this environment."""
    return str(Path(sys.executable).with_name(f"{name}.exe" if os.name == "nt" else name))


def bare_and_plugged(code: str, root: Path) -> tuple[Any, Any]:
    """Run code that prints one line of JSON; return what the bare host says and what it says with the plugin."""
    found = []
    for switch in ("1", ""):
        program = f"import json, sys, warnings; warnings.simplefilter('ignore'); root = {str(root)!r}\n{code}"
        done = run(script("python"), "-c", program, env={"PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": switch})
        found.append(json.loads(done.stdout))
    return found[0], found[1]
