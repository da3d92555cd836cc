"""`submit` makes, checks and packs a submission, goes on where it ended, and names what fails."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile

import trees
from pyimgano_industrial.cli.main import main
from pyimgano_industrial.evaluation.submission import OBJECTS

MODEL = ("--model", "vision_pixel_mad_map")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ad2")
    for name in OBJECTS:
        trees.ad2(root, name)
        trees.images(root / name / "validation/good", ["000_regular.png", "001_regular.png"], value=30)
    return root


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(root, tmp_path / "ad2"))


def submit(root: Path, *arguments: object) -> int:
    return main(["submit", "--root", str(root), *map(str, arguments)])


def test_a_model_gives_a_packed_submission_that_holds_its_float32_order(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    assert submit(root, *MODEL, "--output", output, "--keep-maps") == 0
    shown = capsys.readouterr()
    assert f"48 files checked: no fault. Packed: {output / 'submission.tar.gz'}" in shown.out
    assert "mean_sigma), from 2 good images of the validation split" in shown.err
    before = np.load(output / "work/can/maps/test_private/000_regular.npy").ravel()
    after = tifffile.imread(output / "submission/anomaly_images/can/test_private/000_regular.tiff").ravel()
    assert (np.diff(after[np.argsort(before)]) >= 0).all()
    assert submit(root, "--check", output / "submission.tar.gz") == 0
    assert capsys.readouterr().out.splitlines()[-1] == "0 errors, 0 warnings"
    record = json.loads((output / "submission.json").read_text())
    assert record["model"]["name"] == "vision_pixel_mad_map"
    assert [one["images"] for one in record["objects"]] == [3] * 8


def test_a_run_goes_on_where_it_ended(root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = tmp_path / "out"
    assert submit(root, *MODEL, "--output", output, "--object", "can", "--object", "rice") == 0
    assert "Not packed: it needs all eight objects" in capsys.readouterr().out
    assert not (output / "work").exists()
    first = (output / "submission/anomaly_images/can/test_private/000_regular.tiff").stat().st_mtime_ns
    (output / "submission/anomaly_images/rice/test_private/000_regular.tiff").unlink()
    assert submit(root, *MODEL, "--output", output) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[0] for line in said] == ["kept", *["done"] * 7]
    assert (output / "submission/anomaly_images/can/test_private/000_regular.tiff").stat().st_mtime_ns == first
    archive = (output / "submission.tar.gz").read_bytes()
    assert submit(root, *MODEL, "--output", output) == 0
    assert (output / "submission.tar.gz").read_bytes() == archive
    assert submit(root, *MODEL, "--output", output, "--threshold", "can=1.5") == 0
    assert capsys.readouterr().err.count("done") == 1
    record = json.loads((output / "submission.json").read_text())
    logs = {one["object"]: one["changes"] for one in record["objects"]}
    first, last = logs["can"]
    assert (first["old"], first["method"], first["images"], last["method"]) == (None, "mean_sigma", 2, "stated")
    assert first["names"] == ["000_regular.png", "001_regular.png"]
    assert (last["old"], last["new"], last["level"]) == (first["new"], 1.5, "pixel")
    assert [len(log) for log in logs.values()] == [2, 1, 1, 1, 1, 1, 1, 1]


def test_a_damaged_image_is_named_and_the_others_are_written(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = copy / "can/test_private/001_regular.png"
    good = bad.read_bytes()
    bad.write_bytes(b"")
    output = tmp_path / "out"
    assert submit(copy, *MODEL, "--output", output, "--object", "can") == 1
    shown = capsys.readouterr()
    assert f"cannot read {bad}: the file is empty" in shown.err
    assert "Not packed: what failed is missing" in shown.out
    names = {path.name for path in (output / "submission/anomaly_images/can").rglob("*.tiff")}
    assert names == {"000_regular.tiff", "000_mixed.tiff"}
    bad.write_bytes(good)
    assert submit(copy, *MODEL, "--output", output, "--object", "can") == 0


def test_an_object_that_fails_leaves_the_others_alone(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(copy / "rice/test_private_mixed")
    assert submit(copy, *MODEL, "--output", tmp_path / "out") == 1
    shown = capsys.readouterr()
    assert "failed  rice: the test_private_mixed split of MVTec AD 2 must lie in" in shown.err
    assert shown.err.count("done ") == 7
    assert not (tmp_path / "out/submission.tar.gz").exists()


def test_maps_from_a_folder_are_packed_and_those_of_a_wrong_size_named(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    maps, output = tmp_path / "maps", tmp_path / "out"
    for path in root.rglob("test_private*/*.png"):
        file = (maps / path.relative_to(root)).with_suffix(".tiff")
        file.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(file, rng.normal(size=trees.SIZE).astype("f4"))
    assert submit(root, "--maps", maps, "--output", output) == 0
    assert "24 files checked" in capsys.readouterr().out
    assert not (output / "submission/anomaly_images_thresholded").exists()
    assert submit(root, "--maps", maps, "--output", output, "--threshold", "1", "--threshold", "can=2") == 0
    assert "48 files checked" in capsys.readouterr().out
    record = json.loads((output / "submission.json").read_text())
    assert [one["threshold"] for one in record["objects"]] == [2, *[1] * 7]
    tifffile.imwrite(maps / "can/test_private/000_regular.tiff", rng.normal(size=(5, 5)))
    assert submit(root, "--maps", maps, "--output", output) == 1
    assert "000_regular.tiff is (5, 5): write maps at the image's size" in capsys.readouterr().err


def test_a_check_lists_faults_as_text_and_as_json(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "s/anomaly_images/can/test_private"
    folder.mkdir(parents=True)
    (folder / "000_regular.tiff").write_bytes(b"x")
    assert submit(root, "--check", tmp_path / "s") == 1
    shown = capsys.readouterr().out
    assert "error: missing-folder (15)" in shown
    assert "  ... and 10 more; --all lists them" in shown
    assert shown.splitlines()[-1] == "17 errors, 0 warnings"
    assert submit(root, "--check", tmp_path / "s", "--json") == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["ok"], len(data["faults"])) == (False, 17)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "one of --model, --maps and --check is needed; got none"),
        (("--check", "x", "--maps", "y"), "got --check and --maps"),
        ((*MODEL,), "--output DIR says where the submission is written"),
        (("--check", "nowhere"), "there is no nowhere"),
        (("--maps", "nowhere", "--output", "out"), "--maps must be a folder that exists; got nowhere"),
        ((*MODEL, "--output", "out", "--object", "cans"), "did you mean 'can'?"),
        ((*MODEL, "--output", "out", "--threshold", "can=x"), "--threshold must be a number, or OBJECT=NUMBER"),
        ((*MODEL, *MODEL, "--output", "out"), "a submission is of one model"),
    ],
)
def test_wrong_arguments_are_told(
    arguments: tuple[str, ...],
    said: str,
    root: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert submit(root, *arguments) == 2
    assert said in capsys.readouterr().err
