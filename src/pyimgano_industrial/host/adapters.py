"""The host's data set interface on top of a plugin's data set; imported once `pyimgano.utils.datasets` has executed."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pyimgano.io.image import resize_image
from pyimgano.utils.datasets import BaseDataset, DatasetInfo

from pyimgano_industrial.core.errors import DatasetError, DatasetNotFoundError, IndustrialWarning, closest
from pyimgano_industrial.core.images import image_size
from pyimgano_industrial.core.lazy import resolve
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.masks import reduce_mask
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.datasets.tree import subfolder, subfolders
from pyimgano_industrial.host import settings
from pyimgano_industrial.plugins.manager import plugins

Size = tuple[int, int]
MissingMasks = Literal["error", "allow"]

# The names of the host's factory that reach a class below; every other row goes through PluginDataset.
HOST_NAMES = {
    "mvtec": "MVTecDataset",
    "mvtec_ad": "MVTecDataset",
    "mvtec_loco": "MVTecLOCODataset",
    "mvtec_ad2": "MVTecAD2Dataset",
    "btad": "BTADDataset",
    "visa": "VisADataset",
}


def dataset_type(name: str) -> type[FolderDataset]:
    """Return the class behind a data set row; raises UnknownNameError or PluginError."""
    found: type[FolderDataset] = resolve(plugins().row("datasets", name))
    return found


class PluginDataset(BaseDataset):  # type: ignore[misc]  # the host is untyped
    """A plugin's data set as the host's commands see it: paths, labels 0/1, masks uint8 0/1.

    resize: (height, width) of images and masks, or None for their own sizes. Where sizes differ, the arrays of
    images and masks have dtype object. A resized mask keeps every defect: a pixel is anomalous if any source
    pixel that it covers is.
    Raises DatasetError, which is a ValueError, and DatasetNotFoundError, which is also a FileNotFoundError.
    """

    CATEGORIES: ClassVar[list[str]] = []

    def __init__(
        self,
        root: str,
        category: str,
        resize: Size | None = None,
        load_masks: bool = True,
        *,
        name: str,
        split: str | None = None,
        missing_masks: MissingMasks | None = None,
    ) -> None:
        # The source checks root and category itself, and names the closest ones.
        self.source = dataset_type(name)(root, category, missing_masks=missing_masks or settings.missing_masks)
        super().__init__(root, category)
        self.resize = resize
        self.load_masks = load_masks
        self.split = split or self.source.test_split
        if self.split not in self.source.splits:
            raise DatasetNotFoundError(f"{name} has no split {self.split!r}; {closest(self.split, self.source.splits)}")
        self.category_path = self.root / category

    def get_train_paths(self) -> list[str]:
        """Return the paths of the normal images to fit on."""
        return [str(sample.image) for sample in self._fit_samples()]

    def get_calibration_paths(self) -> list[str]:
        """Return the paths of the validation split, normal images that no detector was fitted on; may be empty."""
        return [str(sample.image) for sample in self._calibration_samples()]

    def get_test_paths(self) -> tuple[list[str], NDArray[Any] | None, NDArray[Any] | None]:
        """Return paths, labels (N,) and masks (N, H, W) uint8; labels and masks are None for an unlabelled split."""
        samples = self._test_samples()
        return [str(sample.image) for sample in samples], self._labels(samples), self._masks(samples)

    def get_train_data(self) -> NDArray[Any]:
        """Return the images to fit on, (N, H, W, 3) uint8 RGB."""
        return self._images(self._fit_samples())

    def get_calibration_data(self) -> NDArray[Any]:
        """Return the images of the validation split, (N, H, W, 3) uint8 RGB; may be empty."""
        return self._images(self._calibration_samples())

    def get_test_data(self) -> tuple[NDArray[Any], NDArray[Any] | None, NDArray[Any] | None]:
        """Return images (N, H, W, 3) uint8 RGB, labels and masks as `get_test_paths` does."""
        samples = self._test_samples()
        return self._images(samples), self._labels(samples), self._masks(samples)

    def get_info(self) -> Any:
        """Return the host's DatasetInfo; counts and sizes come from the folder, no image is decoded."""
        train = self._fit_samples()
        return DatasetInfo(
            name=self.source.title,
            categories=list(self.CATEGORIES or self.source.categories(self.root)),
            num_train=len(train),
            num_test=len(self._test_samples()),
            image_size=self.resize or image_size(train[0].image),
            description=f"{self.source.title} - {self.category} category ({self.split})",
        )

    def _fit_samples(self) -> tuple[Sample, ...]:
        return self._some(self.source.samples(self.source.fit_split), self.source.fit_split)

    def _calibration_samples(self) -> tuple[Sample, ...]:
        split = self.source.calibration_split
        return () if split is None else self.source.samples(split)

    def _test_samples(self) -> tuple[Sample, ...]:
        return self._some(self.source.samples(self.split), self.split)

    def _some(self, samples: tuple[Sample, ...], split: str) -> tuple[Sample, ...]:
        if not samples:
            raise DatasetError(f"the split {split!r} of {self.category_path} must hold images; it holds none")
        return samples

    def _images(self, samples: Sequence[Sample]) -> NDArray[Any]:
        images = (self.source.image(sample) for sample in samples)
        return _stack([image if self.resize is None else self._resized(image, self.resize) for image in images])

    @staticmethod
    def _resized(image: NDArray[np.uint8], size: Size) -> NDArray[np.uint8]:
        settings.resized.add(((image.shape[0], image.shape[1]), size))
        resized: NDArray[np.uint8] = resize_image(image, size)
        return resized

    @staticmethod
    def _labels(samples: Sequence[Sample]) -> NDArray[Any] | None:
        labels = [sample.label for sample in samples]
        return None if None in labels else np.array(labels)

    def _masks(self, samples: Sequence[Sample]) -> NDArray[Any] | None:
        if not self.load_masks or any(sample.label is None for sample in samples):
            return None
        if not self.source.has_masks:
            warnings.warn(
                f"{self.category_path} ships no masks: pixel metrics are not available for it",
                IndustrialWarning,
                stacklevel=3,
            )
            return None
        masks = _stack([self._mask(sample) for sample in samples])
        missing = self.source.missing_mask_count
        if missing:
            warnings.warn(
                f"{missing} of {sum(sample.label == 1 for sample in samples)} anomalous images of "
                f"{self.category_path} have no mask; pixel metrics count all their pixels as normal",
                IndustrialWarning,
                stacklevel=3,
            )
        return masks

    def _mask(self, sample: Sample) -> NDArray[np.uint8]:
        if sample.label == 0:
            return np.zeros(self.resize or image_size(sample.image), np.uint8)
        mask = self.source.mask(sample)
        return (mask if self.resize is None else reduce_mask(mask, self.resize)).astype(np.uint8)


