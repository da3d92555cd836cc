"""A JSONL manifest as a data set: the splits are those that the host's benchmark makes of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from pyimgano_industrial.core.errors import DatasetError, DatasetNotFoundError, closest
from pyimgano_industrial.datasets import rules
from pyimgano_industrial.datasets.faults import Fault
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.sample import Sample


class ManifestDataset(FolderDataset):
    """One category of a manifest: a line of JSON an image, with image_path, category, split, label and mask_path.

    root:    the manifest's file
    images:  the folder that relative paths begin in where they do not begin beside the manifest
    seed, test_normal_fraction: of the host's rule for lines without a split
    Of `meta`, "anomaly_type", "defect" and "lighting" are taken over.
    """

    title = "manifest"
    layout = (
        '{"image_path": ..., "category": ..., "split": "train", "val" or "test", "label": 0 or 1, "mask_path": ...}'
    )

    def __init__(
        self,
        root: Path | str,
        category: str,
        *,
        images: Path | None = None,
        missing_masks: Literal["error", "allow"] = "error",
        bit_depth: int | None = None,
        seed: int = 0,
        test_normal_fraction: float = 0.2,
    ) -> None:
        self.manifest = Path(root).expanduser()
        self._images = images
        self._policy = {"seed": seed, "test_normal_fraction": test_normal_fraction}
        self._found: dict[str, list[Sample]] | None = None
        super().__init__(self.manifest.parent, category, missing_masks=missing_masks, bit_depth=bit_depth)

    def has_split(self, split: str) -> bool:
        return bool(self._by_split()[split])

    def walk(self, split: str) -> Iterable[Sample | Fault]:
        yield from self._by_split()[split]
        masks = [(sample.image, sample.masks) for sample in self._by_split()[split]]
        yield from rules.shared_masks(masks)

    def empty_split(self, split: str) -> Fault:
        return Fault(
            "empty-split",
            f"the {split} split of category {self.category!r} must have an image; {self.manifest} has none",
            "add lines with that split",
            self.manifest,
        )

    def contradiction(self, sample: Sample, *, marked: int) -> Fault | None:
        fault = super().contradiction(sample, marked=marked)
        if fault is None or sample.masks:
            return fault
        return Fault(
            fault.rule,
            f"an anomalous image must have a mask; {sample.image} has none in {self.manifest}",
            "add its mask_path, or allow it (--missing-masks allow) to count its pixels as normal",
            self.manifest,
        )

    @classmethod
    def categories(cls, root: Path | str) -> list[str]:
        from pyimgano.datasets.manifest import list_manifest_categories

        names: list[str] = _read(Path(root), list_manifest_categories)
        return names

    def _existing_folder(self) -> Path:
        names = self.categories(self.manifest)
        if self.category not in names:
            raise DatasetNotFoundError(
                f"{self.manifest} has no category {self.category!r}; {closest(self.category, names)}"
            )
        return self.manifest.parent

    def _by_split(self) -> dict[str, list[Sample]]:
        if self._found is None:
            self._found = {split: list(samples) for split, samples in self._samples()}
        return self._found

    def _samples(self) -> Iterator[tuple[str, Iterator[Sample]]]:
        from pyimgano.datasets.manifest import (
            ManifestSplitPolicy,
            iter_manifest_records,
            load_manifest_benchmark_split,
        )

        def load(path: Path) -> Any:
            policy = ManifestSplitPolicy(**self._policy)
            options = {"root_fallback": self._images, "category": self.category, "load_masks": False}
            return load_manifest_benchmark_split(manifest_path=path, split_policy=policy, **options)

        found = _read(self.manifest, load)
        records = {
            f"{self._resolved(record.image_path)}": record
            for record in iter_manifest_records(self.manifest)
            if record.category == self.category
        }
        for split, paths in (("train", found.train_paths), ("validation", found.calibration_paths)):
            yield split, (self._sample(path, split, 0, records[path]) for path in paths)
        labelled = zip(found.test_paths, found.test_labels.tolist(), strict=True)
        yield "test", (self._sample(path, "test", 1 if label else 0, records[path]) for path, label in labelled)

    def _sample(self, path: str, split: str, label: Literal[0, 1], record: Any) -> Sample:
        meta: Mapping[str, Any] = record.meta or {}
        mask = None if record.mask_path is None or not label else self._resolved(record.mask_path)
        kind = meta.get("anomaly_type") or ("anomalous" if label else "good")
        return Sample(
            Path(path),
            self.category,
            split,
            label,
            anomaly_type=f"{kind}",
            defect=meta.get("defect"),
            lighting=meta.get("lighting"),
            masks=() if mask is None else (mask,),
        )

    def _resolved(self, stated: str) -> Path:
        """Return a path as the host resolves it: beside the manifest, else below `images`."""
        from pyimgano.utils.path_normalize import normalize_path

        path = Path(normalize_path(stated))
        if path.is_absolute():
            return path
        beside = (self.manifest.parent / path).resolve()
        if beside.exists() or self._images is None:
            return beside
        return (self._images / path).resolve()


def _read(manifest: Path, read: Any) -> Any:
    """Return what the host reads of a manifest; its errors name the file."""
    if manifest.is_dir():
        raise DatasetNotFoundError(f"a manifest is a file; {manifest} is a folder: pass the .jsonl file as --root")
    try:
        return read(manifest)
    except FileNotFoundError as error:
        raise DatasetNotFoundError(f"{error}: {manifest} names it") from error
    except (ValueError, UnicodeDecodeError) as error:
        raise DatasetError(f"{manifest} is no manifest: {error}; each line must be {ManifestDataset.layout}") from error
