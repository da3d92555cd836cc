"""MVTec AD: 15 objects and textures (Bergmann et al., CVPR 2019; IJCV 2021).

Masks are `ground_truth/<defect>/<stem>_mask.png`. Licence CC BY-NC-SA 4.0.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.tree import subfolder


class MVTecAD(FolderDataset):
    """MVTec AD; a folder `validation/good`, which the original does not have, is used where it is there."""

    title = "MVTec AD"
    licence = "CC BY-NC-SA 4.0"
    source = "https://www.mvtec.com/company/research/datasets/mvtec-ad"
    known_categories: ClassVar[tuple[str, ...]] = (
        *("bottle", "cable", "capsule", "carpet", "grid", "hazelnut", "leather", "metal_nut", "pill", "screw"),
        *("tile", "toothbrush", "transistor", "wood", "zipper"),
    )

    @classmethod
    def matches(cls, directory: Path) -> bool:
        return (
            super().matches(directory)
            and not looks_like_loco(directory)
            and cls.masks_end_in_mask(directory, if_none=True)
        )


def looks_like_loco(directory: Path) -> bool:
    """Return whether a category folder carries the marks of MVTec LOCO AD."""
    test = subfolder(directory, "test") or directory
    return (directory / "defects_config.json").is_file() or bool(
        subfolder(test, "logical_anomalies", "structural_anomalies")
    )
