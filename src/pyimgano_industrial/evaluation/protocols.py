"""What is measured on which data set: the protocols of MVTec LOCO AD and MVTec AD 2, and one for all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyimgano_industrial.datasets.ad2 import MVTecAD2
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.loco import MVTecLOCO
from pyimgano_industrial.inference.thresholds import Method

ImageScore = Literal["detector", "map_max"]
Name = Literal["generic", "mvtec_loco", "mvtec_ad2"]


@dataclass(frozen=True)
class Protocol:
    """The official choices of one data set.

    image_score:         what an image's score is: "map_max", the maximum of its map, where the official evaluator sees
                         maps only; "detector", what the model says
    method, target_fpr, k, pixel_method, pixel_target_fpr: how the thresholds are taken from normal images
    headline:            names of the metrics that a table shows, the first one the one to be judged by
    channels:            whether AU-sPRO is measured; lighting: whether results are told apart by lighting
    """

    name: Name
    image_score: ImageScore
    headline: tuple[str, ...]
    method: Method = "tolerance"
    target_fpr: float = 0.05
    k: float | None = None
    pixel_method: Method = "quantile"
    pixel_target_fpr: float = 0.001
    channels: bool = False
    lighting: bool = False


GENERIC = Protocol(
    "generic",
    "detector",
    ("image_auroc", "aupro@0.3", "aupro@0.05", "pixel_auroc", "pixel_ap", "class_f1", "seg_f1"),
)
LOCO = Protocol(
    "mvtec_loco",
    "map_max",
    ("au_spro@0.05", "image_auroc_mean", "au_spro@0.3", "class_f1", "seg_f1"),
    channels=True,
)
AD2 = Protocol(
    "mvtec_ad2",
    "map_max",
    ("aupro@0.05", "aupro@0.3", "seg_f1", "class_f1", "image_auroc"),
    method="mean_sigma",
    k=3.0,
    pixel_method="mean_sigma",
    lighting=True,
)
PROTOCOLS: dict[str, Protocol] = {one.name: one for one in (GENERIC, LOCO, AD2)}


def protocol_of(dataset: type[FolderDataset]) -> Protocol:
    """Return the protocol of a data set's class.

    >>> protocol_of(MVTecLOCO).headline[0]
    'au_spro@0.05'
    """
    if issubclass(dataset, MVTecLOCO):
        return LOCO
    return AD2 if issubclass(dataset, MVTecAD2) else GENERIC
