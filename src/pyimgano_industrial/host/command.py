"""Seam: `pyimgano industrial` in the host's root command."""

from __future__ import annotations

from types import ModuleType

from pyimgano_industrial.host.contract import expect


def apply(host: ModuleType) -> None:
    """Add the command to the root command's table."""
    expect(host, "_load_command_main", "module_path")
    expect(host, "_COMMANDS")["industrial"] = (
        "pyimgano_industrial.cli.main",
        "Industrial inspection: status, check, demo, evaluate, report, compare, submit, drift, exec.",
    )
