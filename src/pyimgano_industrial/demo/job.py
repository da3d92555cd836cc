"""The rendered job: made once, kept for the next run."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pyimgano_industrial import __version__
from pyimgano_industrial.core.progress import TerminalProgress
from pyimgano_industrial.demo import layouts
from pyimgano_industrial.demo.scene import HEIGHT


@dataclass(frozen=True)
class Job:
    """What is inspected: the name of a data set row, its root folder, and the category in it."""

    dataset: str
    root: Path
    category: str


def rendered_jobs(data: Path, *, small: bool, say: Callable[[str], None]) -> list[Job]:
    """Render both layouts below `data`, unless an earlier run with the same settings has finished them.

    Raises IndustrialError where `data` holds a tray that is not from here.
    """
    height = HEIGHT // 4 if small else HEIGHT
    jobs = []
    for dataset, write, counts in (
        ("mvtec_loco", layouts.write_loco, layouts.LOCO_SMALL if small else layouts.LOCO_COUNTS),
        ("mvtec_ad2", layouts.write_ad2, layouts.AD2_SMALL if small else layouts.AD2_COUNTS),
    ):
        root = data / dataset
        done, wanted = root / "rendered.txt", f"{__version__} {height} {counts}"
        jobs.append(Job(dataset, root, layouts.CATEGORY))
        if done.exists() and done.read_text(encoding="utf-8") == wanted:
            say(f"{root}: rendered by an earlier run")
            continue
        if done.exists():  # only then is the folder ours to remove
            shutil.rmtree(root / layouts.CATEGORY, ignore_errors=True)
        layouts.empty_folder(root).mkdir(parents=True, exist_ok=True)
        done.write_text("unfinished", encoding="utf-8")
        started = time.perf_counter()
        with TerminalProgress(f"{root}: rendering") as progress:
            number = write(root, counts=counts, height=height, progress=progress)
        done.write_text(wanted, encoding="utf-8")
        size = f"{height * 4 // 3} x {height}"
        say(f"{root}: {number} trays rendered at {size} in {time.perf_counter() - started:.1f} s")
    return jobs
