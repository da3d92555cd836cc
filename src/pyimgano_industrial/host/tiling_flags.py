"""The tiling flags of the host's commands: its own names where it has them, ours beside them."""

from __future__ import annotations

import argparse
from typing import Any, get_args

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.host import settings
from pyimgano_industrial.tiling.blend import Blend
from pyimgano_industrial.tiling.fitting import Calibration, FitMode
from pyimgano_industrial.tiling.scores import MODES

_METAVARS = {int: "N", float: "X"}


def _scales(text: str) -> tuple[float, ...]:
    return tuple(float(part) for part in text.split(","))


# Flag -> the keyword argument of TiledDetector that it sets, and how it is parsed.
_HOSTS: dict[str, tuple[str, dict[str, Any]]] = {
    "--tile-size": ("tile_size", {"type": int, "help": "Run the model on overlapping tiles of this many pixels"}),
    "--tile-stride": ("stride", {"type": int, "help": "Pixels from tile to tile. Default: the tile size"}),
    "--tile-score-reduce": ("score_reduce", {"choices": MODES, "help": "From tile scores to one. Default: max"}),
    "--tile-map-reduce": ("map_reduce", {"choices": get_args(Blend), "help": "How maps are blended. Default: max"}),
    "--tile-score-topk": ("score_topk", {"type": float, "help": "Share for topk_mean. Default: 0.1"}),
}
_OURS: dict[str, tuple[str, dict[str, Any]]] = {
    "--tile-fit": ("fit_mode", {"choices": get_args(FitMode), "help": "What the model is fitted on. Default: tiles"}),
    "--tile-fit-max": ("max_fit_tiles", {"type": int, "help": "Fit on this many tiles, chosen at random"}),
    "--tile-batch": ("batch_size", {"type": int, "help": "Tiles alive at a time. Default: 8"}),
    "--tile-scales": ("scales", {"type": _scales, "help": "Run at these scales too, such as 1,0.5. Default: 1"}),
    "--tile-skip-flat": (
        "skip_flat",
        {"type": float, "help": "Take tiles for background whose grey levels deviate by less. Default: run all"},
    ),
    "--tile-calibration": (
        "calibration",
        {
            "choices": get_args(Calibration),
            "help": "Which good images give the threshold. Default: folds; in pyimgano-infer a fifth, kept back",
        },
    ),
    "--tile-folds": ("folds", {"type": int, "help": "Shares for --tile-calibration folds. Default: 5"}),
    "--tile-score-quantile": ("score_quantile", {"type": float, "help": "The quantile for quantile. Default: 0.99"}),
    "--tile-score-from": (
        "score_from",
        {"choices": ("tiles", "map"), "help": "Take the score from the tiles or from the blended map. Default: tiles"},
    ),
}


def flags() -> dict[str, tuple[str, dict[str, Any]]]:
    """Return every tiling flag: the keyword argument of TiledDetector that it sets, and argparse's options for it."""
    return {
        flag: (keyword, options if "choices" in options else {"metavar": _metavar(options), **options})
        for flag, (keyword, options) in {**_HOSTS, **_OURS}.items()
    }


def _metavar(options: dict[str, Any]) -> str:
    return _METAVARS.get(options["type"], "X[,X...]")


def add(parser: argparse.ArgumentParser) -> None:
    """Add the flags that a command's parser lacks; those that it has stay the host's."""
    own = {option: action for action in parser._actions for option in action.option_strings}
    if "--tile-score-reduce" in own:
        own["--tile-score-reduce"].choices = MODES
    group = parser.add_argument_group("tiling (pyimgano-industrial)")
    for flag, (keyword, options) in flags().items():
        if flag not in own:
            group.add_argument(flag, action=settings.Store, dest=settings.tiling_dest(keyword), **options)


def check() -> None:
    """Raise unless tiling is off, or on and told the size of its tiles."""
    if settings.tiling and "tile_size" not in settings.tiling:
        raise TilingFlagError("the --tile-... flags need --tile-size, the pixels of a tile; got none")


class TilingFlagError(IndustrialError, ValueError):
    """Tiling flags that do not go together."""
