"""The one table of anomalib's image models: their names here, what they give, and what each of them needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class AnomalibModel:
    """One image model of anomalib 2.

    folder: its folder under anomalib.models.image, which gives the name vision_<folder>_anomalib
    class_name: its class in anomalib.models.image
    host_names: names of pyimgano's own aliases that it replaces
    maps: whether it gives anomaly maps
    fit: "in place" where fit() on good images builds it, "anomalib" where anomalib must train it
    not_loadable: why no checkpoint of it can be used, None where one can
    """

    folder: str
    class_name: str
    title: str
    host_names: tuple[str, ...] = ()
    maps: bool = True
    fit: str = "anomalib"
    not_loadable: str | None = None

    @property
    def name(self) -> str:
        """The model's name, such as vision_patchcore_anomalib."""
        return f"vision_{self.folder}_anomalib"

    @property
    def names(self) -> tuple[str, ...]:
        """The name, and pyimgano's own spelling of it where that differs."""
        return (self.name, *(name for name in self.host_names if name != self.name))

    @property
    def tags(self) -> tuple[str, ...]:
        """Words for filtering; those of models with maps include "pixel_map"."""
        return ("vision", "deep", "backend", "anomalib", self.folder, *(("pixel_map",) if self.maps else ()))

    @property
    def metadata(self) -> dict[str, Any]:
        """Plain data for the host's listings; requires_checkpoint stops its commands early where none is given."""
        return {
            "backend": "anomalib",
            "anomalib_model": self.folder,
            "anomalib_class": self.class_name,
            "fit": self.fit,
            "requires_checkpoint": self.fit != "in place",
        }


def _host(*names: str) -> tuple[str, ...]:
    return tuple(f"vision_{name}_anomalib" for name in names)


_IN_PLACE = "in place"
_NO_WEIGHTS = "it has no weights: it asks a language model by way of a service, so that there is nothing to load"
_POINTS = "it needs a point cloud beside each image, which images alone do not give"
_GONE = "anomalib 2 no longer has it; export it from anomalib 1, or train another model"

MODELS: tuple[AnomalibModel, ...] = (
    AnomalibModel("anomaly_dino", "AnomalyDINO", "AnomalyDINO", fit=_IN_PLACE),
    AnomalibModel("anomalyvfm", "AnomalyVFM", "AnomalyVFM"),
    AnomalibModel("cfa", "Cfa", "CFA", _host("cfa")),
    AnomalibModel("cflow", "Cflow", "CFLOW-AD", _host("cflow")),
    AnomalibModel("cfm", "CFM", "Crossmodal Feature Mapping", not_loadable=_POINTS),
    AnomalibModel("csflow", "Csflow", "CS-Flow", _host("csflow")),
    AnomalibModel("dfkde", "Dfkde", "DFKDE", _host("dfkde"), maps=False, fit=_IN_PLACE),
    AnomalibModel("dfm", "Dfm", "DFM", _host("dfm"), fit=_IN_PLACE),
    AnomalibModel("dinomaly", "Dinomaly", "Dinomaly", _host("dinomaly")),
    AnomalibModel("draem", "Draem", "DRAEM", _host("draem")),
    AnomalibModel("dsr", "Dsr", "DSR", _host("dsr")),
    AnomalibModel("efficient_ad", "EfficientAd", "EfficientAD", _host("efficientad")),
    AnomalibModel("fastflow", "Fastflow", "FastFlow", _host("fastflow")),
    AnomalibModel("foundad", "FoundAD", "FoundAD"),
    AnomalibModel("fre", "Fre", "FRE", _host("fre")),
    AnomalibModel("ganomaly", "Ganomaly", "GANomaly", _host("ganomaly"), maps=False),
    AnomalibModel("general_ad", "GeneralAD", "GeneralAD"),
    AnomalibModel("glass", "Glass", "GLASS"),
    AnomalibModel("inp_former", "InpFormer", "INP-Former"),
    AnomalibModel("l2bt", "L2BT", "L2BT"),
    AnomalibModel("mh_patchcore", "MHPatchcore", "MH-PatchCore", fit=_IN_PLACE),
    AnomalibModel("padim", "Padim", "PaDiM", _host("padim"), fit=_IN_PLACE),
    AnomalibModel("patchcore", "Patchcore", "PatchCore", _host("patchcore"), fit=_IN_PLACE),
    AnomalibModel("patchflow", "Patchflow", "PatchFlow"),
    AnomalibModel("rad", "Rad", "RAD", fit=_IN_PLACE),
    AnomalibModel("reverse_distillation", "ReverseDistillation", "Reverse Distillation", _host("reverse_distillation")),
    AnomalibModel("stfpm", "Stfpm", "STFPM", _host("stfpm")),
    AnomalibModel("super_add", "SuperADD", "SuperADD", fit=_IN_PLACE),
    AnomalibModel("supersimplenet", "Supersimplenet", "SuperSimpleNet", _host("supersimplenet")),
    AnomalibModel("uflow", "Uflow", "U-Flow", _host("uflow")),
    AnomalibModel("uninet", "UniNet", "UniNet"),
    AnomalibModel("vlm_ad", "VlmAd", "VLM-AD", _host("vlmad"), maps=False, not_loadable=_NO_WEIGHTS),
    AnomalibModel("winclip", "WinClip", "WinCLIP", _host("winclip"), fit=_IN_PLACE),
)
GONE = AnomalibModel("rkde", "Rkde", "R-KDE", _host("rkde"), maps=False, not_loadable=_GONE)
BY_CLASS = {model.class_name: model for model in MODELS}
