"""Runs side by side: differences are theirs minus the first's, with intervals from the same images drawn for both."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import trees
from evaluation.oracles import Open, Scripted, knowing, noise, plan
from evaluation.pages import Page, check_whole, seen
from metrics import reference
from pyimgano_industrial.cli.main import main
from pyimgano_industrial.evaluation.comparison import MEAN, Comparison, ComparisonError, compare
from pyimgano_industrial.evaluation.comparison_page import name as name_of
from pyimgano_industrial.evaluation.comparison_page import render
from pyimgano_industrial.evaluation.folder import RunFolder
from pyimgano_industrial.evaluation.redrawn import Images, auroc, measured
from pyimgano_industrial.evaluation.results import ModelSpec
from pyimgano_industrial.evaluation.run import evaluate
from pyimgano_industrial.metrics import AUPRO


def make(root: Path, spec: ModelSpec) -> Any:
    if spec.name == "knows":
        return knowing(Open("mvtec_ad", root)("bottle"))
    return Scripted(lambda image: noise(image) * 2) if spec.name == "twice" else Scripted()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs on two categories: noise and the same noise doubled; a detector that knows one category."""
    folder = tmp_path_factory.mktemp("comparison")
    for name in ("bottle", "cable"):
        trees.mvtec(folder / "data", name)
        more = [f"{number:03}.png" for number in range(2, 12)]
        trees.images(folder / "data" / name / "test/good", more, value=100 if name == "bottle" else 130)
        trees.images(folder / "data" / name / "test/crack", more, value=160 if name == "bottle" else 190)
        for one in more:
            trees.mask(folder / "data" / name / f"ground_truth/crack/{one[:3]}_mask.png", marked=5)
    models = (ModelSpec("noise", "noise"), ModelSpec("twice", "twice"))
    both = partial(plan, "mvtec_ad", folder / "data", make=partial(make, folder / "data"))
    evaluate(both(output=folder / "a", models=models))
    evaluate(both(output=folder / "b", models=(ModelSpec("knows", "knows"),)))
    return folder


@pytest.fixture(scope="module")
def found(runs: Path) -> Comparison:
    return compare([runs / "a", runs / "b"], draws=400)


