"""Which images are shown, and the folder of links."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from pyimgano_industrial.demo.selection import choose, link_all, spread


@dataclass(frozen=True)
class Image:
    number: int
    label: int


def test_a_spread_holds_the_first_and_the_last() -> None:
    assert spread(range(9), 3) == [0, 4, 8]
    assert spread(range(2), 3) == [0, 1]


def test_a_selection_keeps_normal_and_anomalous_images() -> None:
    many = [Image(number, label) for label in (0, 1) for number in range(50)]

    assert [image.label for image in choose(many, 12)] == [0] * 3 + [1] * 9
    assert choose(many, 100) == many


def test_links_keep_order_and_suffix_and_cost_no_space(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    link_all([tmp_path / "b.png", tmp_path / "a.jpg"], tmp_path / "links")

    assert sorted(path.name for path in (tmp_path / "links").iterdir()) == ["000000.png", "000001.jpg"]
    assert (tmp_path / "links/000000.png").samefile(tmp_path / "b.png")


def test_where_links_do_not_work_files_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a.png").write_text("a", encoding="utf-8")
    link_all([tmp_path / "a.png"], tmp_path / "copies")

    assert (tmp_path / "copies/000000.png").read_text(encoding="utf-8") == "a"
