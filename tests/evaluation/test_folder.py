"""A run's folder: read back as it was written, whole or as before, and errors that name the file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyimgano_industrial.core.files import written
from pyimgano_industrial.evaluation.folder import RunFolder, RunFolderError, from_json
from pyimgano_industrial.evaluation.results import (
    Cell,
    Cost,
    Group,
    ImageRow,
    Mean,
    ModelSpec,
    Number,
    Preview,
    Row,
    Run,
    Scale,
    Settings,
)
from pyimgano_industrial.inference.calibrator import Calibrator

CELL = Cell(
    model="vision_padim",
    category="pushpins",
    state="done",
    fitted=3,
    test=2,
    metrics={"image_auroc": Number(0.75, low=0.5, high=1.0), "class_f1": Number(0.5, 0.0, None, None, 0.2, 0.5, 0.5)},
    gaps={"seg_f1": "no masks"},
    by_kind={"logical_anomalies": Group(1, 1, {"au_spro@0.05": Number(0.25, 1e-6)}), "x": Group(1, 0, gap="none")},
    threshold=Calibrator(method="conformal", target_fpr=0.25).fit([1.0, 2.0, 3.0, 4.0], images=["a", "b", "c", "d"]),
    notes=("from 4 images",),
    images=(
        ImageRow("pushpins/test/good/000.png", 0, 0.25, False, "good"),
        ImageRow("pushpins/test/x/é.png", 1, kind="x", defects=("pin",), error="broken"),
    ),
    scale=Scale(0.0, 2.0),
    previews=(Preview("pushpins/test/good/000.png", 0, 0.25, "best", "previews/0.png", map="previews/0_map.png"),),
    curves=("image_roc",),
    cost=Cost(1.0, 0.5, 2.0, 0.25, 300.0),
    versions={"numpy": "2.0"},
    fingerprint="abc",
)
SETTINGS = Settings(
    "mvtec_loco", "/data", "mvtec_loco", (0.3,), (0.05,), (), "mean_sigma", 0.05, 0.9, 3.0, 0.2, 100, 0.95, 0
)


def run_of(folder: RunFolder, *cells: Cell) -> Run:
    rows = tuple(folder.row(cell) for cell in cells)
    models = (ModelSpec("vision_padim", "vision_padim", {"k": [1, 2.5, None]}, tiling={"tile_size": 64}),)
    return Run(SETTINGS, models, tuple(cell.category for cell in cells), rows, ("--seed", "0"), "now")


def test_a_cell_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.save_cell(CELL)
    assert folder.load_cell(folder.row(CELL)) == CELL
    assert CELL.failures == (CELL.images[1],)


def test_a_run_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    run = run_of(folder, CELL)
    folder.save(run)
    assert folder.load() == run
    assert run.row("vision_padim", "pushpins").errors == 1
    with pytest.raises(KeyError):
        run.row("vision_padim", "can")


def test_curves_are_read_back_also_under_names_with_a_slash(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    curves = {"image_roc": np.array([[0.0, 0.0], [1.0, 1.0]]), "spro/logical_anomalies": np.zeros((3, 2))}
    folder.save_curves("m", "c", curves)
    row = Row("m", "c", "done", "cells/m/c")
    found = folder.load_curves(row)
    assert {name: one.tolist() for name, one in found.items()} == {name: one.tolist() for name, one in curves.items()}
    assert folder.load_curves(replace(row, folder="cells/m/other")) == {}


def test_a_mean_says_which_categories_it_lacks(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    other = replace(CELL, category="can", metrics={"image_auroc": Number(0.25)})
    means = run_of(folder, CELL, other).means("vision_padim")
    assert means["image_auroc"] == Mean(0.5, 2)
    assert means["class_f1"] == Mean(0.5, 1, ("can",))


def test_a_name_that_is_no_file_name_still_has_a_folder() -> None:
    assert RunFolder("run").cell_folder("a/b: c", "").as_posix() == "run/cells/a-b-c/all"


def test_a_write_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    path.write_text("before")
    with pytest.raises(FileNotFoundError), written(path) as spare:
        (spare.write_text("half"), (tmp_path / "missing").read_text())
    assert path.read_text() == "before"
    assert [one.name for one in tmp_path.iterdir()] == ["results.json"]


def test_numbers_that_are_not_finite_are_never_written(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        RunFolder(tmp_path).save_cell(replace(CELL, metrics={"image_auroc": Number(float("nan"))}))
    assert not (tmp_path / "cells/vision_padim/pushpins/result.json").exists()


def test_a_folder_without_a_run_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(
        RunFolderError, match=r"there is no .*results.json: pass the folder that `industrial evaluate --output` wrote"
    ):
        RunFolder(tmp_path).load()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "results.json").write_text('{"settings": ')
    with pytest.raises(RunFolderError, match=r"cannot read .*results.json"):
        RunFolder(tmp_path).load()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn off", b"no archive"])
def test_damaged_arrays_are_named(content: bytes, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    row = folder.row(CELL)
    (tmp_path / row.folder).mkdir(parents=True)
    for name, load in (("curves.npz", folder.load_curves), ("counts.npz", folder.load_counts)):
        (tmp_path / row.folder / name).write_bytes(content)
        with pytest.raises(RunFolderError, match=rf"cannot read .*{name}: .*--again"):
            load(row)


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.save(run_of(folder, CELL))
    data = json.loads(folder.results.read_text(encoding="utf-8"))
    folder.results.write_text(json.dumps({**data, "format": 2}))
    with pytest.raises(RunFolderError, match="must be of format 1; it is 2"):
        folder.load()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"value": 1, "bond": 2}, "Number has no entry 'bond'; did you mean 'bound'"),
        ({"value": "high"}, "Number.value must be a number; got 'high'"),
        ({}, "Number: .*missing 1 required positional argument: 'value'"),
        ([], r"Number must be an object; got \[\]"),
        ({"value": True}, "must be a number; got True"),
    ],
)
def test_data_that_does_not_fit_is_refused(data: object, message: str) -> None:
    with pytest.raises(RunFolderError, match=message):
        from_json(Number, data)
