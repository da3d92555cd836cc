"""The report of a run is one file that shows every number, every gap, curves, histograms and pictures."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trees
from evaluation.oracles import Open, ScoresOnly, Scripted, knowing, plan
from evaluation.pages import Page, check_whole, seen
from pyimgano_industrial.cli.main import main
from pyimgano_industrial.evaluation.charts import Bar, Line, bars, curves, histogram
from pyimgano_industrial.evaluation.folder import RunFolder
from pyimgano_industrial.evaluation.report import write_report
from pyimgano_industrial.evaluation.results import ModelSpec
from pyimgano_industrial.evaluation.run import evaluate

MODELS = (ModelSpec("knows", "knows"), ModelSpec("noise <&>", "noise"), ModelSpec("no maps", "scores"))


def make(root: Path, spec: ModelSpec) -> Any:
    return {"knows": lambda: knowing(Open("mvtec_ad2", root)("can")), "noise": Scripted, "scores": ScoresOnly}[
        spec.name
    ]()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three models on two objects under two lightings, of which one object has a damaged training image."""
    folder = tmp_path_factory.mktemp("report")
    root = folder / "data"
    for name in ("can", "rice"):
        trees.ad2(root, name)
        trees.images(root / name / "test_public/good", ["002_regular.png", "003_overexposed.png"], value=45)
        trees.image(root / name / "test_public/bad/001_regular.png", 65)
        trees.mask(root / name / "test_public/ground_truth/bad/001_regular_mask.png", marked=9)
        trees.images(root / name / "validation/good", ["001_regular.png", "002_regular.png"], value=35)
    (root / "rice/test_public/good/000_regular.png").write_bytes(b"")
    output = folder / "run"
    evaluate(plan("mvtec_ad2", root, output, make=partial(make, root), models=MODELS, categories=("can", "rice")))
    write_report(output)
    return output


@pytest.fixture(scope="module")
def page(run: Path) -> Page:
    return Page((run / "report.html").read_text(encoding="utf-8"))


def test_the_page_needs_nothing_but_itself_and_is_for_all_readers(page: Page) -> None:
    check_whole(page)
    assert "Content-Security-Policy" in page.text
    assert "prefers-color-scheme:dark" in page.text


def test_every_number_of_the_run_is_in_the_table(run: Path, page: Page) -> None:
    found = RunFolder(run).load()
    table = page.tables[0]
    assert table[0][:3] == ["category", "AU-PRO 0.05", "AU-PRO 0.3"]
    rows = [row for row in table[1:] if len(row) > 1]
    assert [row[0] for row in rows] == ["can", "rice", "mean"] * 3
    place = iter(row for row in rows if row[0] != "mean")
    for one in found.rows:
        shown = next(place)
        for name, text in zip(
            ("aupro@0.05", "aupro@0.3", "seg_f1", "class_f1", "image_auroc"), shown[1:], strict=False
        ):
            number = one.metrics.get(name)
            if number is None:
                assert text == "-"
                assert one.gaps[name]
            else:
                assert text.startswith(f"{number.value:.3f}")
                assert number.low is None or f"[{number.low:.3f}, {number.high:.3f}]" in text
    assert rows[2][1] == f"{found.means('knows')['aupro@0.05'].value:.3f}"


def test_what_is_missing_is_told_with_its_reason(page: Page) -> None:
    words = page.words()
    assert "rice · knows : 1 of 6 test images failed and count in no number" in words
    assert "rice/test_public/good/000_regular.png cannot read" in words
    assert (
        "can · no maps : no pixel threshold, pixel AUROC, pixel AP, SegF1, AU-PRO 0.3, AU-PRO 0.05. the model" in words
    )
    assert "noise <&>" in words


def test_each_cell_has_its_curves_histogram_breakdowns_and_pictures(page: Page) -> None:
    labels = [one["aria-label"] for one in page.all("svg") if one.get("class") == "chart"]
    assert len([label for label in labels if label.startswith("ROC")]) == 6
    assert len([label for label in labels if label.startswith("PRO curve")]) == 4
    assert "Image scores: scores of 4 normal and 2 anomalous images, threshold" in " ".join(labels)
    captions = page.words()
    assert captions.count("By lighting") == 6
    assert captions.count("By size of the defects") == 4
    alts = [one["alt"] for one in page.all("img")]
    assert sum(alt.startswith("annotated defects of can/test_public/bad/000_overexposed.png") for alt in alts) == 3
    assert sum(alt.startswith("anomaly map of can/") for alt in alts) == 12
    assert sum(alt.startswith("contour of the") for alt in alts) > 0
    assert sum(alt.startswith("colour scale from") for alt in alts) == 4


