"""BTAD, beanTech Anomaly Detection: three products (Mishra et al., ISIE 2021).

Folders are named `ok` and `ko`; masks are `ground_truth/ko/<stem>.png` or `.bmp`. Licence CC BY-SA.
"""

from __future__ import annotations

from pathlib import Path

from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.tree import loose, subfolder, subfolders


class BTAD(FolderDataset):
    """BTAD, with its masks; it has no validation split."""

    title = "BTAD"
    licence = "CC BY-SA"
    source = "https://github.com/pankajmishra000/VT-ADL"
    layout = "<category>/train/ok, <category>/test/{ok,ko}, <category>/ground_truth/ko"
    splits = ("train", "test")
    optional_splits = ()
    calibration_split = None
    known_categories = ("01", "02", "03")
    normal_folders = ("ok",)
    mask_stems = ("{stem}", "{stem}_mask")

    @classmethod
    def matches(cls, directory: Path) -> bool:
        test = subfolder(directory, "test") or directory
        return super().matches(directory) and {loose(kind.name) for kind in subfolders(test)} <= {"ok", "ko"}