@pytest.fixture(scope="module")
def loco(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """Noise and a detector that knows, on logical and structural anomalies."""
    root = tmp_path_factory.mktemp("loco")
    trees.loco(root / "data")
    folder = root / "data/pushpins"
    more = [f"{number:03}.png" for number in range(1, 9)]
    trees.images(folder / "test/good", more, value=100)
    for kind, value in (("logical_anomalies", 120), ("structural_anomalies", 140)):
        trees.images(folder / "test" / kind, more, value=value)
        for one in more:
            trees.mask(folder / "ground_truth" / kind / one[:3] / "000.png", marked=5, value=250)

    def make(spec: ModelSpec) -> Scripted:
        return knowing(Open("mvtec_loco", root / "data")("pushpins")) if spec.name == "knows" else Scripted()

    models = (ModelSpec("noise", "noise"), ModelSpec("knows", "knows"))
    evaluate(plan("mvtec_loco", root / "data", root / "run", make=make, models=models))
    return compare([root / "run"], metrics=["au_spro@0.05", "aupro@0.3", "pixel_ap", "seg_f1_best"], draws=100)


def test_every_model_of_every_run_is_an_entry_and_differences_are_to_the_first(found: Comparison) -> None:
    assert [one.label for one in found.entries] == ["noise", "twice", "knows"]
    for (metric, category), place in found.places.items():
        for number, difference in zip(place.numbers[1:], place.differences[1:], strict=True):
            if category != MEAN:
                assert difference.value == pytest.approx(number.value - place.numbers[0].value)
        assert place.differences[0] is None
        assert metric in found.metrics


def test_the_same_ranking_is_no_difference_and_a_perfect_one_is_a_clear_one(found: Comparison) -> None:
    _, twice, knows = found.places["image_auroc", "bottle"].differences
    assert (twice.value, twice.low, twice.high, twice.better, twice.clear) == (0, 0, 0, 0.5, False)
    assert knows.paired == 24
    assert knows.clear
    assert knows.low < knows.value < knows.high
    assert knows.better > 0.99
    assert not found.places["image_auroc", "cable"].differences[2].clear
    assert found.best("image_auroc", "bottle") == (2,)


def test_the_interval_is_that_of_a_slow_paired_bootstrap(runs: Path, found: Comparison) -> None:
    cells = [RunFolder(runs / one).load_cell(RunFolder(runs / one).load().rows[0]) for one in ("a", "b")]
    rows = [{row.file: row for row in cell.images} for cell in cells]
    names = sorted(rows[0])
    labels = np.array([rows[0][name].label == 1 for name in names])
    scores = [np.array([row[name].score for name in names]) for row in rows]
    rng = np.random.default_rng(1)
    drawn = []
    for _ in range(2000):
        chosen = rng.integers(0, len(names), len(names))
        if 0 < labels[chosen].sum() < len(names):
            first, other = (reference.auroc(one[chosen], labels[chosen]) for one in scores)
            drawn.append(other - first)
    difference = found.places["image_auroc", "bottle"].differences[2]
    assert [difference.low, difference.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.05)


@pytest.mark.parametrize("protocol", ["generic", "mvtec_loco"])
def test_metrics_from_the_images_of_a_cell_are_those_that_the_cell_states(
    protocol: str, found: Comparison, loco: Comparison
) -> None:
    one = loco if protocol == "mvtec_loco" else found
    seen = set()
    for (label, category), cell in one.cells.items():
        entry = next(entry for entry in one.entries if entry.label == label)
        images = Images(cell, entry.folder.load_counts(entry.row(category)))
        files = [row.file for row in cell.images]
        for name, number in cell.metrics.items():
            value = measured(name, images, files, np.ones((1, len(files))))[0]
            exact = 1e-9 if name.startswith(("image", "class")) or name == "seg_f1" else 2e-3
            assert value == pytest.approx(number.value, abs=exact), (label, category, name)
            seen.add(name.partition("@")[0])
    assert seen >= {"image_auroc", "image_ap", "class_f1", "class_f1_best", "aupro", "pixel_auroc", "pixel_ap"}
    assert seen >= {"seg_f1", "seg_f1_best"}
    assert ("au_spro" in seen) == ("image_auroc_mean" in seen) == (protocol == "mvtec_loco")


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 3)), min_size=1, max_size=30))
def test_a_weighted_auroc_is_that_of_repeated_images(images: list[tuple[int, bool, int]]) -> None:
    scores, labels, times = (np.array(column) for column in zip(*images, strict=True))
    value = auroc(scores.astype(float), labels, times[None].astype(float))[0]
    repeated = np.repeat(scores, times), np.repeat(labels, times)
    if repeated[1].sum() in (0, repeated[1].size):
        assert np.isnan(value)
    else:
        assert value == pytest.approx(reference.auroc(repeated[0].astype(float), repeated[1]))


def test_metrics_of_pixels_have_paired_intervals(found: Comparison, loco: Comparison) -> None:
    _, twice, knows = found.places["aupro@0.3", "bottle"].differences
    assert (twice.paired, knows.paired, knows.clear) == (24, 24, True)
    assert twice.low == pytest.approx(0, abs=1e-3)  # the same map doubled ranks alike
    assert twice.high == pytest.approx(0, abs=1e-3)
    assert knows.low < knows.value < knows.high
    for place in loco.places.values():
        assert [one.reason for one in place.differences[1:]] == [None]
        assert all(one.low <= one.value <= one.high for one in place.differences[1:])


def test_the_interval_of_pixels_is_that_of_whole_maps_drawn_again(runs: Path, found: Comparison) -> None:
    data = Open("mvtec_ad", runs / "data")("bottle")
    samples = data.samples("test")
    masks = [data.mask(sample) if sample.masks else None for sample in samples]
    images = [data.image(sample) for sample in samples]
    maps = [one.score_and_map(images)[1] for one in (Scripted(), knowing(data))]
    rng, drawn = np.random.default_rng(3), []
    for _ in range(60):
        chosen = rng.integers(0, len(samples), len(samples))
        values = []
        for one in maps:
            metric = AUPRO(limit=0.3)
            for index in chosen:
                metric.update(one[index], masks[index])
            values.append(metric.compute().value)
        drawn.append(values[1] - values[0])
    difference = found.places["aupro@0.3", "bottle"].differences[2]
    assert [difference.low, difference.high] == pytest.approx(np.quantile(drawn, [0.025, 0.975]).tolist(), abs=0.05)


