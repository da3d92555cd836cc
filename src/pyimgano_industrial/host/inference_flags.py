"""The flags --roi, --on-error, --drift-profile and --u16-max of the host's commands, and what a run measures."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyimgano_industrial.core.images import state_bit_depth
from pyimgano_industrial.inference.formats import bits_of
from pyimgano_industrial.inference.latency import Latency
from pyimgano_industrial.inference.rois import RoiLike, parse_roi

if TYPE_CHECKING:
    from pyimgano_industrial.host.drift import Watcher

roi: RoiLike | None = None
drift: Watcher | None = None
roi_text: str | None = None
map_names: list[str] = []  # of the images whose maps give the pixel threshold
latency = Latency()
can_report = False  # whether the command has --on-error


def reset() -> None:
    """Return to the defaults, at the start of every command."""
    global roi, roi_text, latency, can_report, drift
    roi, roi_text, latency, can_report, drift = None, None, Latency(), False, None
    state_bit_depth(None)
    map_names.clear()


def add(parser: argparse.ArgumentParser) -> None:
    """Add --roi where a model runs, and --on-error where the host can go on after an error."""
    global can_report
    options = {option for action in parser._actions for option in action.option_strings}
    group = parser.add_argument_group("inference (pyimgano-industrial)")
    group.add_argument(
        "--roi",
        action=_StoreRoi,
        metavar="BOX_OR_PATH",
        help=(
            "Region of interest: a box x0,y0,x1,y1 or a polygon x,y,x,y,x,y... in pixels, a mask image, "
            "or, for one a category or an image, a folder of masks or a JSON file, by names of categories or images. "
            "Only pixels inside count in scores, threshold and maps; needs a model with anomaly maps, or --tile-size"
        ),
    )
    for action in parser._actions:
        if action.dest == "u16_max":
            action.type, action.help = _u16_max, _U16_MAX
    can_report = "--continue-on-error" in options
    if can_report:
        group.add_argument(
            "--drift-profile",
            action=_StoreDrift,
            metavar="FILE",
            help=(
                "Compare every image with the profile that `pyimgano-industrial drift --fit` made; each record then "
                "says under 'drift' what moved, since which image, and what to do"
            ),
        )
        group.add_argument(
            "--on-error",
            action=_StoreOnError,
            choices=["raise", "report"],
            default="raise",
            help="An image that cannot be read or scored: raise=stop, report=write its error and go on. Default: raise",
        )


_U16_MAX = (
    "Largest sample of the 16-bit images, 4095 for 12 bits; holds for every image of the command. Without it an image "
    "has 12 bits where no sample exceeds 4095, else 16"
)


def _u16_max(text: str) -> int:
    """Read --u16-max, and read every file as it says: the host's flag reaches tiles and preprocessing only."""
    try:
        largest = int(text)
        state_bit_depth(bits_of(largest))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}") from error
    return largest


class _StoreRoi(argparse.Action):
    """Keeps the region here: the host's requests have no room for it."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002 - argparse's signature
    ) -> None:
        global roi, roi_text
        try:
            roi, roi_text = parse_roi(values), values
        except ValueError as error:
            parser.error(f"{error}")
        setattr(namespace, self.dest, values)


class _StoreDrift(argparse.Action):
    """Reads the profile, and keeps its monitor here."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002 - argparse's signature
    ) -> None:
        global drift
        from pyimgano_industrial.host.drift import Watcher

        try:
            drift = Watcher(Path(values))
        except ValueError as error:
            parser.error(f"{error}")
        setattr(namespace, self.dest, values)


class _StoreOnError(argparse.Action):
    """Switches on the host's way of going on after an error, which is ours underneath."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's signature
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002 - argparse's signature
    ) -> None:
        setattr(namespace, self.dest, values)
        namespace.continue_on_error = values == "report"
