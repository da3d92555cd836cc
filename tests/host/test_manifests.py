"""A manifest as a data set: the host's own splits, masks and names, and errors that name the file."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import trees
from pyimgano_industrial.core.errors import DatasetError, DatasetNotFoundError
from pyimgano_industrial.datasets.faults import FaultError
from pyimgano_industrial.host.evaluation import Opener


def written(path: Path, lines: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return path


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    trees.mvtec(tmp_path)
    lines: list[dict[str, Any]] = [
        {"image_path": f"bottle/train/good/{name}.png", "category": "bottle", "split": split}
        for name, split in (("000", "train"), ("001", "train"), ("002", "val"))
    ]
    lines += [{"image_path": "bottle/test/good/000.png", "category": "bottle", "split": "test", "label": 0}]
    lines += [
        {
            "image_path": "bottle/test/crack/000.png",
            "category": "bottle",
            "split": "test",
            "label": 1,
            "mask_path": "bottle/ground_truth/crack/000_mask.png",
            "meta": {"anomaly_type": "crack", "lighting": "dim"},
        }
    ]
    return written(tmp_path / "manifest.jsonl", lines)


def test_splits_labels_masks_and_names_are_those_of_the_lines(manifest: Path) -> None:
    opener = Opener("manifest", manifest)
    assert opener.categories() == ["bottle"]
    dataset = opener("bottle")
    assert [len(dataset.samples(split)) for split in ("train", "validation", "test")] == [2, 1, 2]
    good, bad = dataset.samples("test")
    assert (good.label, good.anomaly_type, good.lighting) == (0, "good", None)
    assert (bad.label, bad.anomaly_type, bad.lighting) == (1, "crack", "dim")
    assert dataset.mask(bad).sum() == 4
    assert not dataset.mask(good).any()


def test_lines_without_a_split_are_split_as_the_host_splits_them(tmp_path: Path) -> None:
    from pyimgano.datasets.manifest import ManifestSplitPolicy, load_manifest_benchmark_split

    trees.mvtec(tmp_path)
    names = [path.relative_to(tmp_path).as_posix() for path in sorted((tmp_path / "bottle").rglob("good/*.png"))]
    manifest = written(tmp_path / "m.jsonl", [{"image_path": name, "category": "bottle"} for name in names])
    for seed in (0, 7):
        policy = ManifestSplitPolicy(seed=seed)
        host = load_manifest_benchmark_split(
            manifest_path=manifest, root_fallback=None, category="bottle", load_masks=False, split_policy=policy
        )
        ours = Opener("manifest", manifest, seed=seed)("bottle")
        assert [f"{one.image}" for one in ours.samples("train")] == host.train_paths
        assert [f"{one.image}" for one in ours.samples("test")] == host.test_paths


def test_paths_may_begin_in_the_folder_of_the_images(tmp_path: Path, manifest: Path) -> None:
    moved = tmp_path / "elsewhere" / "m.jsonl"
    moved.parent.mkdir()
    manifest.rename(moved)
    dataset = Opener("manifest", moved, images=tmp_path)("bottle")
    assert dataset.mask(dataset.samples("test")[1]).sum() == 4


def test_a_line_without_its_mask_is_an_error_or_allowed(manifest: Path) -> None:
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    del lines[-1]["mask_path"]
    written(manifest, lines)
    dataset = Opener("manifest", manifest)("bottle")
    with pytest.raises(FaultError, match="add its mask_path"):
        dataset.mask(dataset.samples("test")[1])
    allowed = Opener("manifest", manifest, "allow")("bottle")
    assert not allowed.mask(allowed.samples("test")[1]).any()


@pytest.mark.parametrize(
    ("spoil", "error", "message"),
    [
        (lambda path: path.unlink(), DatasetNotFoundError, "Manifest not found"),
        (lambda path: path.write_text("{"), DatasetError, "is no manifest: .*line 1.*each line must be"),
        (lambda path: (path.unlink(), path.mkdir()), DatasetNotFoundError, "a manifest is a file"),
    ],
)
def test_what_is_no_manifest_says_so(
    manifest: Path, spoil: Callable[[Path], Any], error: type[Exception], message: str
) -> None:
    spoil(manifest)
    with pytest.raises(error, match=message):
        Opener("manifest", manifest).categories()


def test_an_unknown_category_names_the_closest(manifest: Path) -> None:
    with pytest.raises(DatasetNotFoundError, match="has no category 'botle'; did you mean 'bottle'"):
        Opener("manifest", manifest)("botle")


def test_an_image_that_is_not_there_is_named(manifest: Path) -> None:
    (manifest.parent / "bottle/test/good/000.png").unlink()
    with pytest.raises(DatasetNotFoundError, match=r"000.png.*manifest.jsonl names it"):
        Opener("manifest", manifest)("bottle").samples("test")
