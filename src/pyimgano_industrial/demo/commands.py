"""The host's own commands, run as a user would type them, and what they write, read back."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError

WITH_MAPS = "choose a model that `pyimgano benchmark --list-models --tags pixel_map` lists"

_LAST_LINES = 12
_SWITCH = "PYIMGANO_DISABLE_PLUGIN_AUTOLOAD"


class HostCommandError(IndustrialError):
    """A command of the host ended with an error."""


@dataclass(frozen=True)
class Measured:
    """What `pyimgano benchmark` reports; None where it has no number. seconds: of the whole command."""

    image_auroc: float | None
    pixel_auroc: float | None
    pixel_ap: float | None
    aupro: float | None
    seconds: float


@dataclass(frozen=True)
class Inferred:
    """What `pyimgano infer` says of one image. map_file: the saved map, (h, w) float32."""

    image: Path
    score: float
    map_file: Path

    def map(self) -> NDArray[np.float32]:
        """Read the anomaly map."""
        values: NDArray[np.float32] = np.load(self.map_file)
        return values


def benchmark_command(*, dataset: str, root: Path, category: str, model: str, pixel: bool, output: Path) -> list[str]:
    """Return the arguments of `pyimgano` that benchmark a category, with pixel metrics where it has masks."""
    named = ["--dataset", dataset, "--root", str(root), "--category", category, "--model", model]
    return ["benchmark", *named, "--pixel" if pixel else "--no-save-run", "--output", str(output)]


def infer_command(*, model: str, fit: Path, images: Sequence[Path], maps: Path) -> list[str]:
    """Return the arguments of `pyimgano` that fit on a folder and write a map and a score for each image."""
    inputs = [part for image in images for part in ("--input", str(image))]
    saving = ["--include-maps", "--save-maps", str(maps), "--save-jsonl", str(maps / "scores.jsonl")]
    # One image at a time: they may differ in size, and a batch of maps takes memory.
    return ["infer", "--model", model, "--train-dir", str(fit), *saving, "--batch-size", "1", *inputs]


def run_host(arguments: Sequence[str]) -> float:
    """Run `pyimgano` in a process of its own and return the seconds; raises HostCommandError with its last lines."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pyimgano", *arguments], capture_output=True, encoding="utf-8", errors="replace"
    )
    if done.returncode:
        said = "\n".join(f"  {line}" for line in (done.stderr or done.stdout).splitlines()[-_LAST_LINES:])
        off = f"\nThe plugins are switched off: unset {_SWITCH}." if os.environ.get(_SWITCH) else ""
        raise HostCommandError(
            f"`{shown(arguments)}` must succeed; it ended with exit code {done.returncode}, and its last lines are\n"
            f"{said or '  (nothing)'}{off}"
        )
    return time.perf_counter() - started


def shown(arguments: Sequence[str]) -> str:
    """Return a command as a user would type it, with the first of its inputs only."""
    inputs = [index for index, argument in enumerate(arguments) if argument == "--input"]
    if len(inputs) < 2:
        return shlex.join(["pyimgano", *arguments])
    return f"{shlex.join(['pyimgano', *arguments[: inputs[1]]])} ... ({len(inputs)} inputs)"


def read_benchmark(report: Path, *, seconds: float) -> Measured:
    """Read the report that `benchmark --output` wrote."""
    results = json.loads(report.read_text(encoding="utf-8"))["results"]
    pixel = results.get("pixel_metrics", {})
    return Measured(
        image_auroc=_number(results.get("auroc")),
        pixel_auroc=_number(pixel.get("pixel_auroc")),
        pixel_ap=_number(pixel.get("pixel_average_precision")),
        aupro=_number(pixel.get("aupro")),
        seconds=seconds,
    )


def read_inferred(maps: Path, images: Sequence[Path]) -> list[Inferred]:
    """Read what `infer` wrote for these images, in their order; raises HostCommandError where a map is missing."""
    records = [json.loads(line) for line in (maps / "scores.jsonl").read_text(encoding="utf-8").splitlines()]
    without = [record["input"] for record in records if not record.get("anomaly_map", {}).get("path")]
    if without or len(records) != len(images):
        raise HostCommandError(
            f"the model must give a map for every image; {len(without) or len(images) - len(records)} of {len(images)} "
            f"have none: {WITH_MAPS}"
        )
    return [
        Inferred(image, record["score"], Path(record["anomaly_map"]["path"]))
        for image, record in zip(images, records, strict=True)
    ]


def _number(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
