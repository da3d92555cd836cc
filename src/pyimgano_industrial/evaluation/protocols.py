"""What is measured on which data set: the protocols of MVTec LOCO AD and MVTec AD 2, and one for all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pyimgano_industrial.datasets.ad2 import MVTecAD2
from pyimgano_industrial.datasets.folder import FolderDataset
from pyimgano_industrial.datasets.loco import MVTecLOCO
from pyimgano_industrial.evaluation.results import Settings
from pyimgano_industrial.inference.thresholds import Method
from pyimgano_industrial.metrics.spro import LIMITS as SPRO_LIMITS

ImageScore = Literal["detector", "map_max"]
LIMITS = (0.3, 0.05, 0.01)  # of the false positive rate, for AU-PRO
SIZES = (281, 5000)  # pixels; over a fifth of MVTec AD 2's defects are smaller than the first
Name = Literal["generic", "mvtec_loco", "mvtec_ad2"]


@dataclass(frozen=True)
class Protocol:
    """The official choices of one data set.

    image_score:         what an image's score is: "map_max", the maximum of its map, where the official evaluator sees
                         maps only; "detector", what the model says
    method, target_fpr, k, pixel_method, pixel_target_fpr: how the thresholds are taken from normal images
    headline:            names of the metrics that a table shows, the first one the one to be judged by
    channels:            whether AU-sPRO is measured
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
)
PROTOCOLS: dict[str, Protocol] = {one.name: one for one in (GENERIC, LOCO, AD2)}


def default_settings(dataset: str, root: str, protocol: Protocol, *, missing_masks: str = "error") -> Settings:
    """Return the settings of a protocol, without intervals."""
    return Settings(
        dataset=dataset,
        root=root,
        protocol=protocol.name,
        limits=LIMITS,
        spro_limits=SPRO_LIMITS if protocol.channels else (),
        sizes=SIZES,
        method=protocol.method,
        target_fpr=protocol.target_fpr,
        confidence=0.9,
        k=protocol.k,
        share=0.2,
        bootstrap=0,
        interval=0.95,
        seed=0,
        missing_masks=missing_masks,
        image_score=protocol.image_score,
        pixel_method=protocol.pixel_method,
        pixel_target_fpr=protocol.pixel_target_fpr,
    )


def protocol_of(dataset: type[FolderDataset]) -> Protocol:
    """Return the protocol of a data set's class.

    >>> protocol_of(MVTecLOCO).headline[0]
    'au_spro@0.05'
    """
    if issubclass(dataset, MVTecLOCO):
        return LOCO
    return AD2 if issubclass(dataset, MVTecAD2) else GENERIC
