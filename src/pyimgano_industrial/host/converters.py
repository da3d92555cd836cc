"""Seam: every data set row converts to the host's JSONL manifest, masks, lighting and anomaly type included."""

from __future__ import annotations

import json
import os
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pyimgano_industrial.core.entry import Row
from pyimgano_industrial.core.files import written
from pyimgano_industrial.core.images import write_png
from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.host.contract import expect
from pyimgano_industrial.plugins.manager import plugins


def apply(host: ModuleType) -> None:
    """Add one converter a row to the host's registry."""
    converter = expect(host, "DatasetConverter", "name", "description", "requires_category", "convert")
    registry = expect(host, "_REGISTRY")
    for row in plugins().rows("datasets"):
        registry[row.name] = converter(
            name=row.name,
            description=f"{row.entry.summary} ({row.origin}).",
            requires_category=True,
            convert=partial(convert, row),
        )


def convert(
    row: Row,
    *,
    root: str | Path,
    category: str,
    out_path: str | Path,
    split: str | None = None,
    absolute_paths: bool = False,
    include_masks: bool = False,
) -> list[dict[str, Any]]:
    """Write the manifest of one category and return its records.

    split: which test split becomes the manifest's "test"; None takes the data set's own. Images without a label
    get none. A mask of several channels is written as their union beside the manifest, in `<name>_masks/`.
    """
    dataset: FolderDataset = resolve(row)(root, category)
    out = Path(out_path)
    out.parent.mkdir(parents=True, exist_ok=True)
    names = {dataset.fit_split: "train", split or dataset.test_split: "test"}
    if dataset.calibration_split is not None:
        names[dataset.calibration_split] = "val"
    records = [
        _record(dataset, sample, split=name, out=out, absolute=absolute_paths, include_masks=include_masks)
        for own, name in names.items()
        for sample in dataset.samples(own)
    ]
    records.sort(key=lambda record: (record["split"], record["image_path"]))
    with written(out) as spare:
        spare.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in records), encoding="utf-8")
    return records


def _record(
    dataset: FolderDataset, sample: Sample, *, split: str, out: Path, absolute: bool, include_masks: bool
) -> dict[str, Any]:
    record: dict[str, Any] = {
        "image_path": _written_path(sample.image, out=out, absolute=absolute),
        "category": sample.category,
        "split": split,
    }
    if split == "test" and sample.label is not None:
        record["label"] = sample.label
    if include_masks and sample.masks and sample.label == 1:
        mask = sample.masks[0] if len(sample.masks) == 1 else _union(dataset, sample, out)
        record["mask_path"] = _written_path(mask, out=out, absolute=absolute)
    meta = {"anomaly_type": sample.anomaly_type, "lighting": sample.lighting}
    meta = {key: value for key, value in meta.items() if value not in (None, "good")}
    if meta:
        record["meta"] = meta
    return record


def _union(dataset: FolderDataset, sample: Sample, out: Path) -> Path:
    folder = out.with_name(f"{out.stem}_masks") / (sample.anomaly_type or "anomalous")
    path = folder / f"{sample.image.stem}.png"
    write_png(path, dataset.mask(sample).astype(np.uint8) * np.uint8(255))
    return path


def _written_path(path: Path, *, out: Path, absolute: bool) -> str:
    if absolute:
        return path.resolve().as_posix()
    try:
        return Path(os.path.relpath(path.resolve(), out.parent.resolve())).as_posix()
    except ValueError:  # another drive on Windows
        return path.resolve().as_posix()
