"""What our flags on the host's commands say; set while a command parses its arguments."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pyimgano_industrial.presets.chains import Chain

missing_masks: Literal["error", "allow"] = "error"
tiling: dict[str, Any] = {}  # keyword arguments of TiledDetector
resized: set[tuple[tuple[int, int], tuple[int, int]]] = set()  # (H, W) of files and of the arrays made of them
chain: Chain | None = None  # what --preset names, where it names one
thresholds: dict[str, Any] = {}  # method, target_fpr, how, report, and the host's quantile where it was given

_TILING = "industrial_tiling_"
_THRESHOLDS = "industrial_thresholds_"


def reset() -> None:
    """Return to the defaults, at the start of every command."""
    global missing_masks, chain
    missing_masks = "error"
    chain = None
    tiling.clear()
    resized.clear()
    thresholds.clear()


def tiling_dest(keyword: str) -> str:
    """Return the argparse destination of the flag that sets a keyword argument of TiledDetector."""
    return f"{_TILING}{keyword}"


def threshold_dest(name: str) -> str:
    """Return the argparse destination of the flag that sets one of `thresholds`."""
    return f"{_THRESHOLDS}{name}"


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
        elif self.dest.startswith(_THRESHOLDS):
            thresholds[self.dest.removeprefix(_THRESHOLDS)] = values
        else:
            tiling[self.dest.removeprefix(_TILING)] = values
