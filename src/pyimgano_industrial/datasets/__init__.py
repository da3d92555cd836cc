"""Data sets read from folders: one file a layout, each an iterable of frozen samples.

>>> from pyimgano_industrial.datasets import MVTecLOCO
>>> MVTecLOCO.splits
('train', 'validation', 'test')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyimgano_industrial.core.names import on_demand

if TYPE_CHECKING:
    from pyimgano_industrial.datasets.ad2 import MVTecAD2
    from pyimgano_industrial.datasets.btad import BTAD
    from pyimgano_industrial.datasets.faults import Fault
    from pyimgano_industrial.datasets.folder import FolderDataset
    from pyimgano_industrial.datasets.industrial_folder import IndustrialFolder
    from pyimgano_industrial.datasets.ksdd2 import KSDD2
    from pyimgano_industrial.datasets.loco import MVTecLOCO
    from pyimgano_industrial.datasets.masks import read_mask, reduce_mask
    from pyimgano_industrial.datasets.mpdd import MPDD
    from pyimgano_industrial.datasets.mvtec import MVTecAD
    from pyimgano_industrial.datasets.report import Report
    from pyimgano_industrial.datasets.sample import Channel, Sample
    from pyimgano_industrial.datasets.visa import VisA

__all__ = [
    "BTAD",
    "KSDD2",
    "MPDD",
    "Channel",
    "Fault",
    "FolderDataset",
    "IndustrialFolder",
    "MVTecAD",
    "MVTecAD2",
    "MVTecLOCO",
    "Report",
    "Sample",
    "VisA",
    "read_mask",
    "reduce_mask",
]

_MODULES = {
    "BTAD": "btad",
    "KSDD2": "ksdd2",
    "MPDD": "mpdd",
    "Channel": "sample",
    "Fault": "faults",
    "FolderDataset": "folder",
    "IndustrialFolder": "industrial_folder",
    "MVTecAD": "mvtec",
    "MVTecAD2": "ad2",
    "MVTecLOCO": "loco",
    "Report": "report",
    "Sample": "sample",
    "VisA": "visa",
    "read_mask": "masks",
    "reduce_mask": "masks",
}

__getattr__, __dir__ = on_demand(__name__, _MODULES)
