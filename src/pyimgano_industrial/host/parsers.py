"""Seam: the host's commands accept the plugins' data sets and presets, and say what a missing mask means."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import wraps
from types import ModuleType

from pyimgano_industrial.host import inference_flags, settings, threshold_flags, tiling_flags
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.host.options import preset_names
from pyimgano_industrial.plugins.manager import plugins


def apply(host: ModuleType) -> None:
    """Let the command's parser offer the rows' names."""
    build = expect(host, "_build_parser")

    @wraps(build)
    def build_parser() -> argparse.ArgumentParser:
        settings.reset()
        inference_flags.reset()
        parser: argparse.ArgumentParser = build()
        extend(parser)
        return parser

    host._build_parser = build_parser  # type: ignore[attr-defined]  # a module attribute of the host


def extend(parser: argparse.ArgumentParser) -> None:
    """Add the rows' names to the choices of --dataset and --preset, and our own flags beside them."""
    for action in list(parser._actions):  # argparse has no public list of its actions; the host uses this one too
        if action.dest == "dataset" and action.choices is not None:
            _add_choices(action, [row.name for row in plugins().rows("datasets")])
            parser.add_argument(
                "--missing-masks",
                choices=["error", "allow"],
                default="error",
                action=settings.Store,
                help=(
                    "What an anomalous test image without a mask means. error=stop and name it; "
                    "allow=count it as free of anomalous pixels and say how many there are. Default: error"
                ),
            )
        elif action.dest == "preset" and action.choices is not None:
            _add_choices(action, preset_names())
            action.choices = OrFiles(action.choices)
    tiling_flags.add(parser)
    threshold_flags.add(parser)
    inference_flags.add(parser)


class OrFiles(list[str]):
    """The names to choose from, in help and errors; a file .json, which holds a chain, may be named as well."""

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or f"{name}".endswith(".json")


def _add_choices(action: argparse.Action, names: Sequence[str]) -> None:
    choices = list(action.choices or ())
    action.choices = choices + [name for name in names if name not in choices]
