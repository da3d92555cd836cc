"""MVTec LOCO AD: five scenes with logical and structural defects (Bergmann et al., IJCV 2022).

Each image's ground truth is a folder of channels, one PNG a defect, whose one non-zero value `defects_config.json`
explains: its name, and the area at which a detection counts as complete. Licence CC BY-NC-SA 4.0.
"""

from __future__ import annotations

import re
import warnings
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.core.images import image_size
from pyimgano_industrial.datasets.defects_config import Defect, read_defects_config
from pyimgano_industrial.datasets.faults import Fault, FaultError
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.masks import mask_values
from pyimgano_industrial.datasets.mvtec import looks_like_loco
from pyimgano_industrial.datasets.sample import Channel, Sample
from pyimgano_industrial.datasets.tree import image_files, subfolder

_CHANNEL_NAME = re.compile(r"\d{3}")


class MVTecLOCO(FolderDataset):
    """MVTec LOCO AD; `mask` is the union of an image's channels, `channels` keeps them apart.

    Also reads trees without `defects_config.json` (each channel's saturation area is then its area), with one mask
    file an image, or with the images one folder deeper.
    """

    title = "MVTec LOCO AD"
    licence = "CC BY-NC-SA 4.0"
    source = "https://www.mvtec.com/company/research/datasets/mvtec-loco"
    layout = (
        "<category>/{train,validation}/good, <category>/test/{good,logical_anomalies,structural_anomalies}, "
        "<category>/ground_truth/{logical_anomalies,structural_anomalies}/<stem>/NNN.png, "
        "<category>/defects_config.json"
    )
    known_categories = ("breakfast_box", "juice_bottle", "pushpins", "screw_bag", "splicing_connectors")
    mask_stems = ("{stem}", "{stem}_mask")
    _warned = False  # of the missing defects_config.json

    def channels(self, sample: Sample) -> tuple[Channel, ...]:
        """Read the sample's channels in the order of their files; a normal image has none.

        Warns once with IndustrialWarning when there is no defects_config.json. Raises what `mask` raises.
        """
        if sample.label != 1 or not sample.masks:
            self.mask(sample)  # raises where a mask is missing, or one too many
            return ()
        if not self.defects and not self._warned:
            self._warned = True
            warnings.warn(
                f"{self.folder} has no defects_config.json: each channel's saturation area is taken to be its whole "
                "area, and sPRO is not the official one; copy the file from the original data set",
                IndustrialWarning,
                stacklevel=2,
            )
        size = image_size(sample.image)
        return tuple(self._channel(path, size) for path in sample.masks)

    def read_mask(self, path: Path, size: tuple[int, int]) -> NDArray[np.bool_]:
        return self._channel(path, size).mask

    @cached_property
    def defects(self) -> dict[int, Defect]:
        """What defects_config.json says of each pixel value; empty without that file."""
        path = self.folder / "defects_config.json"
        return read_defects_config(path) if path.exists() else {}

    def find_masks(self, image: Path, kind: Path) -> tuple[Path, ...]:
        root = subfolder(self.mask_root, kind.name)
        if root is None:
            return ()
        name = image.relative_to(kind).with_suffix("")
        channels = self._files_directly_in(root / name)
        if not channels and len(name.parts) > 1 and len(self._files_directly_in(image.parent)) == 1:
            # The only image of its folder, beside masks numbered like channels: they are all its own.
            beside = self._files_directly_in(root / name.parent)
            channels = beside if all(_CHANNEL_NAME.fullmatch(path.stem) for path in beside) else ()
        return channels or super().find_masks(image, kind)

    @classmethod
    def matches(cls, directory: Path) -> bool:
        return super().matches(directory) and looks_like_loco(directory)

    def _files_directly_in(self, folder: Path) -> tuple[Path, ...]:
        return tuple(path for path in image_files(folder) if path.parent == folder) if folder.is_dir() else ()

    def _channel(self, path: Path, size: tuple[int, int]) -> Channel:
        values = mask_values(path, size)
        present = np.unique(values[values != 0]).tolist()
        if len(present) != 1:
            raise FaultError(_not_one_value(path, present))
        mask = values != 0
        area = int(np.count_nonzero(mask))
        defect = self.defects.get(present[0])
        if self.defects and defect is None:
            raise FaultError(_unknown_value(path, present[0], self.folder / "defects_config.json", self.defects))
        saturation = defect.saturation_area(area) if defect else area
        return Channel(mask, present[0], defect.name if defect else None, saturation, path)


def _not_one_value(path: Path, present: list[int]) -> Fault:
    shown = ", ".join(map(str, present[:5])) + (", ..." if len(present) > 5 else "")
    return Fault(
        "channel-values",
        f"a channel must have exactly one non-zero value; {path} has {len(present) or 'none'}"
        f"{f' ({shown})' if present else ''}",
        "split it into one file a defect" if present else "draw the defect, or take the file out",
        path,
    )


def _unknown_value(path: Path, value: int, config: Path, defects: dict[int, Defect]) -> Fault:
    return Fault(
        "channel-unknown",
        f"a channel's value must be in {config}; {path} has {value}, which it lacks "
        f"(it has {', '.join(map(str, sorted(defects)))})",
        f'add an entry with "pixel_value": {value}, or correct the channel',
        path,
    )
