"""MVTec AD 2: eight objects under changing light (Heckler-Kram et al., arXiv 2503.21622).

The lighting is what follows the leading number in a file's name: `007_shift_1.png` was taken under `shift_1`. The
private splits are flat folders without labels or masks. Licence CC BY-NC-SA 4.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from pyimgano_industrial.datasets.faults import Fault
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.sample import Sample
from pyimgano_industrial.datasets.tree import image_files, subfolder

_NUMBER_THEN_LIGHTING = re.compile(r"\d+_(.+)")


class MVTecAD2(FolderDataset):
    """MVTec AD 2 in its five splits; other categories and names without a lighting load as well."""

    title = "MVTec AD 2"
    licence = "CC BY-NC-SA 4.0"
    source = "https://www.mvtec.com/company/research/datasets/mvtec-ad-2"
    layout = (
        "<category>/{train,validation}/good, <category>/test_public/{good,bad}, "
        "<category>/test_public/ground_truth/bad, <category>/{test_private,test_private_mixed}"
    )
    splits = ("train", "validation", "test_public", "test_private", "test_private_mixed")
    optional_splits = ("validation", "test_private", "test_private_mixed")
    test_split = "test_public"
    unlabelled_splits = ("test_private", "test_private_mixed")
    known_categories = ("can", "fabric", "fruit_jelly", "rice", "sheet_metal", "vial", "wallplugs", "walnuts")
    mask_stems = ("{stem}_mask", "{stem}")

    def walk(self, split: str) -> Iterable[Sample | Fault]:
        if split in self.unlabelled_splits:
            images = image_files(self.split_folder(split))
            yield from (Sample(image, self.category, split, None, lighting=lighting(image.stem)) for image in images)
            if not images:
                yield self.empty_split(split)
            return
        for item in super().walk(split):
            yield replace(item, lighting=lighting(item.image.stem)) if isinstance(item, Sample) else item

    @cached_property
    def mask_root(self) -> Path:
        test = subfolder(self.folder, self.test_split) or self.folder / self.test_split
        return subfolder(test, self.mask_folder) or test / self.mask_folder

    @classmethod
    def matches(cls, directory: Path) -> bool:
        return any(subfolder(directory, split) for split in (cls.test_split, *cls.unlabelled_splits))


def lighting(stem: str) -> str | None:
    """Return the lighting that a file name without suffix states, or None.

    >>> lighting("007_shift_1"), lighting("007")
    ('shift_1', None)
    """
    match = _NUMBER_THEN_LIGHTING.fullmatch(stem)
    return match[1] if match else None
