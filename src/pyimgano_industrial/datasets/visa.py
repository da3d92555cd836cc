"""VisA, the Visual Anomaly data set: twelve objects (Zou et al., ECCV 2022).

Two layouts: as published, images and masks below `<object>/Data` with `split_csv/1cls.csv` beside the objects; and
converted to folders, at the root or in `visa_pytorch/` or `visa_pytorch/1cls/`. Mask values are defect ids, so that
every non-zero value is anomalous. Licence CC BY 4.0.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Literal

from pyimgano_industrial.datasets.faults import Fault, FaultError
from pyimgano_industrial.datasets.folder import FolderDataset, existing_root
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.datasets.tree import loose, subfolder, subfolders

_COLUMNS = ("object", "split", "label", "image", "mask")
_LABELS: dict[str, Literal[0, 1]] = {"normal": 0, "anomaly": 1}


class VisA(FolderDataset):
    """VisA in either layout; the published one wins where both are there. It has no validation split."""

    title = "VisA"
    licence = "CC BY 4.0"
    source = "https://github.com/amazon-science/spot-diff"
    layout = (
        "split_csv/1cls.csv and <category>/Data as published, or <category>/train/good, <category>/test/{good,bad}, "
        "<category>/ground_truth/bad"
    )
    splits = ("train", "test")
    optional_splits = ()
    calibration_split = None
    known_categories = (
        *("candle", "capsules", "cashew", "chewinggum", "fryum", "macaroni1", "macaroni2"),
        *("pcb1", "pcb2", "pcb3", "pcb4", "pipe_fryum"),
    )
    normal_folders = ("good", "ok", "normal")
    mask_folder_aliases = ("bad", "ko", "anomaly")
    mask_stems = ("{stem}", "{stem}_mask")

    def walk(self, split: str) -> Iterable[Sample | Fault]:
        return self._listed(split) if _is_published(self.folder) else super().walk(split)

    def has_split(self, split: str) -> bool:
        return _is_published(self.folder) or super().has_split(split)

    def split_folder(self, split: str) -> Path:
        return self.folder if _is_published(self.folder) else super().split_folder(split)

    def is_mask_file(self, path: Path) -> bool:
        return self.folder / "Data" / "Masks" in path.parents or super().is_mask_file(path)

    @classmethod
    def categories(cls, root: Path | str) -> list[str]:
        bases = _bases(existing_root(root))
        return sorted({name for base in bases for name in super(VisA, cls).categories(base)})

    @classmethod
    def locate(cls, root: Path, category: str) -> Path:
        there = [base / category for base in _bases(root) if (base / category).is_dir()]
        return next((folder for folder in there if _is_published(folder)), there[0] if there else root / category)

    @classmethod
    def matches(cls, directory: Path) -> bool:
        if _is_published(directory):
            return True
        if not super().matches(directory):
            return False
        kinds = {loose(kind.name) for kind in subfolders(subfolder(directory, "test") or directory)}
        by_place = directory.parent.name in ("visa_pytorch", "1cls")
        return kinds <= {*cls.normal_folders, *cls.mask_folder_aliases} and (
            by_place or not cls.masks_end_in_mask(directory)
        )

    def _listed(self, split: str) -> Iterator[Sample | Fault]:
        table = self.folder.parent / "split_csv" / "1cls.csv"
        samples = []
        for line, row in _rows(table):
            if row["object"] != self.category:
                continue
            label = _LABELS.get(row["label"])
            if label is None or row["split"] not in self.splits:
                values = f"{row['split']!r} and {row['label']!r}"
                rule = "have split train or test, and label normal or anomaly"
                yield _bad_table(table, f"{rule}; line {line} of {table} has {values}")
            elif row["split"] == split:
                mask = self.folder.parent / row["mask"]
                samples.append(
                    Sample(
                        self.folder.parent / row["image"],
                        self.category,
                        split,
                        label,
                        anomaly_type="bad" if label else "good",
                        masks=(mask,) if row["mask"] and mask.is_file() else (),
                    )
                )
        yield from sorted(samples, key=lambda sample: (sample.label, sample.image))


def _bases(root: Path) -> list[Path]:
    """Return the folders below a root that may hold the categories, the published layout's first."""
    converted = subfolder(root, "visa_pytorch")  # the official script writes VisA_pytorch
    bases = [root, *([converted, converted / "1cls"] if converted else []), root / "1cls"]
    return [base for base in bases if base.is_dir()]


def _is_published(folder: Path) -> bool:
    return (folder / "Data").is_dir() and (folder.parent / "split_csv" / "1cls.csv").is_file()


def _rows(table: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        reader = csv.DictReader(table.read_text(encoding="utf-8-sig").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise FaultError(_bad_table(table, f"be readable UTF-8; {table} is not: {error}")) from error
    if absent := [column for column in _COLUMNS if column not in (reader.fieldnames or ())]:
        raise FaultError(
            _bad_table(table, f"have the columns {', '.join(_COLUMNS)}; {table} lacks {', '.join(absent)}")
        )
    for row in reader:
        yield reader.line_num, {column: row[column] or "" for column in _COLUMNS}


def _bad_table(table: Path, rule: str) -> Fault:
    return Fault("split-csv", f"1cls.csv must {rule}", "copy the original data set's file", table)
