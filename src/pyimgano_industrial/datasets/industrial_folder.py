"""Anybody's images in the MVTec AD layout, with the names that people use for it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.mvtec import looks_like_loco


class IndustrialFolder(FolderDataset):
    """Your own images: any category name, any defect names, sizes as they come.

    <root>/<category>/train/good/*          normal images to fit on; `ok` and `normal` mean the same
    <root>/<category>/validation/good/*     optional, normal images for the threshold; or `val`
    <root>/<category>/test/good/*
    <root>/<category>/test/<defect>/*       one folder a kind of defect, for example `scratch`
    <root>/<category>/ground_truth/<defect>/<stem>_mask.png   or <stem>.png; white is anomalous
    """

    title = "industrial folder"
    split_folders: ClassVar[Mapping[str, tuple[str, ...]]] = {"validation": ("validation", "val")}
    normal_folders = ("good", "ok", "normal")
    mask_stems = ("{stem}_mask", "{stem}")

    @classmethod
    def matches(cls, directory: Path) -> bool:
        return super().matches(directory) and not looks_like_loco(directory)
