"""Every fault of a data set folder at once: what `samples`, `image` and `mask` would raise one at a time, and more."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import DatasetError, DatasetNotFoundError
from pyimgano_industrial.core.images import stored_bits
from pyimgano_industrial.datasets import rules
from pyimgano_industrial.datasets.duplicates import near_twins, thumbnail
from pyimgano_industrial.datasets.faults import Fault, fault_of
from pyimgano_industrial.datasets.folder import FolderDataset, existing_root
from pyimgano_industrial.datasets.report import Count, Duplicate, Report
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.datasets.strays import strays
from pyimgano_industrial.datasets.tree import subfolders

Progress = Callable[[int, int, Path], None]

_LABELS = {0: "normal", 1: "anomalous", None: "unlabelled"}


@dataclass(frozen=True)
class _Look:
    """What is kept of a decoded image."""

    sample: Sample
    size: tuple[int, int]
    bits: int
    digest: bytes
    thumbnail: NDArray[np.float32]


def check(
    dataset_type: type[FolderDataset],
    root: Path | str,
    category: str | None = None,
    *,
    progress: Progress | None = None,
) -> Report:
    """Check one category of a data set, or all on disk; every image is decoded once.

    progress: called as `progress(done, total, image)` after each image of a category.
    Raises DatasetNotFoundError only where there is nothing to check: no root, no such category, no category at all.
    """
    names = [category] if category is not None else dataset_type.categories(root)
    if not names and dataset_type.matches(existing_root(root)):
        dataset_type(root, Path(root).name)  # raises: a category folder was given, where its parent is wanted
    if not names:
        there = ", ".join(folder.name for folder in subfolders(existing_root(root))) or "no folder"
        raise DatasetNotFoundError(
            f"{root} must hold categories of {dataset_type.title}, laid out as {dataset_type.layout}; it holds {there}"
        )
    counts: list[Count] = []
    faults: dict[Fault, None] = {}  # in order, each once
    duplicates: list[Duplicate] = []
    for name in names:
        dataset = dataset_type(root, name)
        samples, broken = _scan_all(dataset)
        counts += _counts(samples)
        faults.update(dict.fromkeys(broken))
        looks: list[_Look] = []
        maskless = not any(sample.masks for sample in samples)
        for done, sample in enumerate(samples, 1):
            found = _examine(dataset, sample, looks)
            faults.update(dict.fromkeys(fault for fault in found if not (maskless and fault.rule == "missing-mask")))
            if progress is not None:
                progress(done, len(samples), sample.image)
        if maskless and any(sample.label == 1 for sample in samples):
            faults[rules.no_masks(dataset.folder)] = None
        faults.update(dict.fromkeys([*strays(dataset, samples), *_mixtures(dataset, looks)]))
        duplicates += _duplicates(dataset, looks)
    return Report(dataset_type.title, Path(root), tuple(names), tuple(counts), tuple(faults), tuple(duplicates))


def _scan_all(dataset: FolderDataset) -> tuple[list[Sample], list[Fault]]:
    samples: list[Sample] = []
    faults: list[Fault] = []
    for split in dataset.splits:
        if split in dataset.optional_splits and not dataset.has_split(split):
            continue
        try:
            found, broken = dataset.scan(split)
        except DatasetError as error:
            faults.append(fault_of(error, "missing-split", dataset.folder))
            continue
        samples += found
        faults += broken
        faults += _one_sided(dataset, split, found)
    return samples, faults


def _one_sided(dataset: FolderDataset, split: str, samples: Iterable[Sample]) -> Iterator[Fault]:
    labels = {sample.label for sample in samples}
    if split == dataset.test_split and len(labels) == 1:
        missing = "anomalous" if labels == {0} else "normal"
        yield Fault(
            "one-label",
            f"the {split} split should have normal and anomalous images; that of {dataset.folder} has no {missing} one",
            "add some: without them no AUROC can be computed",
            dataset.folder,
            "warning",
        )


def _counts(samples: Iterable[Sample]) -> list[Count]:
    keys = Counter((s.category, s.split, _LABELS[s.label], s.anomaly_type) for s in samples)
    return [Count(*key, images) for key, images in keys.items()]


def _examine(dataset: FolderDataset, sample: Sample, looks: list[_Look]) -> Iterator[Fault]:
    """Decode an image and its masks, keep a look at the image, and yield what is wrong with them."""
    try:
        pixels = dataset.image(sample)
        bits = stored_bits(sample.image)
    except DatasetError as error:
        yield fault_of(error, "unreadable-image", sample.image)
        return
    size = pixels.shape[:2]
    digest = hashlib.blake2b(pixels.tobytes(), person=f"{size[1]}x{size[0]}".encode()).digest()
    looks.append(_Look(sample, size, bits, digest, thumbnail(pixels)))
    marked = 0
    broken = False
    for path in sample.masks:
        try:
            marked += int(dataset.read_mask(path, size).sum())
        except DatasetError as error:
            broken = True
            yield fault_of(error, "unreadable-mask", path)
    if not broken and (contradiction := dataset.contradiction(sample, marked=marked)) is not None:
        yield contradiction


def _mixtures(dataset: FolderDataset, looks: Iterable[_Look]) -> Iterator[Fault]:
    sizes = Counter(f"{look.size[1]} x {look.size[0]}" for look in looks)
    depths = Counter(f"{look.bits} bits" for look in looks)
    for rule, name, counter in (("mixed-sizes", "sizes", sizes), ("mixed-bit-depths", "bit depths", depths)):
        if len(counter) > 1:
            shown = ", ".join(f"{number} of {value}" for value, number in counter.most_common(5))
            more = ", ..." if len(counter) > 5 else ""
            yield Fault(
                rule,
                f"{dataset.folder} has images of {len(counter)} {name}: {shown}{more}",
                "this is allowed; make sure that it is meant",
                dataset.folder,
                "note",
            )


def _duplicates(dataset: FolderDataset, looks: Iterable[_Look]) -> Iterator[Duplicate]:
    train = [look for look in looks if look.sample.split == dataset.fit_split]
    others = [look for look in looks if look.sample.split != dataset.fit_split]
    by_content = {look.digest: look for look in reversed(train)}
    different = [look for look in others if look.digest not in by_content]
    for look in others:
        if twin := by_content.get(look.digest):
            yield _duplicate("exact", look, twin, 0.0, 0.0)
    if train and different:
        twins, limit = near_twins(_stack(different), _stack(train))
        for near in twins:
            yield _duplicate("near", different[near.query], train[near.reference], near.distance, round(limit, 3))


def _duplicate(kind: Literal["exact", "near"], look: _Look, twin: _Look, distance: float, limit: float) -> Duplicate:
    sample = look.sample
    return Duplicate(kind, sample.category, sample.split, sample.image, twin.sample.image, distance, limit)


def _stack(looks: Iterable[_Look]) -> NDArray[np.float32]:
    return np.stack([look.thumbnail for look in looks])