def _categories_on_disk(name: str, root: str) -> list[str]:
    """Return the categories with the layout or, as the host does, every folder when none has it."""
    folder = Path(root)
    return dataset_type(name).categories(root) or [
        path.name for path in subfolders(subfolder(folder, "visa_pytorch") or folder)
    ]


def _stack(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    if len({array.shape for array in arrays}) <= 1:
        return np.array(arrays)
    ragged = np.empty(len(arrays), dtype=object)
    for index, array in enumerate(arrays):
        ragged[index] = array
    return ragged


class _OfOneRow(PluginDataset):
    """A class of the host that stands for one row, with the host's signature."""

    ROW: ClassVar[str]

    def __init__(
        self,
        root: str,
        category: str,
        resize: Size | None = None,
        load_masks: bool = True,
        *,
        missing_masks: MissingMasks | None = None,
    ) -> None:
        super().__init__(root, category, resize, load_masks, name=self.ROW, missing_masks=missing_masks)


class MVTecDataset(_OfOneRow):
    """MVTec AD; any category folder in its layout loads."""

    ROW = "mvtec"
    CATEGORIES: ClassVar[list[str]] = [
        "bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut",
        "pill", "screw", "tile", "toothbrush", "transistor", "wood", "zipper",
    ]  # fmt: skip

    @staticmethod
    def list_categories() -> list[str]:
        """Return the official categories."""
        return list(MVTecDataset.CATEGORIES)


class MVTecLOCODataset(_OfOneRow):
    """MVTec LOCO AD; the mask of an image is the union of its channels."""

    ROW = "mvtec_loco"
    CATEGORIES: ClassVar[list[str]] = ["breakfast_box", "juice_bottle", "pushpins", "screw_bag", "splicing_connectors"]

    def __init__(
        self,
        root: str,
        category: str,
        resize: Size | None = None,
        load_masks: bool = True,
        include_validation_in_train: bool = False,
        *,
        missing_masks: MissingMasks | None = None,
    ) -> None:
        super().__init__(root, category, resize, load_masks, missing_masks=missing_masks)
        self.include_validation_in_train = include_validation_in_train

    @staticmethod
    def list_categories() -> list[str]:
        """Return the official categories."""
        return list(MVTecLOCODataset.CATEGORIES)

    def _fit_samples(self) -> tuple[Sample, ...]:
        return super()._fit_samples() + (super()._calibration_samples() if self.include_validation_in_train else ())

    def _calibration_samples(self) -> tuple[Sample, ...]:
        return () if self.include_validation_in_train else super()._calibration_samples()


class MVTecAD2Dataset(PluginDataset):
    """MVTec AD 2; `split` is test_public, test_private or test_private_mixed, the private ones without labels."""

    def __init__(
        self,
        root: str,
        category: str,
        *,
        split: str = "test_public",
        resize: Size | None = None,
        load_masks: bool = True,
        missing_masks: MissingMasks | None = None,
    ) -> None:
        super().__init__(root, category, resize, load_masks, name="mvtec_ad2", split=split, missing_masks=missing_masks)

    @staticmethod
    def list_categories(root: str) -> list[str]:
        """Return the categories found under `root`."""
        return _categories_on_disk("mvtec_ad2", root)


class BTADDataset(_OfOneRow):
    """BeanTech AD, with its masks."""

    ROW = "btad"
    CATEGORIES: ClassVar[list[str]] = ["01", "02", "03"]

    def __init__(
        self,
        root: str,
        category: str,
        resize: Size | None = None,
        load_masks: bool = False,
        *,
        missing_masks: MissingMasks | None = None,
    ) -> None:
        super().__init__(root, category, resize, load_masks, missing_masks=missing_masks)


class VisADataset(_OfOneRow):
    """VisA in its original or its converted layout."""

    ROW = "visa"

    @staticmethod
    def list_categories(root: str) -> list[str]:
        """Return the categories found under `root`."""
        return _categories_on_disk("visa", root)
