"""The base of every data set: a root, a category, splits in folders, labels in sub-folders, masks beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import DatasetError, DatasetNotFoundError, ImageError, closest
from pyimgano_industrial.core.images import image_size, read_rgb, significant_bits
from pyimgano_industrial.datasets import masks, rules
from pyimgano_industrial.datasets.faults import Fault, FaultError
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.datasets.tree import image_files, loose, subfolder, subfolders

_DEPTH_SAMPLES = 8


class FolderDataset:
    """Images in folders, in the MVTec AD layout unless a subclass says otherwise.

    A subclass sets class attributes and, where folders cannot say it, writes `walk`. This one is complete:

        class Bolts(FolderDataset):
            title = "Bolts from line 3"
            splits = ("train", "test")          # folders <root>/<category>/train and .../test
            calibration_split = None            # no images kept for the threshold
            normal_folders = ("ok",)            # test/ok is normal, every other folder in test/ is a defect
            mask_stems = ("{stem}",)            # ground_truth/<defect>/<name of the image>.*

    root, category: `<root>/<category>` is one object; any folder on disk is a category, known or not.
    missing_masks:  what to do when an anomalous image has no mask, or one that marks nothing: "error" raises when
                    the mask is asked for; "allow" gives an all-normal mask and counts the image in `without_mask`.
    bit_depth:      significant bits of images stored with more than 8, 9..16; None finds one depth for the whole
                    data set from up to 8 training images, so that no image is brightened relative to its neighbours.
    Raises DatasetNotFoundError (a FileNotFoundError and a ValueError) when root or category is missing.
    """

    title: ClassVar[str] = ""
    licence: ClassVar[str] = ""
    source: ClassVar[str] = ""  # where it is described or downloaded
    layout: ClassVar[str] = "<category>/train/good, <category>/test/{good,<defect>}, <category>/ground_truth/<defect>"

    splits: ClassVar[tuple[str, ...]] = ("train", "validation", "test")
    optional_splits: ClassVar[tuple[str, ...]] = ("validation",)  # left out of iteration where their folder is missing
    fit_split: ClassVar[str] = "train"
    calibration_split: ClassVar[str | None] = "validation"
    test_split: ClassVar[str] = "test"  # the labelled one, which has the masks
    known_categories: ClassVar[tuple[str, ...]] = ()  # any other name on disk works as well

    split_folders: ClassVar[Mapping[str, tuple[str, ...]]] = {}  # split -> folder names, where they differ from its own
    normal_folders: ClassVar[tuple[str, ...]] = ("good",)
    mask_folder: ClassVar[str] = "ground_truth"
    mask_folder_aliases: ClassVar[tuple[str, ...]] = ()  # folders of masks to try after the defect's own name
    mask_stems: ClassVar[tuple[str, ...]] = ("{stem}_mask",)  # in order of preference; any image suffix

    def __init__(
        self,
        root: Path | str,
        category: str,
        *,
        missing_masks: Literal["error", "allow"] = "error",
        bit_depth: int | None = None,
    ) -> None:
        if missing_masks not in ("error", "allow"):
            raise DatasetError(f"missing_masks must be 'error' or 'allow'; got {missing_masks!r}")
        if bit_depth is not None and not 9 <= bit_depth <= 16:
            raise DatasetError(f"bit_depth must be in 9..16, or None to find it; got {bit_depth}")
        self.root = Path(root).expanduser()
        self.category = category
        self.folder = self._existing_folder()
        self.missing_masks = missing_masks
        self._stated_depth = bit_depth
        self._scans: dict[str, tuple[tuple[Sample, ...], tuple[Fault, ...]]] = {}
        self._indexes: dict[Path, masks.MaskIndex] = {}
        self._empty_masks: dict[Path, Sample] = {}

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.category!r} in {self.root}>"

    # What is there: no pixel is read.

    def __iter__(self) -> Iterator[Sample]:
        return iter(self.samples())

    def __len__(self) -> int:
        return len(self.samples())

    def samples(self, split: str | None = None) -> tuple[Sample, ...]:
        """Return the samples of a split, or of every split that is there; normal ones first, each sorted by path.

        The calibration split may be absent and is then empty. Raises DatasetNotFoundError for an unknown split or a
        missing folder, FaultError where the folder breaks a rule of the layout (no image, a mask of two images).
        """
        if split is None:
            present = [name for name in self.splits if name not in self.optional_splits or self.has_split(name)]
            return tuple(sample for name in present for sample in self.samples(name))
        samples, faults = self.scan(split)
        if faults:
            raise FaultError(faults[0], more=len(faults) - 1)
        return samples

    def scan(self, split: str) -> tuple[tuple[Sample, ...], tuple[Fault, ...]]:
        """Return the samples of a split and the faults of its folder; `samples` raises where this reports."""
        if split not in self.splits:
            raise DatasetNotFoundError(f"{self._name} has no split {split!r}; {closest(split, self.splits)}")
        if split not in self._scans:
            absent = split == self.calibration_split and split in self.optional_splits and not self.has_split(split)
            found = [] if absent else list(self.walk(split))
            if not found and split not in self.optional_splits:
                found.append(self.empty_split(split))
            samples = [item for item in found if isinstance(item, Sample)]
            faults = [item for item in found if isinstance(item, Fault)]
            self._scans[split] = tuple(samples), tuple(faults)
        return self._scans[split]

    def has_split(self, split: str) -> bool:
        """Return whether the split's folder is there."""
        return subfolder(self.folder, *self._split_names(split)) is not None

    @property
    def has_masks(self) -> bool:
        """Whether the data set ships any mask for this category's test split."""
        return any(sample.masks for sample in self.samples(self.test_split))

    @property
    def without_mask(self) -> tuple[Sample, ...]:
        """The anomalous test samples that have no mask file, and those whose mask `mask` has found to mark nothing."""
        missing = [sample for sample in self.samples(self.test_split) if sample.label == 1 and not sample.masks]
        return (*missing, *self._empty_masks.values())

    @property
    def missing_mask_count(self) -> int:
        """The length of `without_mask`."""
        return len(self.without_mask)

    # Pixels.

    def image(self, sample: Sample) -> NDArray[np.uint8]:
        """Read the image as (H, W, 3) uint8 RGB, EXIF orientation applied; raises ImageError, naming the file."""
        return read_rgb(sample.image, bit_depth=self.bit_depth)

    def mask(self, sample: Sample) -> NDArray[np.bool_]:
        """Read the sample's masks as one (H, W) bool of the image's own size, True where anomalous.

        A normal image's is all False. Raises FaultError, naming the files, for an unlabelled sample, a mask of
        another size, a mask that contradicts the label, and, unless missing_masks="allow", a missing mask.
        """
        if sample.label is None:
            raise FaultError(rules.unlabelled(sample))
        size = image_size(sample.image)
        union = np.zeros(size, np.bool_)
        for path in sample.masks:
            union |= self.read_mask(path, size)
        if (contradiction := self.contradiction(sample, marked=int(union.sum()))) is not None:
            if sample.label == 0 or self.missing_masks == "error":
                raise FaultError(contradiction)
            if sample.masks:
                self._empty_masks[sample.image] = sample
        return union

    def read_mask(self, path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Read one mask file of an image of `size` (H, W); a subclass overrides this for masks of another kind."""
        return masks.read_mask(path, size)

    def contradiction(self, sample: Sample, *, marked: int) -> Fault | None:
        """Return what is wrong with a sample whose masks mark that many pixels, or None."""
        if sample.label == 0 and marked:
            return rules.normal_marked(sample, marked)
        if sample.label != 1 or marked:
            return None
        if sample.masks:
            return rules.empty_mask(sample, normal=self.normal_folders[0])
        names = [stem.format(stem=sample.image.stem) for stem in self.mask_stems] if sample.anomaly_type else []
        return rules.missing_mask(sample, names=names, folder=self.mask_root / (sample.anomaly_type or ""))

    @cached_property
    def bit_depth(self) -> int | None:
        """The bit depth of the data set's images, 9..16; None where they have 8 bits."""
        if self._stated_depth:
            return self._stated_depth
        present = [split for split in (self.fit_split, *self.splits) if self.has_split(split)]
        samples = self.scan(present[0])[0] if present else ()
        spread = np.unique(np.linspace(0, len(samples) - 1, min(_DEPTH_SAMPLES, len(samples))).round().astype(int))
        deepest = max((_depth(samples[index].image) for index in spread), default=8)
        return deepest if deepest > 8 else None

    # What a subclass may override.

    def walk(self, split: str) -> Iterable[Sample | Fault]:
        """Yield the samples of a split, and a Fault for each thing in its folder that breaks a rule.

        This one reads `<split>/<type>/**`, where the fit and calibration splits have normal types only, and finds
        the masks of the test split by name.
        """
        folder = self.split_folder(split)
        claims: list[tuple[Path, tuple[Path, ...]]] = []
        for kind in self._kinds(split, folder):
            label: Literal[0, 1] = 0 if self._is_normal(kind) else 1
            for image in image_files(kind):
                found = self.find_masks(image, kind) if split == self.test_split else ()
                claims.append((image, found))
                yield Sample(image, self.category, split, label, anomaly_type=kind.name, masks=found)
        yield from rules.shared_masks(claims)

    def find_masks(self, image: Path, kind: Path) -> tuple[Path, ...]:
        """Return the mask files of an image below `kind`, the folder of its type, by the layout's names."""
        folder = subfolder(self.mask_root, kind.name, *self.mask_folder_aliases)
        if folder is None:
            return ()
        index = self.mask_index(folder)
        parent = image.parent.relative_to(kind)
        for stem in self.mask_stems:
            if found := index.find(parent / stem.format(stem=image.stem)):
                return found
        return ()

    def is_mask_file(self, path: Path) -> bool:
        """Return whether a file of the category folder lies where masks do; `check` reports those of no image."""
        return self.mask_root in path.parents

    @cached_property
    def mask_root(self) -> Path:
        """The folder that holds a folder of masks a defect type."""
        return subfolder(self.folder, self.mask_folder) or self.folder / self.mask_folder

    @classmethod
    def categories(cls, root: Path | str) -> list[str]:
        """Return the categories on disk that have this layout, sorted; raises DatasetNotFoundError without a root."""
        return [folder.name for folder in subfolders(existing_root(root)) if cls.matches(folder)]

    @classmethod
    def locate(cls, root: Path, category: str) -> Path:
        """Return the folder that a category has or would have below an existing root."""
        return root / category

    @classmethod
    def matches(cls, directory: Path) -> bool:
        """Return whether a category folder has this layout; layouts that only its data tell apart match both."""
        train = subfolder(directory, *cls._split_names(cls.fit_split))
        test = subfolder(directory, *cls._split_names(cls.test_split))
        return bool(train and test and subfolder(train, *cls.normal_folders) and subfolders(test))

    # Helpers of subclasses.

    def split_folder(self, split: str) -> Path:
        """Return a split's folder; raises DatasetNotFoundError when it is missing."""
        names = self._split_names(split)
        if (folder := subfolder(self.folder, *names)) is None:
            there = ", ".join(path.name for path in subfolders(self.folder)) or "no folder"
            raise DatasetNotFoundError(
                f"the {split} split of {self._name} must lie in {self.folder / names[0]}, which is not there "
                f"({self.folder} holds {there}); arrange the images as {self.layout}"
            )
        return folder

    def mask_index(self, folder: Path) -> masks.MaskIndex:
        """Return the index of a folder of masks, listed once."""
        if folder not in self._indexes:
            self._indexes[folder] = masks.MaskIndex(folder)
        return self._indexes[folder]

    def empty_split(self, split: str) -> Fault:
        """Return the fault of a split without images."""
        wanted = self.normal_folders if split == self.fit_split else ()
        return rules.empty_split(split, self.split_folder(split), wanted=wanted, name=self._name, layout=self.layout)

    @classmethod
    def masks_end_in_mask(cls, directory: Path, *, if_none: bool = False) -> bool:
        """Return whether a category folder names its masks `<stem>_mask`; `if_none` where it has no mask."""
        root = subfolder(directory, cls.mask_folder)
        files = image_files(root) if root else []
        return files[0].stem.lower().endswith("_mask") if files else if_none

    @property
    def _name(self) -> str:
        return self.title or type(self).__name__

    @classmethod
    def _split_names(cls, split: str) -> tuple[str, ...]:
        return cls.split_folders.get(split, (split,))

    def _is_normal(self, kind: Path) -> bool:
        return loose(kind.name) in map(loose, self.normal_folders)

    def _kinds(self, split: str, folder: Path) -> list[Path]:
        kinds = [kind for kind in subfolders(folder) if kind != self.mask_root]
        normal = [kind for kind in kinds if self._is_normal(kind)]
        if split in (self.fit_split, self.calibration_split):
            return normal
        return normal + [kind for kind in kinds if kind not in normal]

    def _existing_folder(self) -> Path:
        root = existing_root(self.root)
        folder = self.locate(root, self.category)
        if self.category and folder.is_dir():
            return folder
        listed = self.categories(root)
        if not listed and self.matches(root):
            raise DatasetNotFoundError(
                f"root must hold one folder a category; {root} is itself a category folder: "
                f"pass root={root.absolute().parent} and category={root.absolute().name!r}"
            )
        there = listed or [path.name for path in subfolders(root)]
        raise DatasetNotFoundError(
            f"{self._name} has no category {self.category!r} in {root}; {closest(self.category, there)}"
        )


def existing_root(root: Path | str) -> Path:
    """Return the root folder; raises DatasetNotFoundError when it is missing or no folder."""
    path = Path(root).expanduser()
    if not path.is_dir():
        state = "is a file" if path.exists() else "does not exist"
        above = "" if path.exists() or path.parent.is_dir() else f" (nor does {path.parent})"
        raise DatasetNotFoundError(f"a data set's root must be a folder; {path} {state}{above}")
    return path


def _depth(path: Path) -> int:
    try:
        return significant_bits(path)
    except ImageError:  # reading the image itself raises it, where the user looks for it
        return 8
