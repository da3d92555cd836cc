"""`compare`: runs side by side, with intervals of the differences where the same images were scored."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from pyimgano_industrial.cli import command
from pyimgano_industrial.core.columns import aligned, folded, terminal_width
from pyimgano_industrial.core.files import written
from pyimgano_industrial.core.progress import running

if TYPE_CHECKING:
    from pyimgano_industrial.evaluation.comparison import Comparison

_DESCRIPTION = """\
Puts every model of every run beside the first one: each metric, the difference, and its interval from drawing the same
images again for both. An interval that leaves 0 out is marked.

  pyimgano-industrial compare runs/padim runs/patchcore
  pyimgano-industrial compare runs/all --metric image_auroc --output all.html
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser."""
    parser = command.add(commands, "compare", help="runs side by side, with paired intervals", description=_DESCRIPTION)
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folders that `evaluate --output` wrote")
    parser.add_argument("--metric", action="append", default=[], metavar="NAME", help="as in results.json; repeatable")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write a page, for example compare.html")
    parser.add_argument("--draws", type=int, default=2000, metavar="N", help="of images. Default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default: %(default)s")
    command.finish(parser)


def run(args: argparse.Namespace) -> int:
    """Compare and print; the exit code is 0 whatever is found."""
    from pyimgano_industrial.evaluation.comparison import ComparisonError, compare
    from pyimgano_industrial.evaluation.comparison_page import render as page_of

    if args.draws < 1:
        raise ComparisonError(f"--draws must be 1 or more; got {args.draws}")
    with running("comparing"):
        found = compare(args.runs, metrics=args.metric, draws=args.draws, seed=args.seed)
    if args.output is not None:
        with written(args.output) as spare:
            spare.write_text(page_of(found), encoding="utf-8")
    if args.json:
        print(json.dumps(found.to_dict(), indent=1, allow_nan=False))
        return 0
    print(render(found, width=terminal_width()))
    if args.output is not None:
        print(f"\nTo look at: {args.output}")
    return 0


def render(found: Comparison, *, width: int | None = None) -> str:
    """Return a comparison as text: a block a metric, a row a category, a column a model; width: of the terminal."""
    from pyimgano_industrial.evaluation.comparison import MEAN
    from pyimgano_industrial.evaluation.comparison_page import name, shown

    parts = []
    for metric in found.metrics:
        rows = [(name(metric), *(one.label for one in found.entries))]
        for category in (*found.categories, MEAN):
            place = found.places.get((metric, category))
            if place is None:
                continue
            cells = []
            for number, difference in zip(place.numbers, place.differences, strict=True):
                value = "-" if number is None else f"{number.value:.3f}"
                mark = " *" if difference is not None and difference.clear else ""
                cells.append(value if difference is None else f"{value}  {shown(difference)}{mark}")
            rows.append((category, *cells))
        parts.append("\n".join(aligned(rows, left=range(len(rows[0])), width=width)))
    if found.notes:
        parts.append("\n".join(folded(f"note: {one}", width=width) for one in found.notes))
    first = found.entries[0].label
    legend = f"Differences to {first}; [{100 * found.interval:g} % interval, the same images]; * leaves 0 out."
    parts.append(folded(legend, width=width))
    return "\n\n".join(parts)
