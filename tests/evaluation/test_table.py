"""The table of a run: headline numbers, means that say what they lack, gaps with their reasons."""

from __future__ import annotations

from pathlib import Path

import trees
from evaluation.oracles import ScoresOnly, Scripted, plan
from pyimgano_industrial.evaluation.folder import RunFolder
from pyimgano_industrial.evaluation.results import ModelSpec
from pyimgano_industrial.evaluation.run import evaluate
from pyimgano_industrial.evaluation.table import render


def test_gaps_are_numbered_and_explained_and_means_count_what_they_have(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data", "bottle")
    folder = trees.mvtec(tmp_path / "data", "cable")
    for mask in (folder / "ground_truth/crack").iterdir():
        mask.unlink()
    (trees.mvtec(tmp_path / "data", "nut") / "train/good/000.png").unlink()
    for name in ("001.png", "002.png"):
        (tmp_path / "data/nut/train/good" / name).unlink()

    def make(spec: ModelSpec) -> object:
        return ScoresOnly() if spec.label == "no maps" else Scripted()

    models = (ModelSpec("maps", "m"), ModelSpec("no maps", "m"))
    run = evaluate(plan("mvtec_ad", tmp_path / "data", tmp_path / "run", make=make, models=models))
    cells = [RunFolder(tmp_path / "run").load_cell(row) for row in run.rows]
    text = render(run, cells)
    lines = text.splitlines()
    row = {tuple(line.split()[:2]): line for line in lines[1:9]}
    bottle = run.row("maps", "bottle").metrics
    assert f"{bottle['image_auroc'].value:.3f}" in row["maps", "bottle"]
    assert f"{bottle['seg_f1'].value:.3f} ({bottle['seg_f1_best'].value:.3f})" in row["maps", "bottle"]
    assert row["maps", "cable"].count("(1)") == 5  # AU-PRO twice, pixel AUROC and AP, SegF1
    assert "(1) the data set ships no masks for this category" in text
    assert row["maps", "nut"].count("(2)") == 7  # all of them
    assert "(2) the train split of MVTec AD must have an image" in text
    assert "0." in row["maps", "mean"]
    assert " of 2" in row["maps", "mean"]
    assert " of 1" in row["maps", "mean"]
    assert any(line.endswith("the model gives no maps") for line in lines)
    assert "thresholds rest on 1 of 3 training images, not fitted on" in text


def test_a_terminal_of_80_columns_shows_every_number_in_lines_that_fit(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data")
    models = (ModelSpec("vision_industrial_filter_bank", "m"), ModelSpec("other", "m"))
    run = evaluate(plan("mvtec_ad", tmp_path / "data", tmp_path / "run", models=models))
    cells = [RunFolder(tmp_path / "run").load_cell(row) for row in run.rows]
    wide, narrow = render(run, cells), render(run, cells, width=80)
    assert max(map(len, wide.splitlines())) > 100
    assert max(map(len, narrow.splitlines())) <= 80
    blocks = narrow.partition("\nimage AUROC, 95")[0].strip().split("\n\n")
    assert len(blocks) > 1
    for number, row in enumerate(run.rows):
        (whole,) = (
            line.split() for line in wide.partition("intervals")[0].splitlines() if line.startswith(f"{row.model} ")
        )
        lines = [block.splitlines()[1 + 2 * number : 3 + 2 * number] for block in blocks]
        assert {line[0] for line in lines} == {row.model}
        assert whole == [row.model, row.category, *(word for line in lines for word in line[1].split()[1:])]


def test_intervals_are_shown_where_they_were_asked_for(tmp_path: Path) -> None:
    trees.mvtec(tmp_path / "data")
    asked = evaluate(plan("mvtec_ad", tmp_path / "data", tmp_path / "a"))
    number = asked.rows[0].metrics["image_auroc"]
    assert f"[{number.low:.3f}, {number.high:.3f}]" in render(asked)
    assert "intervals" not in render(evaluate(plan("mvtec_ad", tmp_path / "data", tmp_path / "b", bootstrap=0)))
