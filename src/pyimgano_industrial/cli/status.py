"""`status`: plugins, rows, seams, extras with their cures, versions, and which OpenCV is installed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from typing import Any

from pyimgano_industrial import __version__
from pyimgano_industrial.cli import command
from pyimgano_industrial.core import extras
from pyimgano_industrial.core.columns import described, terminal_width
from pyimgano_industrial.core.entry import KINDS
from pyimgano_industrial.core.errors import IndustrialWarning, PluginConflictError
from pyimgano_industrial.core.progress import running

_DESCRIPTION = """\
Lists the versions, the plugins and what each brings, where they are connected to pyimgano (applied), will be when it
is used (waiting) or cannot be (refused), and the extras that are missing. The exit code is 1 when a plugin is broken,
two plugins claim one name, or a connection is refused.
"""
_SWITCH = "PYIMGANO_DISABLE_PLUGIN_AUTOLOAD"


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = command.add(
        commands, "status", help="what is installed, loaded, waiting or missing, and the cure", description=_DESCRIPTION
    )
    command.finish(parser)


def run(args: argparse.Namespace) -> int:
    """Print the status; the exit code is 1 when a plugin is broken or a seam is refused."""
    with running("looking at what is installed"):
        report = collect()
    print(json.dumps(report, indent=2) if args.json else render(report, width=terminal_width()))
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
                    if _lacks_torch(error):
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
            {"name": name, "missing": absent, "cure": extras.cure(name) if absent and needed else None}
            for name in sorted(extras.EXTRAS)
            for absent in [extras.missing(name)]
            for needed in [name != "headless" or not opencv]  # a second OpenCV would break the first
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


def render(report: dict[str, Any], *, width: int | None = None) -> str:
    """Return the status as text for people; width: of the terminal."""
    autoload, opencv = report["autoload"], report["opencv"]
    head = [
        ("versions", ", ".join(f"{name}\u00a0{number}" for name, number in report["versions"].items())),
        ("autoload", f"{'on' if autoload['on'] else 'off'} ({autoload['switch']})"),
        ("opencv", ", ".join(f"{name}\u00a0{number}" for name, number in opencv["distributions"].items()) or "none"),
    ]
    if opencv["advice"]:
        head.append(("", opencv["advice"]))
    parts = [[line.removeprefix("  ") for line in described(head, width=width)]]
    sources = [(one["group"], f"{one['distribution']} {one['version']}", _outcome(one)) for one in report["plugins"]]
    conflicts = [("CONFLICT:", conflict) for conflict in report["conflicts"]]
    parts.append(["plugins", *described(sources, width=width), *described(conflicts, width=width)])
    for kind, origin in dict.fromkeys((row["kind"], row["from"]) for row in report["rows"]):
        rows = [(one["name"], one["summary"]) for one in report["rows"] if (one["kind"], one["from"]) == (kind, origin)]
        parts.append([f"{kind} of {origin}", *described(rows, width=width)])
    parts.append(["seams", *described(_seams(report["seams"]), width=width)])
    extras = [(extra["name"], _state(extra)) for extra in report["extras"]]
    parts.append(["extras", *described(extras, width=width)])
    return "\n\n".join("\n".join(part) for part in parts)


def _outcome(source: dict[str, Any]) -> str:
    if source["failure"]:
        return f"BROKEN: {source['failure']}"
    return f"{source['rows']} row{'' if source['rows'] == 1 else 's'}"


def _seams(found: Sequence[dict[str, str]]) -> list[tuple[str, str, str]]:
    """Return state, name, and what is brought, with the modules where that is not so; --json names every module."""
    modules: dict[tuple[str, str, str], list[str]] = {}
    for seam in found:
        modules.setdefault((seam["state"], seam["name"], seam["brings"]), []).append(seam["module"])
    rows = []
    for (state, name, brings), where in modules.items():
        word, _, reason = state.partition(": ")
        if word != "applied":
            brings = f"{brings}; in {', '.join(where)}"
        elif len(where) > 1:
            brings = f"{brings}; in {len(where)} modules"
        rows.append((word, name, f"{brings}: {reason}" if reason else brings))
    return rows


def _state(extra: dict[str, Any]) -> str:
    if not extra["missing"]:
        return "installed"
    if extra["cure"] is None:
        return "not needed: another OpenCV is installed"
    return f"missing {', '.join(extra['missing'])}: {extra['cure']}".replace("pip install ", "pip\u00a0install\u00a0")


def _lacks_torch(error: ImportError) -> bool:
    """Return whether torch or torchvision is what is not there; the host may say so in an error of its own."""
    cause = error.__cause__
    found = (error, cause) if isinstance(cause, ImportError) else (error,)
    return any((one.name or "").partition(".")[0] in ("torch", "torchvision") for one in found)


def _waiting() -> bool:
    """Return whether the start-up shim waits for the first import of the host, and will act then."""
    waits = any(getattr(finder, "__name__", None) == "PyimganoAutoload" for finder in sys.meta_path)
    return waits and os.environ.get(_SWITCH, "") in ("", "0")


def _version(distribution: str) -> str:
    try:
        return version(distribution)
    except PackageNotFoundError:
        return "not installed"
