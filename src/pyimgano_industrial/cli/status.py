"""`status`: plugins, rows, seams, extras with their cures, versions, and which OpenCV is installed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import warnings
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

from pyimgano_industrial import __version__
from pyimgano_industrial.cli import command
from pyimgano_industrial.core import extras
from pyimgano_industrial.core.entry import KINDS
from pyimgano_industrial.core.errors import IndustrialWarning, PluginConflictError

_SWITCH = "PYIMGANO_DISABLE_PLUGIN_AUTOLOAD"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = command.add(commands, "status", help="what is installed, loaded, waiting or missing, and the cure")
    command.finish(parser)


def run(args: argparse.Namespace) -> int:
    """Print the status; the exit code is 1 when a plugin is broken or a seam is refused."""
    report = collect()
    print(json.dumps(report, indent=2) if args.json else render(report))
    return 0 if report["ok"] else 1


def collect() -> dict[str, Any]:
    """Return the whole status as plain data; imports every host module that a seam waits for."""
    from pyimgano_industrial.host import seams
    from pyimgano_industrial.host.finder import HostFinder
    from pyimgano_industrial.plugins.manager import plugins

    automatic = any(isinstance(finder, HostFinder) for finder in sys.meta_path) or _waiting()
    unimportable: dict[seams.Seam, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", IndustrialWarning)  # everything that warns is in the report
        found = plugins()
        rows: list[dict[str, Any]] = []
        conflicts: list[str] = []
        for kind in KINDS:
            try:
                rows += [
                    {"kind": kind, "name": row.name, "from": row.origin, "summary": row.entry.summary}
                    for row in found.rows(kind)
                ]
            except PluginConflictError as error:
                conflicts.append(str(error))
        if automatic and not conflicts:
            for seam in seams.SEAMS:
                try:
                    import_module(seam.module)
                except ImportError as error:
                    if (error.name or "").partition(".")[0] in ("torch", "torchvision"):
                        continue  # an optional library of the host: its models, and our seam, wait for it
                    # without OpenCV, for example, the host itself cannot be imported
                    unimportable[seam] = f"host module does not import: {error}"
    opencv = opencv_distributions()
    report = {
        "versions": {
            "pyimgano-industrial": __version__,
            "pyimgano": _version("pyimgano"),
            "python": platform.python_version(),
            "numpy": _version("numpy"),
            "pluggy": _version("pluggy"),
        },
        "autoload": {"on": automatic, "switch": f"{_SWITCH}={os.environ.get(_SWITCH, '')}"},
        "plugins": [vars(source) for source in found.sources],
        "conflicts": conflicts,
        "rows": rows,
        "seams": [
            {"name": seam.name, "module": seam.module, "brings": seam.brings, "state": unimportable.get(seam, state)}
            for seam, state in seams.states().items()
        ],
        "extras": [
            {"name": name, "missing": absent, "cure": extras.cure(name) if absent else None}
            for name in sorted(extras.EXTRAS)
            for absent in [extras.missing(name)]
        ],
        "opencv": {"distributions": opencv, "advice": opencv_advice(opencv)},
    }
    report["ok"] = not (
        conflicts
        or unimportable
        or any(source.failure for source in found.sources)
        or any(state.startswith("refused") for state in seams.states().values())
    )
    return report


def opencv_distributions() -> dict[str, str]:
    """Return the installed distributions that own the `cv2` files, with their versions."""
    return {name: version(name) for name in sorted(set(packages_distributions().get("cv2", ())))}


def opencv_advice(distributions: dict[str, str]) -> str | None:
    """Return what to do about a missing or doubled OpenCV, or None when there is exactly one."""
    if len(distributions) == 1:
        return None
    if not distributions:
        return "no OpenCV is installed; pip install opencv-python, or opencv-python-headless on a server"
    others = " ".join(distributions)
    return (
        f"{' and '.join(distributions)} own the same cv2 files, the last one installed has won and uninstalling either "
        f"breaks the other; keep one: pip uninstall -y {others} && pip install opencv-python-headless"
    )


def render(report: dict[str, Any]) -> str:
    """Return the status as text for people."""
    lines = ["versions    " + ", ".join(f"{name} {number}" for name, number in report["versions"].items())]
    autoload = report["autoload"]
    lines.append(f"autoload    {'on' if autoload['on'] else 'off'} ({autoload['switch']})")
    cv2 = ", ".join(f"{name} {number}" for name, number in report["opencv"]["distributions"].items())
    lines.append(f"opencv      {cv2 or 'none'}")
    if report["opencv"]["advice"]:
        lines.append(f"            {report['opencv']['advice']}")
    lines += ["", "plugins"]
    for source in report["plugins"]:
        rows = f"{source['rows']} row{'' if source['rows'] == 1 else 's'}"
        outcome = f"BROKEN: {source['failure']}" if source["failure"] else rows
        lines.append(f"  {source['group']:20} {source['distribution']} {source['version']}  {outcome}")
    lines += [f"  CONFLICT: {conflict}" for conflict in report["conflicts"]]
    lines += ["", "rows"]
    lines += [f"  {row['kind']:10} {row['name']:28} {row['from']:28} {row['summary']}" for row in report["rows"]]
    lines += ["", "seams"]
    lines += [
        f"  {seam['state']:10} {seam['name']:18} {seam['module']:36} {seam['brings']}" for seam in report["seams"]
    ]
    lines += ["", "extras"]
    for extra in report["extras"]:
        state = f"missing {', '.join(extra['missing'])}: {extra['cure']}" if extra["missing"] else "installed"
        lines.append(f"  {extra['name']:10} {state}")
    return "\n".join(lines)


def _waiting() -> bool:
    """Return whether the start-up shim waits for the first import of the host, and will act then."""
    waits = any(getattr(finder, "__name__", None) == "PyimganoAutoload" for finder in sys.meta_path)
    return waits and os.environ.get(_SWITCH, "") in ("", "0")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
