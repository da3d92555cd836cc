"""Flags that describe models: what follows a --model is for that one, what comes before the first is for all."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.evaluation.results import ModelSpec

_TILING = "tiling:"
_AUTOMATIC = ("device", "pretrained", "contamination")


class ModelFlagError(IndustrialError, ValueError):
    """Flags that describe no model, or a model that cannot be."""


def add_model(group: argparse._ArgumentGroup, *, help: str) -> None:
    """Add --model itself, which stands with what a command needs."""
    group.add_argument("--model", action=_Model, metavar="NAME", help=help)


def add(parser: argparse.ArgumentParser) -> None:
    """Add the flags that follow a --model; `specs` reads them."""
    from pyimgano_industrial.host.tiling_flags import flags

    group = parser.add_argument_group(
        "a model", "Flags after a --model are for that model; flags before the first one are for all."
    )
    of_model: dict[str, Any] = {"action": _OfModel, "default": argparse.SUPPRESS}
    group.add_argument("--label", **of_model, metavar="TEXT", help="what it is called. Default: the name")
    group.add_argument("--model-kwargs", **of_model, type=json_object, metavar="JSON", help="of its constructor")
    group.add_argument("--preset", **of_model, metavar="NAME", help="keyword arguments by name, as in the host")
    group.add_argument("--checkpoint-path", **of_model, metavar="FILE", help="weights or a memory bank to load")
    group.add_argument("--device", **of_model, metavar="NAME", help="cpu or cuda. Default: cpu")
    group.add_argument("--pretrained", **of_model, nargs=0, const=True, help="start from weights that are downloaded")
    group.add_argument("--contamination", **of_model, type=float, metavar="SHARE", help="as in the host. Default: 0.1")
    group.add_argument(
        "--roi",
        **of_model,
        metavar="BOX_OR_PATH",
        help="a box x0,y0,x1,y1, a polygon x,y,x,y,x,y..., a mask, a folder of masks or a JSON file by name",
    )
    tiles = parser.add_argument_group("tiles of a model")
    for flag, (keyword, options) in flags().items():
        tiles.add_argument(flag, **of_model, dest=f"{_TILING}{keyword}", **options)


def specs(args: argparse.Namespace, *, seed: int) -> tuple[ModelSpec, ...]:
    """Return the models; raises ModelFlagError, and ModelError for what the host does not know."""
    from pyimgano_industrial.host.evaluation import completed

    stated = getattr(args, "models", [])
    if not stated:
        raise ModelFlagError("an evaluation needs a model; got none: add --model NAME")
    common = getattr(args, "for_all", {})
    found = []
    for own, label in zip(stated, _labels(stated), strict=True):
        values = {**common, **own}
        kwargs = {**common.get("model_kwargs", {}), **own.get("model_kwargs", {})}
        tiling = {name.removeprefix(_TILING): value for name, value in values.items() if name.startswith(_TILING)}
        if tiling and "tile_size" not in tiling:
            raise ModelFlagError(f"the --tile-... flags need --tile-size, the pixels of a tile; {label} has none")
        spec = ModelSpec(
            label,
            values["name"],
            kwargs,
            values.get("preset"),
            values.get("checkpoint_path"),
            {name: list(value) if isinstance(value, tuple) else value for name, value in tiling.items()},
            values.get("roi"),
        )
        automatic = {"device": "cpu", "pretrained": False, "contamination": 0.1}
        automatic |= {name: values[name] for name in _AUTOMATIC if name in values}
        found.append(completed(spec, **automatic, seed=seed))  # type: ignore[arg-type] # of these types
    return tuple(found)


def _labels(stated: Sequence[dict[str, Any]]) -> list[str]:
    """Return a label a model: as given, else its name, numbered from the second of one name on."""
    seen: Counter[str] = Counter()
    labels = []
    for one in stated:
        name = one.get("label", one["name"])
        seen[name] += 1
        labels.append(name if seen[name] == 1 or "label" in one else f"{name}-{seen[name]}")
    return labels


def json_object(text: str) -> dict[str, Any]:
    """Return the JSON object of a flag; what is none ends the parser."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f'must be JSON such as {{"k": 5}}; got {text!r} ({error})') from error
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError(f'must be a JSON object such as {{"k": 5}}; got {text!r}')
    return found


class _Model(argparse.Action):
    """Begins a model."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,  # noqa: ARG002 - argparse's signature
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,  # noqa: ARG002 - argparse's signature
    ) -> None:
        namespace.models = [*getattr(namespace, "models", []), {"name": values}]


class _OfModel(argparse.Action):
    """Keeps a value for the model that was begun last, or for all where none was."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        models = getattr(namespace, "models", [])
        if self.dest == "label" and not models:
            parser.error(f"{option_string} belongs after the --model that it names")
        if not models and not hasattr(namespace, "for_all"):
            namespace.for_all = {}
        place = models[-1] if models else namespace.for_all
        place[self.dest] = self.const if self.nargs == 0 else values
