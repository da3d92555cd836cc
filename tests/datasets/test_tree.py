from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from pyimgano_industrial.core.errors import DatasetNotFoundError
from pyimgano_industrial.datasets.tree import image_files, loose, subfolder, subfolders, visible_files


def _touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def _names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in image_files(folder)]


def test_images_are_found_by_suffix_in_any_case_and_sorted_by_path(tmp_path: Path) -> None:
    _touch(tmp_path, "b.PNG", "a.jpg", "c/d.Tiff", "c.bmp", "notes.txt", "Z.webp", "c/e.jpeg", "none")
    assert _names(tmp_path) == ["Z.webp", "a.jpg", "b.PNG", "c/d.Tiff", "c/e.jpeg", "c.bmp"]


def test_hidden_files_and_folders_are_left_out(tmp_path: Path) -> None:
    _touch(tmp_path, "a.png", "._a.png", ".DS_Store", ".cache/b.png")
    assert _names(tmp_path) == ["a.png"]
    assert subfolders(tmp_path) == []


def test_symlinks_are_followed(tmp_path: Path) -> None:
    _touch(tmp_path / "store", "a.png", "more/b.png")
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "file.png").symlink_to(tmp_path / "store" / "a.png")
    (tmp_path / "set" / "folder").symlink_to(tmp_path / "store" / "more")
    assert _names(tmp_path / "set") == ["file.png", "folder/b.png"]


def test_a_circle_of_symlinks_ends(tmp_path: Path) -> None:
    _touch(tmp_path, "a.png", "below/b.png")
    (tmp_path / "below" / "up").symlink_to(tmp_path)
    assert _names(tmp_path) == ["a.png", "below/b.png"]


def test_a_broken_symlink_is_listed_so_that_reading_it_reports_it(tmp_path: Path) -> None:
    (tmp_path / "gone.png").symlink_to(tmp_path / "nowhere.png")
    assert [path.name for path in visible_files(tmp_path)] == ["gone.png"]


def test_a_folder_is_found_by_its_exact_name_before_another_case(tmp_path: Path) -> None:
    for name in ("Good", "TEST", "test"):
        (tmp_path / name).mkdir()
    assert subfolder(tmp_path, "test") == tmp_path / "test"
    assert subfolder(tmp_path, "ok", "good") == tmp_path / "Good"
    assert subfolder(tmp_path, "bad") is None
    assert subfolder(tmp_path / "missing", "bad") is None


def test_names_compare_without_case_and_with_accents_composed() -> None:
    assert loose(unicodedata.normalize("NFD", "GRÖSSE")) == loose("größe")


def test_a_folder_that_cannot_be_listed_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match=r"cannot read the folder .*missing: No such file"):
        subfolders(tmp_path / "missing")