def test_a_run_without_counts_has_no_intervals_of_pixels_and_says_so(runs: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(runs / "b", tmp_path / "c"))
    for path in copy.rglob("counts.npz"):
        path.unlink()
    difference = compare([runs / "b", copy], draws=10).places["aupro@0.3", "bottle"].differences[1]
    assert (difference.value, difference.low) == (0, None)
    assert "evaluate it again" in difference.reason
    (copy / RunFolder(copy).load().rows[0].folder / "counts.npz").write_bytes(b"")
    found = compare([runs / "b", copy], draws=10)
    assert any("counts.npz" in note for note in found.notes)
    assert found.places["image_auroc", "bottle"].differences[1].low is not None


def test_runs_that_differ_are_compared_with_a_note(runs: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(runs / "b", tmp_path / "c"))
    folder = RunFolder(copy)
    run = folder.load()
    folder.save(replace(run, settings=replace(run.settings, seed=7)))
    cell = folder.load_cell(run.rows[0])
    folder.save_cell(replace(cell, images=cell.images[1:]))
    (copy / run.rows[1].folder / "result.json").unlink()
    found = compare([runs / "b", copy], draws=10)
    assert [one.label for one in found.entries] == ["b knows", "c knows"]
    assert "seed is 7 in c knows, 0 in b knows" in found.notes
    assert any(note.startswith("c knows cable: there is no") for note in found.notes)
    reasons = [found.places["image_auroc", name].differences[1].reason for name in ("bottle", "cable")]
    assert reasons == [
        "the runs did not score the same images: 23 of 24 and 23 are", "a run's files are not there",
    ]  # fmt: skip
    mean = found.places["image_auroc", MEAN].differences[1]
    assert (mean.value, mean.low) == (0, None)


def test_the_command_prints_text_json_and_a_page(
    runs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["compare", str(runs / "a"), str(runs / "b"), "--draws", "100"]
    assert main([*arguments, "--output", str(tmp_path / "compare.html")]) == 0
    text = capsys.readouterr().out
    assert text.split()[:2] == ["image", "AUROC"]
    assert " *" in text
    assert "Differences to noise; [95 % interval, the same images]; * leaves 0 out." in text
    page = Page((tmp_path / "compare.html").read_text(encoding="utf-8"))
    check_whole(page)
    assert [row[0] for row in page.tables[0]] == ["model", "noise", "twice", "knows"]
    assert len([one for one in page.all("svg") if one.get("class") == "chart"]) == 6
    assert "▲" in page.words()
    assert main([*arguments, "--json", "--metric", "image_auroc"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert list(data["metrics"]) == ["image_auroc"]
    assert list(data["metrics"]["image_auroc"]) == ["bottle", "cable", "mean"]


def test_chromium_shows_the_page(found: Comparison, tmp_path: Path) -> None:
    (tmp_path / "compare.html").write_text(render(found), encoding="utf-8")
    shown = seen(tmp_path / "compare.html", tmp_path)
    assert len(shown["tables"]) == 1 + len(found.metrics)
    assert all(across > 250 and up > 150 for across, up in shown["charts"])
    assert shown["wide"] <= 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["b"], "a comparison needs two models"),
        (["a", "nowhere"], "there is no"),
        (["a", "--metric", "auroc"], "no run has a metric 'auroc'; they have"),
        (["a", "--draws", "0"], "--draws must be 1 or more; got 0"),
    ],
)
def test_what_cannot_be_compared_is_told(
    arguments: list[str], said: str, runs: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(runs)
    assert main(["compare", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_runs_without_a_category_that_is_done_are_told(runs: Path, tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    run = RunFolder(runs / "a").load()
    folder.save(replace(run, rows=tuple(replace(one, state="waiting", metrics={}) for one in run.rows)))
    with pytest.raises(ComparisonError, match="no run has one"):
        compare([tmp_path])


def test_the_page_has_the_spro_curve_of_each_kind(loco: Comparison) -> None:
    page = render(loco)
    for kind in ("logical_anomalies", "structural_anomalies"):
        assert f"<figcaption>sPRO, {kind}</figcaption>" in page
    assert [name_of(one) for one in ("image_auroc", "image_auroc_mean")] == ["image AUROC", "mean image AUROC"]
