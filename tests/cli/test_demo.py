"""`pyimgano-industrial demo`, run whole, as a user runs it."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pyimgano_industrial.cli.demo import folder_of
from pyimgano_industrial.core.images import read_rgb
from pyimgano_industrial.datasets.sample import Sample

slow = pytest.mark.slow


def demo(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pyimgano_industrial.cli.main", "demo", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=300)


@pytest.fixture(scope="module")
def output(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def done(output: Path) -> subprocess.CompletedProcess[str]:
    """A small demo, its numbers as JSON on stdout and its text on stderr."""
    finished = demo("--small", "--json", "--output", output)
    assert finished.returncode == 0, finished.stderr
    return finished


@pytest.fixture(scope="module")
def numbers(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(done.stdout)
    return parsed


@slow
def test_every_number_is_finite_and_the_detector_finds_something(numbers: dict[str, Any]) -> None:
    loco, ad2 = numbers["results"]

    for result in (loco, ad2):
        assert all(math.isfinite(value) for value in result["measured"].values())
        assert math.isfinite(result["threshold"])
    assert (loco["dataset"], ad2["dataset"]) == ("mvtec_loco", "mvtec_ad2")
    assert loco["measured"]["image_auroc"] > 0.8
    assert loco["measured"]["pixel_auroc"] > 0.9


@slow
def test_shifted_light_hurts_and_the_demo_says_so(
    numbers: dict[str, Any], done: subprocess.CompletedProcess[str]
) -> None:
    loco, ad2 = numbers["results"]
    strange = [kind for kind in ad2["decided"] if not kind["lit_as_fitted"]]

    assert ad2["measured"]["image_auroc"] < loco["measured"]["image_auroc"]
    assert {kind["kind"] for kind in strange} == {"overexposed", "underexposed", "shift_1", "shift_2"}
    assert all(kind["flagged"] == kind["good"] for kind in strange)
    assert "Under light that was not fitted" in done.stderr


@slow
def test_the_text_has_the_table_the_commands_and_the_next_step(done: subprocess.CompletedProcess[str]) -> None:
    text = done.stderr

    assert text.count("$ pyimgano benchmark --dataset mvtec_") == 2
    assert text.count("$ pyimgano infer --model vision_industrial_filter_bank") == 2
    assert "data set    category  fit  test  image AUROC  pixel AUROC  pixel AP  AU-PRO  seconds" in text
    assert text.splitlines()[-1].strip().startswith("pyimgano-industrial demo --root DIR")


@slow
def test_every_anomalous_test_image_and_a_normal_one_has_a_picture(numbers: dict[str, Any], output: Path) -> None:
    loco = [Path(path) for path in numbers["pictures"] if "mvtec_loco" in path]

    assert sum("anomalies" in path.name for path in loco) == 8
    assert sum("good" in path.name for path in loco) == 1
    assert all(read_rgb(path).shape[1] > 3 * 640 for path in loco)
    assert read_rgb(output / "overview.png").shape[1] == 2200


@slow
def test_no_map_is_left_behind(numbers: dict[str, Any], output: Path) -> None:
    assert numbers["pictures"]
    assert sorted(path.name for path in output.iterdir()) == [
        "data",
        "mvtec_ad2_tray.json",
        "mvtec_loco_tray.json",
        "overview.png",
        "pictures",
    ]


@slow
def test_your_own_images_go_the_same_way_and_nothing_is_rendered(
    done: subprocess.CompletedProcess[str], output: Path, tmp_path: Path
) -> None:
    assert done.returncode == 0
    root = output / "data" / "mvtec_loco"
    own = ["--root", root, "--dataset", "mvtec_loco", "--category", "tray"]
    finished = demo(*own, "--pictures", "3", "--output", tmp_path)

    assert finished.returncode == 0, finished.stderr
    assert "rendered" not in finished.stdout
    assert "not every test image was inferred (see --pictures)" in finished.stdout
    assert len(list((tmp_path / "pictures").rglob("*.png"))) == 3
    assert finished.stdout.splitlines()[-1].strip().startswith("pyimgano benchmark --dataset mvtec_loco --root")


@slow
def test_a_failing_host_command_fails_the_demo_with_its_last_lines(
    done: subprocess.CompletedProcess[str], output: Path, tmp_path: Path
) -> None:
    assert done.returncode == 0
    root = output / "data" / "mvtec_loco"
    own = ["--root", root, "--dataset", "mvtec_loco", "--category", "tray"]
    finished = demo(*own, "--model", "vision_nope", "--output", tmp_path)

    assert finished.returncode != 0
    assert "must succeed; it ended with exit code 1" in finished.stderr
    assert "Unknown model or model preset: 'vision_nope'" in finished.stderr


@slow
def test_a_single_picture_is_refused(tmp_path: Path) -> None:
    finished = demo("--small", "--pictures", "1", "--output", tmp_path)

    assert finished.returncode == 2
    assert "--pictures must be at least 2, a normal and an anomalous image; got 1" in finished.stderr
    assert not list(tmp_path.iterdir())


@slow
def test_half_a_data_set_is_refused(tmp_path: Path) -> None:
    finished = demo("--root", tmp_path, "--category", "tray")

    assert finished.returncode == 2
    assert "--root, --dataset and --category belong together; --dataset missing" in finished.stderr


def samples(folder: Path, *names: str) -> list[Sample]:
    return [Sample(folder / name, "c", "train", 0) for name in names]


def images(folder: Path, *names: str) -> None:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_bytes(name.encode())


def test_the_folder_of_the_images_is_used_where_it_holds_no_others(tmp_path: Path) -> None:
    images(tmp_path / "good", "a.png", "b.png")

    assert folder_of(samples(tmp_path / "good", "a.png", "b.png"), tmp_path / "spare") == tmp_path / "good"
    assert not (tmp_path / "spare").exists()


def test_images_among_others_are_linked_into_a_folder_of_their_own(tmp_path: Path) -> None:
    images(tmp_path / "train", "a.png", "b.png", "c.jpg")
    folder = folder_of(samples(tmp_path / "train", "c.jpg", "a.png"), tmp_path / "spare")

    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "000000.jpg": b"c.jpg",
        "000001.png": b"a.png",
    }
