"""A submission is checked file by file against the data set on disk, and packed the same way every time."""

from __future__ import annotations

import gzip
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

import trees
from evaluation.oracles import Scripted
from pyimgano_industrial.core.progress import Progress
from pyimgano_industrial.datasets import MVTecAD2
from pyimgano_industrial.evaluation.archive import ArchiveError, members, pack
from pyimgano_industrial.evaluation.results import ModelSpec
from pyimgano_industrial.evaluation.submission import OBJECTS, SubmissionError, wanted, write_object
from pyimgano_industrial.evaluation.submission_check import check
from pyimgano_industrial.evaluation.submission_maps import given_maps, model_maps
from pyimgano_industrial.inference import Calibrator

FIRST = "anomaly_images/can/test_private/000_regular.tiff"
MASK = FIRST.replace("anomaly_images", "anomaly_images_thresholded").replace(".tiff", ".png")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight objects of different sizes and numbers of images."""
    root = tmp_path_factory.mktemp("ad2")
    for number, name in enumerate(OBJECTS):
        trees.ad2(root, name)
        trees.images(root / name / "test_private", [f"{n:03}_regular.png" for n in range(2 + number % 2)], 70)
        for path in (root / name / "test_private_mixed").iterdir():
            trees.image(path, 80 + number, (8, 12 + number))
    return root


@pytest.fixture(scope="module")
def whole(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    rng = np.random.default_rng(0)
    for name in OBJECTS:
        images = wanted(root, name)
        files = {}
        for one in images:
            files[one.key] = folder / "maps" / f"{one.key}.npy"
            files[one.key].parent.mkdir(parents=True, exist_ok=True)
            np.save(files[one.key], rng.normal(size=Image.open(one.image).size[::-1]))
        write_object(images, files, folder / "submission", threshold=1.0)
    return folder / "submission"


@pytest.fixture
def folder(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "submission"))


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_a_whole_submission_has_no_fault_as_folder_and_as_archive(root: Path, whole: Path, tmp_path: Path) -> None:
    report = check(whole, root)
    assert report.faults == ()
    assert report.thresholded
    assert [(one.split, one.wanted, one.maps, one.masks) for one in report.counts if one.object == "fabric"] == [
        ("test_private", 3, 3, 3),
        ("test_private_mixed", 1, 1, 1),
    ]
    pack(whole, names(whole), tmp_path / "s.tar.gz")
    assert check(tmp_path / "s.tar.gz", root).faults == ()


def test_maps_and_thresholded_images_say_the_same(root: Path, tmp_path: Path) -> None:
    images = wanted(root, "can")
    for factor in (1.0, 1e6, 1e-6):
        files = {one.key: tmp_path / f"{number}.npy" for number, one in enumerate(images)}
        for number, path in enumerate(files.values()):
            np.save(path, factor * (1 + number + GOOD))
        written = write_object(images, files, tmp_path, threshold=1.5 * factor)
        for one in images:
            mask = np.asarray(Image.open(tmp_path / one.mask))
            assert set(np.unique(mask)) == {0, 255}
            assert ((np.load(files[one.key]) > 1.5 * factor) == (mask == 255)).all()
            assert ((tifffile.imread(tmp_path / one.map) > written.half_threshold) == (mask == 255)).all()


def test_the_thresholded_images_may_be_left_out_as_a_whole_only(root: Path, folder: Path) -> None:
    (folder / MASK).unlink()
    assert [fault.rule for fault in check(folder, root).faults] == ["missing-file"]
    shutil.rmtree(folder / "anomaly_images_thresholded")
    report = check(folder, root)
    assert (report.ok, report.thresholded) == (True, False)


def _tiff(pixels: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: tifffile.imwrite(folder / FIRST, pixels)


def _png(pixels: np.ndarray) -> Callable[[Path], None]:
    return lambda folder: Image.fromarray(pixels).save(folder / MASK)


def _stray(name: str) -> Callable[[Path], None]:
    def put(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")

    return put


GOOD = np.random.default_rng(1).normal(size=(8, 12))
FAULTS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "float32": (_tiff(GOOD.astype("f4")), "type", "must be float16; it is float32"),
    "wrong size": (_tiff(GOOD.T.astype("f2")), "size", "size 12 x 8; it is 8 x 12"),
    "NaN": (_tiff(np.where(GOOD > 2, np.nan, GOOD).astype("f2") * np.nan), "values", "96 pixels are not (NaN)"),
    "infinity": (_tiff(np.full((8, 12), np.inf, "f2")), "values", "(infinity)"),
    "constant": (_tiff(np.full((8, 12), 0.5, "f2")), "constant", "all are 0.5"),
    "colour map": (_tiff(np.stack([GOOD] * 3).astype("f2")), "shape", "must be 2-D; it has shape (3, 8, 12)"),
    "empty": (lambda folder: (folder / FIRST).write_bytes(b""), "unreadable", "is empty"),
    "text": (lambda folder: (folder / FIRST).write_bytes(b"text"), "unreadable", "no TIFF"),
    "0 and 1": (_png((GOOD > 0).astype(np.uint8)), "values", "0 and 255 only; it holds 1"),
    "one bit": (_png(GOOD > 0), "values", "0 and 255 only; it holds 1"),
    "colour mask": (_png(np.zeros((8, 12, 3), np.uint8)), "shape", "(8, 12, 3)"),
    "16-bit mask": (_png(np.zeros((8, 12), np.uint16)), "type", "8 bits; it is uint16"),
    "JPEG": (lambda folder: Image.new("L", (12, 8)).save(folder / MASK, "JPEG"), "unreadable", "must be a PNG"),
    "hidden": (_stray("anomaly_images/can/.DS_Store"), "unexpected-file", "it is a hidden file"),
    "suffix": (_stray(FIRST.replace("tiff", "tif")), "unexpected-file", "has .tiff files only"),
    "unknown": (_stray(FIRST.replace("000", "999")), "unexpected-file", "no image of can/test_private"),
    "wrong half": (_stray(MASK.replace("_thresholded", "")), "unexpected-file", ".tiff files only"),
    "notes": (_stray("README.md"), "unexpected-file", "files are anomaly_images/<object>/"),
    "missing": (lambda folder: (folder / FIRST).unlink(), "missing-file", f"there must be {FIRST}"),
    "no object": (
        lambda folder: shutil.rmtree(folder / "anomaly_images/rice/test_private"),
        "missing-folder",
        "anomaly_images/rice/test_private must hold",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_each_fault_is_found_and_told(name: str, root: Path, folder: Path) -> None:
    spoil, rule, said = FAULTS[name]
    spoil(folder)
    report = check(folder, root)
    assert [fault.rule for fault in report.faults] == [rule]
    assert said in report.faults[0].message
    assert report.faults[0].remedy
    assert report.ok == (name == "constant")


def test_all_faults_are_listed_not_the_first(root: Path, folder: Path, tmp_path: Path) -> None:
    (folder / FIRST).write_bytes(b"")
    (folder / MASK).unlink()
    (folder / "notes.txt").write_text("x")
    tifffile.imwrite(folder / "anomaly_images/rice/test_private/000_regular.tiff", GOOD)
    assert {fault.rule for fault in check(folder, root).faults} == {
        "unreadable", "missing-file", "unexpected-file", "type",
    }  # fmt: skip
    pack(folder, names(folder), tmp_path / "s.tar.gz")
    assert {fault.message for fault in check(folder, root).faults} == {
        fault.message for fault in check(tmp_path / "s.tar.gz", root).faults
    }


def test_a_folder_too_many_is_one_fault(root: Path, folder: Path) -> None:
    report = check(folder.parent, root)
    assert [fault.rule for fault in report.faults] == ["wrapped"]
    assert "pack the content of submission" in report.faults[0].remedy


def test_an_object_that_the_data_set_lacks_is_told(root: Path, folder: Path, tmp_path: Path) -> None:
    partial = Path(shutil.copytree(root, tmp_path / "partial"))
    shutil.rmtree(partial / "vial")
    report = check(folder, partial)
    assert not report.ok
    assert any("vial" in fault.message and fault.rule != "unexpected-file" for fault in report.faults)


def test_an_archive_is_the_same_bytes_each_time_and_has_no_date(folder: Path, tmp_path: Path) -> None:
    pack(folder, names(folder), tmp_path / "1.tar.gz")
    for path in folder.rglob("*.tiff"):
        path.touch()
    pack(folder, list(reversed(names(folder))), tmp_path / "2.tar.gz")
    assert (tmp_path / "1.tar.gz").read_bytes() == (tmp_path / "2.tar.gz").read_bytes()
    with tarfile.open(tmp_path / "1.tar.gz") as tar:
        assert tar.getnames() == names(folder)
        assert {(entry.mtime, entry.uid, entry.uname) for entry in tar} == {(0, 0, "")}


def test_an_interrupted_packing_leaves_no_archive(folder: Path, tmp_path: Path) -> None:
    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pack(folder, names(folder), tmp_path / "out/s.tar.gz", progress=interrupt)
    assert list((tmp_path / "out").iterdir()) == []


def test_archives_that_break_off_hold_links_or_are_none_are_told(root: Path, folder: Path, tmp_path: Path) -> None:
    pack(folder, names(folder), tmp_path / "s.tar.gz")
    data = (tmp_path / "s.tar.gz").read_bytes()
    (tmp_path / "cut.tar.gz").write_bytes(data[: len(data) // 2])
    report = check(tmp_path / "cut.tar.gz", root)
    assert any("breaks off" in fault.message for fault in report.faults)
    with tarfile.open(tmp_path / "link.tar", "w") as tar:
        entry = tarfile.TarInfo(FIRST)
        entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(entry)
    assert [(one.name, one.fault) for one in members(tmp_path / "link.tar")] == [
        (FIRST, "is a link or a device, not a file")
    ]
    (tmp_path / "text.tar.gz").write_bytes(gzip.compress(b"text"))
    for name in ("text.tar.gz", "nowhere"):
        with pytest.raises(ArchiveError, match=r"must be a folder or a \.tar\.gz"):
            list(members(tmp_path / name))


def test_a_bad_map_fails_alone(root: Path, tmp_path: Path) -> None:
    images = wanted(root, "can")
    files = {one.key: tmp_path / f"{number}.npy" for number, one in enumerate(images)}
    for number, path in enumerate(files.values()):
        np.save(path, GOOD if number else GOOD * np.nan)
    written = write_object(images, files, tmp_path / "s", threshold=0.0)
    assert list(written.failed) == [images[0].key]
    assert "holds NaN" in written.failed[images[0].key]
    assert len(names(tmp_path / "s")) == 2 * (len(images) - 1)
    with pytest.raises(SubmissionError, match="none of the 3 private images of can has a map"):
        write_object(images, {}, tmp_path / "t")


def test_maps_from_a_folder_bring_their_own_threshold(root: Path, tmp_path: Path) -> None:
    place = tmp_path / "can"
    (place / "validation/good").mkdir(parents=True)
    (place / "test_private").mkdir()
    np.save(place / "test_private/000_regular.npy", GOOD)
    for number in range(3):
        tifffile.imwrite(place / f"validation/good/{number:03}.tiff", (GOOD + number).astype("f4"))
    calibrator = Calibrator(method="mean_sigma", target_fpr=0.00135, k=3.0)
    found = given_maps(tmp_path, "can", wanted(root, "can"), calibrator=calibrator)
    assert list(found.files) == ["can/test_private/000_regular"]
    pooled = np.concatenate([(GOOD + number).astype("f4").ravel() for number in range(3)]).astype(float)
    assert found.calibration is not None
    assert found.calibration.threshold == pytest.approx(pooled.mean() + 3 * pooled.std(), rel=1e-5)
    tifffile.imwrite(place / "test_private/000_regular.tiff", GOOD.astype("f4"))
    with pytest.raises(SubmissionError, match="must have one map"):
        given_maps(tmp_path, "can", wanted(root, "can"), calibrator=None)
    with pytest.raises(SubmissionError, match=r"maps of rice must lie in .* holds can"):
        given_maps(tmp_path, "rice", wanted(root, "rice"), calibrator=None)


def test_an_interrupted_model_goes_on_and_other_settings_begin_anew(root: Path, tmp_path: Path) -> None:
    dataset, images = MVTecAD2(root, "can"), wanted(root, "can")
    spec = ModelSpec("noise", "noise")

    def maps(fingerprint: str, progress: Progress | None = None) -> tuple[Scripted, dict[str, int]]:
        detector = Scripted()
        calibrator = Calibrator(method="mean_sigma", target_fpr=0.00135, k=3.0)
        found = model_maps(
            dataset, images, tmp_path, spec=spec, make=lambda _: detector, calibrator=calibrator,
            fingerprint=fingerprint, progress=progress,
        )  # fmt: skip
        assert found.calibration is not None
        assert found.calibration.images == 1
        return detector, {key: path.stat().st_mtime_ns for key, path in found.files.items()}

    def interrupt(done: int, total: int) -> None:
        assert total == 1 + len(images)
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        maps("a", interrupt)
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npy")}
    assert len(kept) == 2
    assert not list(tmp_path.rglob(".*"))
    detector, first = maps("a")
    assert detector.calls == len(images) - 2  # neither the validation images nor those that were done
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    detector, again = maps("a")
    assert (detector.fitted, again) == ([], first)
    detector, _ = maps("b")
    assert detector.calls == 1 + len(images)
