"""The rendered job is made once, and never over somebody's own files."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.demo.job import Job, rendered_jobs


def test_what_was_rendered_is_used_again_and_what_was_interrupted_is_not(tmp_path: Path) -> None:
    said: list[str] = []
    for _ in range(2):
        jobs = rendered_jobs(tmp_path, small=True, say=said.append)
    (tmp_path / "mvtec_ad2/rendered.txt").write_text("unfinished", encoding="utf-8")
    rendered_jobs(tmp_path, small=True, say=said.append)

    verbs = ["earlier run" if "earlier run" in line else "rendered at 512 x 384" for line in said]
    again, anew = "earlier run", "rendered at 512 x 384"
    assert jobs == [Job(name, tmp_path / name, "tray") for name in ("mvtec_loco", "mvtec_ad2")]
    assert verbs == [anew, anew, again, again, again, anew]


def test_a_folder_that_the_demo_did_not_make_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mvtec_loco/tray/mine.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")

    for _ in range(2):
        with pytest.raises(IndustrialError, match="must be empty"):
            rendered_jobs(tmp_path, small=True, say=print)
    assert mine.read_bytes() == b"mine"