def test_chromium_shows_pictures_tables_and_charts(run: Path, page: Page, tmp_path: Path) -> None:
    for number, width in enumerate((1280, 420)):
        folder = tmp_path / f"{number}"
        folder.mkdir()
        found = seen(run / "report.html", folder, width=width, dark=number == 1)
        assert len(found["images"]) == len(page.all("img"))
        assert all(natural > 0 and across > 50 and up > 3 for natural, across, up in found["images"])
        assert [rows for rows, *_ in found["tables"]] == [len(table) for table in page.tables]
        assert all(across > 200 and up > 40 for _, across, up in found["tables"])
        assert all(across > 250 and up > 80 for across, up in found["charts"])
        assert found["wide"] <= 0  # nothing sticks out of the window
        assert (found["background"] == "rgb(255, 255, 255)") == (number == 0)


def test_a_run_that_is_not_finished_or_damaged_is_shown_as_far_as_it_is(run: Path, tmp_path: Path) -> None:
    import shutil

    copy = Path(shutil.copytree(run, tmp_path / "run"))
    folder = RunFolder(copy)
    found = folder.load()
    waiting = replace(found.rows[1], state="waiting", metrics={}, gaps={})
    failed = replace(found.rows[2], state="failed", reason="the model <broke>", metrics={}, gaps={})
    folder.save(replace(found, rows=(found.rows[0], waiting, failed, *found.rows[3:]), finished=None))
    (copy / found.rows[3].folder / "result.json").write_text("{")
    next((copy / found.rows[0].folder / "previews").glob("*_image.png")).write_bytes(b"")
    curves = copy / found.rows[0].folder / "curves.npz"
    curves.write_bytes(curves.read_bytes()[:100])
    page = Page(write_report(copy, tmp_path / "r.html").read_text(encoding="utf-8"))
    check_whole(page)
    words = page.words()
    assert "curves.npz" in words
    assert "The run is not finished" in words
    assert "waiting . not run yet" in words
    assert "failed . the model <broke>" in words
    assert "result.json" in words
    assert "the file is empty" in words


def test_the_command_writes_the_page_again(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", str(run), "--output", str(tmp_path / "r.html")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "r.html")
    assert (tmp_path / "r.html").read_bytes() == (run / "report.html").read_bytes()
    assert main(["report", str(tmp_path / "nowhere")]) == 2
    assert "there is no" in capsys.readouterr().err


def test_each_breakdown_has_bars_with_intervals_beside_its_table(run: Path, page: Page) -> None:
    labels = [one["aria-label"] for one in page.all("svg") if one.get("class") == "chart"]
    assert len([label for label in labels if label.startswith("AU-PRO 0.05 by lighting: AU-PRO 0.05: ")]) == 4
    assert len([label for label in labels if label.startswith("AU-PRO 0.05 by size of the defects")]) == 4
    assert len([label for label in labels if label.startswith("image AUROC by lighting: ")]) == 2  # it has no maps
    found = RunFolder(run)
    cell = found.load_cell(found.load().rows[0])
    (lighting, number), *_ = ((key, one.metrics["aupro@0.05"]) for key, one in cell.by_lighting.items() if one.metrics)
    assert any(f"{lighting} {number.value:.3f}" in label for label in labels)


def test_a_bar_is_as_long_as_its_value_and_a_gap_is_no_bar() -> None:
    chart = bars([Bar("half", 0.5, 0.25, 0.75), Bar("a <long> name that goes on", None)], title="t", x_label="x")
    assert chart.count('class="bar group"') == 1
    assert "not measured" in chart
    assert "a &lt;long&gt; name that …" in chart
    width = float(chart.partition('class="bar group"')[2].partition('width="')[2].partition('"')[0])
    assert width == pytest.approx((368 - 16 - 140) / 2, abs=0.1)
    line = chart.partition('class="whisker" d="M')[2].partition('"')[0]
    left, right = float(line.partition(" ")[0]), float(line.partition("H")[2].partition("M")[0])
    assert right - left == pytest.approx((368 - 16 - 140) / 2, abs=0.15)


def test_a_curve_ends_at_the_limit_where_it_is_interpolated() -> None:
    points = np.array([[0.0, 0.0], [0.2, 0.5], [1.0, 1.0]])
    chart = curves([Line("a", points, 1)], title="t", x_label="x", y_label="y", x_max=0.6)
    line = chart.partition('class="line s1" d="M')[2].partition('"')[0]
    places = [tuple(map(float, pair.split())) for pair in line.split("L")]
    bottom, top = (float(line) for line in (places[0][1], 12.0))
    height = (bottom - places[-1][1]) / (bottom - top)
    assert height == pytest.approx(0.75, abs=0.005)
    assert places[-1][0] == pytest.approx(368 - 16)


@pytest.mark.parametrize("scores", [[1.0], [0.5, 0.5, 0.5], [0.0, 1e9], [-1e-9, 1e-9], list(range(100))])
def test_a_histogram_counts_every_image_once(scores: list[float]) -> None:
    chart = histogram(scores, scores, title="t", threshold=scores[0])
    counted = [
        int(part.partition(" ")[0]) for part in chart.split("<title>")[2:] if " normal" in part.partition(",")[0]
    ]
    assert sum(counted) == len(scores)
    assert "nan" not in chart
