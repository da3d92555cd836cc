"""What every data set promises; subclass DatasetContract and implement `make_dataset`."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from pathlib import Path

import numpy as np

from pyimgano_industrial.core.errors import DatasetError
from pyimgano_industrial.core.images import image_size
from pyimgano_industrial.datasets.folder import FolderDataset


class DatasetContract:
    """Checks a data set against its promises, on a small folder that the author writes.

    >>> class TestBolts(DatasetContract):
    ...     def make_dataset(self, folder):
    ...         write_some_bolts(folder)
    ...         return Bolts(folder, "m8")
    """

    def make_dataset(self, folder: Path) -> FolderDataset:
        """Write a small category below `folder`, good and anomalous test images in it, and open it."""
        raise TypeError(f"{type(self).__name__} must define make_dataset(folder)")

    def test_it_offers_images_to_fit_on_and_to_test_on(self, tmp_path: Path) -> None:
        dataset = self.make_dataset(tmp_path)
        assert dataset.samples(dataset.fit_split), f"the split {dataset.fit_split!r} is empty"
        labels = {sample.label for sample in dataset.samples(dataset.test_split)}
        assert labels == {0, 1}, f"the test split must hold good (0) and anomalous (1) images; it holds {labels}"

    def test_images_to_fit_and_to_calibrate_on_are_normal(self, tmp_path: Path) -> None:
        dataset = self.make_dataset(tmp_path)
        for split in (dataset.fit_split, dataset.calibration_split):
            strays = [sample.image for sample in dataset.samples(split) if sample.label != 0] if split else []
            assert not strays, f"{split!r} holds images that are not labelled normal: {strays}"

    def test_iteration_gives_every_sample_once(self, tmp_path: Path) -> None:
        dataset = self.make_dataset(tmp_path)
        images = [sample.image for sample in dataset]
        assert len(images) == len(set(images)) == len(dataset)
        assert sum(len(dataset.samples(split)) for split in {sample.split for sample in dataset}) == len(dataset)

    def test_samples_are_frozen_and_their_files_exist(self, tmp_path: Path) -> None:
        sample = next(iter(self.make_dataset(tmp_path)))
        assert sample.image.is_file()
        assert all(mask.is_file() for mask in sample.masks)
        try:
            sample.label = 1  # type: ignore[misc]  # the assignment must fail
        except FrozenInstanceError:
            return
        raise AssertionError("samples must be frozen")

    def test_images_are_rgb_uint8(self, tmp_path: Path) -> None:
        dataset = self.make_dataset(tmp_path)
        for sample in dataset:
            image = dataset.image(sample)
            assert image.dtype == np.uint8
            assert image.shape == (*image_size(sample.image), 3)

    def test_masks_have_their_image_s_size_and_mark_defects_only(self, tmp_path: Path) -> None:
        dataset = self.make_dataset(tmp_path)
        for sample in dataset.samples(dataset.test_split):
            if sample.label == 1 and not sample.masks:
                continue
            mask = dataset.mask(sample)
            assert mask.dtype == np.bool_
            assert mask.shape == image_size(sample.image)
            assert mask.any() == (sample.label == 1)

    def test_its_category_is_found_on_disk(self, tmp_path: Path) -> None:
        dataset = self.make_dataset(tmp_path)
        assert dataset.category in type(dataset).categories(dataset.root)

    def test_an_unknown_split_or_category_is_an_error(self, tmp_path: Path) -> None:
        dataset = self.make_dataset(tmp_path)
        _raises(lambda: dataset.samples("no_such_split"), "no_such_split")
        _raises(lambda: type(dataset)(dataset.root, "no_such_category"), "no_such_category")


def _raises(call: object, value: str) -> None:
    assert callable(call)
    try:
        call()
    except DatasetError as error:
        assert value in str(error), f"the error must show the value {value!r}; it says {error}"
        return
    raise AssertionError(f"{value!r} must raise DatasetError")
