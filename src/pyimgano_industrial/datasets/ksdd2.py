"""KolektorSDD2: one surface, photographed on a production line (Bozic et al., Computers in Industry 2021).

Each image NNNNN.png lies beside its mask NNNNN_GT.png, and the mask is the label: an image is anomalous if its mask
has a non-zero pixel. So listing a split reads its masks, once. The published training set holds defective images: they
are no part of the split to fit on, and form the split `train_defective`. Licence CC BY-NC-SA 4.0.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

from pyimgano_industrial.core.errors import DatasetError
from pyimgano_industrial.core.images import image_size
from pyimgano_industrial.datasets import rules
from pyimgano_industrial.datasets.faults import Fault, fault_of
from pyimgano_industrial.datasets.folder import FolderDataset, existing_root
from pyimgano_industrial.datasets.masks import MaskIndex
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.datasets.tree import image_files, subfolder

_GT = "_GT"


class KSDD2(FolderDataset):
    """KolektorSDD2; the category is "ksdd2" where root holds train/ and test/, or else a sub-folder's name."""

    title = "KolektorSDD2"
    licence = "CC BY-NC-SA 4.0"
    source = "https://www.vicos.si/resources/kolektorsdd2/"
    layout = "train/NNNNN.png with NNNNN_GT.png beside it, and test/ likewise"
    splits = ("train", "train_defective", "test")
    optional_splits = ("train_defective",)
    calibration_split = None
    known_categories = ("ksdd2",)
    split_folders: ClassVar[Mapping[str, tuple[str, ...]]] = {"train_defective": ("train",)}

    def walk(self, split: str) -> Iterable[Sample | Fault]:
        items = self._folder_items(self.split_folder(split))
        kept = {"train": (0,), "train_defective": (1,)}.get(split, (0, 1))
        for label in kept:
            for image, masks, found in items:
                if found == label:
                    kind = "defective" if label else "good"
                    yield Sample(image, self.category, split, found, anomaly_type=kind, masks=masks)
        yield from (found for _, _, found in items if isinstance(found, Fault))
        yield from rules.shared_masks((image, masks) for image, masks, _ in items)

    def is_mask_file(self, path: Path) -> bool:
        return _GT in path.stem

    @classmethod
    def categories(cls, root: Path | str) -> list[str]:
        return [*cls.known_categories] if cls.matches(existing_root(root)) else super().categories(root)

    @classmethod
    def locate(cls, root: Path, category: str) -> Path:
        return root if category in cls.known_categories and cls.matches(root) else root / category

    @classmethod
    def matches(cls, directory: Path) -> bool:
        folders = [subfolder(directory, split) for split in ("train", "test")]
        return all(folder and any(_GT in path.stem for path in folder.glob("*_GT.*")) for folder in folders)

    @cached_property
    def _read(self) -> dict[Path, list[tuple[Path, tuple[Path, ...], Literal[0, 1] | Fault]]]:
        return {}

    def _folder_items(self, folder: Path) -> list[tuple[Path, tuple[Path, ...], Literal[0, 1] | Fault]]:
        """Return image, masks and label of each image in a split's folder; a fault where the label is not to be had."""
        if folder not in self._read:
            files = image_files(folder)
            index = MaskIndex(folder, files=(path for path in files if _GT in path.stem))
            images = [path for path in files if _GT not in path.stem]
            found = [(image, index.find(image.relative_to(folder).with_name(f"{image.stem}{_GT}"))) for image in images]
            self._read[folder] = [(image, masks, self._label(image, masks)) for image, masks in found]
        return self._read[folder]

    def _label(self, image: Path, masks: tuple[Path, ...]) -> Literal[0, 1] | Fault:
        if not masks:
            return Fault(
                "missing-label",
                f"an image's label is its mask; {image} has no {image.stem}{_GT}.* beside it",
                "add the mask (all zero for a normal image), or take the image out",
                image,
            )
        try:
            size = image_size(image)
            return 1 if any(self.read_mask(mask, size).any() for mask in masks) else 0
        except DatasetError as error:
            return fault_of(error, "unreadable-label", image)
