"""What our flags on the host's commands say; set while a command parses its arguments."""

from __future__ import annotations

import argparse
from typing import Any, Literal

missing_masks: Literal["error", "allow"] = "error"
tiling: dict[str, Any] = {}  # keyword arguments of TiledDetector

_TILING = "industrial_tiling_"


def reset() -> None:
    """Return to the defaults, at the start of every command."""
    global missing_masks
    missing_masks = "error"
    tiling.clear()


def tiling_dest(keyword: str) -> str:
    """Return the argparse destination of the flag that sets a keyword argument of TiledDetector."""
    return f"{_TILING}{keyword}"


class Store(argparse.Action):
    """Keeps a flag's value here for data sets and tiled detectors: the host's requests have no room for it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's signature
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002 - argparse's signature
    ) -> None:
        global missing_masks
        setattr(namespace, self.dest, values)
        if self.dest == "missing_masks":
            missing_masks = values
        else:
            tiling[self.dest.removeprefix(_TILING)] = values
