"""The one table of anomalib's image models: their names here, what they give, and what each of them needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pyimgano_industrial.models.anomalib_papers import PAPERS


@dataclass(frozen=True)
class AnomalibModel:
    """One image model of anomalib 2.

    folder: its folder under anomalib.models.image, which gives the name vision_<folder>_anomalib
    class_name: its class in anomalib.models.image
    host_names: names of pyimgano's own aliases that it replaces
    maps: whether it gives anomaly maps
    fit: "in place" where fit() on good images builds it, "anomalib" where anomalib must train it
    not_loadable: why no checkpoint of it can be used, None where one can
    method: pyimgano's word for the kind of method, by which its listings filter
    alone: whether other images in the batch would change an image's numbers, so that each goes through by itself
    """

    folder: str
    class_name: str
    title: str
    host_names: tuple[str, ...] = ()
    maps: bool = True
    fit: str = "anomalib"
    not_loadable: str | None = None
    method: str | None = None
    alone: bool = False

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
        method = () if self.method is None else (self.method,)
        return ("vision", "deep", "backend", "anomalib", self.folder, *method, *(("pixel_map",) if self.maps else ()))

    @property
    def metadata(self) -> dict[str, Any]:
        """Plain data for the host's listings; requires_checkpoint stops its commands early where none is given."""
        paper, year = PAPERS.get(self.folder, (None, None))
        return {
            "backend": "anomalib",
            **({} if paper is None else {"paper": paper}),
            **({} if year is None else {"year": year}),
            "weights_source": "upstream-anomalib-checkpoint",
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
    AnomalibModel("anomaly_dino", "AnomalyDINO", "AnomalyDINO", fit=_IN_PLACE, method="memory_bank"),
    AnomalibModel("anomalyvfm", "AnomalyVFM", "AnomalyVFM"),
    AnomalibModel("cfa", "Cfa", "CFA", _host("cfa")),
    AnomalibModel("cflow", "Cflow", "CFLOW-AD", _host("cflow"), method="flow", alone=True),
    AnomalibModel("cfm", "CFM", "Crossmodal Feature Mapping", not_loadable=_POINTS),
    AnomalibModel("csflow", "Csflow", "CS-Flow", _host("csflow"), method="flow"),
    AnomalibModel("dfkde", "Dfkde", "DFKDE", _host("dfkde"), maps=False, fit=_IN_PLACE, method="density"),
    AnomalibModel("dfm", "Dfm", "DFM", _host("dfm"), fit=_IN_PLACE, method="gaussian"),
    AnomalibModel("dinomaly", "Dinomaly", "Dinomaly", _host("dinomaly"), method="reconstruction"),
    AnomalibModel("draem", "Draem", "DRAEM", _host("draem"), method="reconstruction"),
    AnomalibModel("dsr", "Dsr", "DSR", _host("dsr"), method="reconstruction"),
    AnomalibModel("efficient_ad", "EfficientAd", "EfficientAD", _host("efficientad"), method="distillation"),
    AnomalibModel("fastflow", "Fastflow", "FastFlow", _host("fastflow"), method="flow"),
    AnomalibModel("foundad", "FoundAD", "FoundAD"),
    AnomalibModel("fre", "Fre", "FRE", _host("fre"), method="reconstruction"),
    AnomalibModel("ganomaly", "Ganomaly", "GANomaly", _host("ganomaly"), maps=False, method="gan"),
    AnomalibModel("general_ad", "GeneralAD", "GeneralAD"),
    AnomalibModel("glass", "Glass", "GLASS"),
    AnomalibModel("inp_former", "InpFormer", "INP-Former", method="reconstruction"),
    AnomalibModel("l2bt", "L2BT", "L2BT", method="distillation"),
    AnomalibModel("mh_patchcore", "MHPatchcore", "MH-PatchCore", fit=_IN_PLACE, method="memory_bank"),
    AnomalibModel("padim", "Padim", "PaDiM", _host("padim"), fit=_IN_PLACE, method="gaussian"),
    AnomalibModel("patchcore", "Patchcore", "PatchCore", _host("patchcore"), fit=_IN_PLACE, method="memory_bank"),
    AnomalibModel("patchflow", "Patchflow", "PatchFlow", method="flow"),
    AnomalibModel("rad", "Rad", "RAD", fit=_IN_PLACE, method="memory_bank"),
    AnomalibModel(
        "reverse_distillation",
        "ReverseDistillation",
        "Reverse Distillation",
        _host("reverse_distillation"),
        method="distillation",
    ),
    AnomalibModel("stfpm", "Stfpm", "STFPM", _host("stfpm"), method="distillation"),
    AnomalibModel("super_add", "SuperADD", "SuperADD", fit=_IN_PLACE, method="memory_bank"),
    AnomalibModel("supersimplenet", "Supersimplenet", "SuperSimpleNet", _host("supersimplenet")),
    AnomalibModel("uflow", "Uflow", "U-Flow", _host("uflow"), method="flow"),
    AnomalibModel("uninet", "UniNet", "UniNet", method="distillation"),
    AnomalibModel("vlm_ad", "VlmAd", "VLM-AD", _host("vlmad"), maps=False, not_loadable=_NO_WEIGHTS),
    AnomalibModel("winclip", "WinClip", "WinCLIP", _host("winclip"), fit=_IN_PLACE, method="clip"),
)
GONE = AnomalibModel("rkde", "Rkde", "R-KDE", _host("rkde"), maps=False, not_loadable=_GONE, method="density")
BY_CLASS = {model.class_name: model for model in MODELS}
