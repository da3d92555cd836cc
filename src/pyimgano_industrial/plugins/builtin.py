"""Our own rows, declared through the same entry-point groups as everybody's."""

from __future__ import annotations

from pyimgano_industrial.core.entry import Entry
from pyimgano_industrial.models.anomalib_table import GONE, MODELS
from pyimgano_industrial.plugins.spec import hookimpl

_DATASETS = "pyimgano_industrial.datasets"
_MODELS = "pyimgano_industrial.models"
_CLIP_TAGS = ("vision", "deep", "clip", "openclip", "backend", "pixel_map", "training-free")


@hookimpl
def pyimgano_datasets() -> list[Entry]:
    return [
        Entry("mvtec", f"{_DATASETS}.mvtec:MVTecAD", "MVTec AD", replaces=True),
        Entry("mvtec_ad", f"{_DATASETS}.mvtec:MVTecAD", "MVTec AD", replaces=True),
        Entry("mvtec_loco", f"{_DATASETS}.loco:MVTecLOCO", "MVTec LOCO AD, with its defect channels", replaces=True),
        Entry("mvtec_ad2", f"{_DATASETS}.ad2:MVTecAD2", "MVTec AD 2, all five splits and lightings", replaces=True),
        Entry("btad", f"{_DATASETS}.btad:BTAD", "BeanTech AD, with its masks", replaces=True),
        Entry("visa", f"{_DATASETS}.visa:VisA", "VisA, original split_csv or converted layout", replaces=True),
        Entry("mpdd", f"{_DATASETS}.mpdd:MPDD", "MPDD, painted metal parts"),
        Entry("ksdd2", f"{_DATASETS}.ksdd2:KSDD2", "KolektorSDD2, surface defects"),
        Entry("industrial_folder", f"{_DATASETS}.industrial_folder:IndustrialFolder", "Your images, MVTec AD layout"),
    ]


@hookimpl
def pyimgano_models() -> list[Entry]:
    return [
        *_anomalib(),
        _clip("prompt_patch", "clip_prompts:OpenCLIPPromptPatch", "Zero-shot baseline: patches against prompts"),
        _clip("few_shot", "clip_few_shot:OpenCLIPFewShot", "Few-shot baseline: prompts and a bank of good patches"),
        _clip("batch", "clip_batch:OpenCLIPBatch", "Baseline: an unlabelled batch scored against itself"),
        Entry(
            "vision_industrial_filter_bank",
            "pyimgano_industrial.models.filter_bank.detector:FilterBank",
            "Dense descriptors against a memory of good patches; no weights, no torch",
            tags=("vision", "classical", "numpy", "pixel_map"),
        ),
    ]


@hookimpl
def pyimgano_presets() -> list[Entry]:
    return []


def _clip(name: str, target: str, summary: str) -> Entry:
    return Entry(
        f"vision_openclip_{name}",
        f"{_MODELS}.{target}",
        summary,
        tags=_CLIP_TAGS,
        metadata={"backend": "openclip"},
        extra="clip",
    )


def _anomalib() -> list[Entry]:
    """Return the rows of anomalib's models; names of pyimgano's own aliases are taken over."""
    rows = [
        Entry(
            name,
            f"{_MODELS}.anomalib_aliases:{model.class_name}",
            f"anomalib's {model.title}: {'cannot be loaded' if model.not_loadable else 'checkpoints of every format'}",
            tags=model.tags,
            metadata=model.metadata,
            extra="anomalib",
            replaces=name in model.host_names,
        )
        for model in (*MODELS, GONE)
        for name in model.names
    ]
    generic = Entry(
        "vision_anomalib_checkpoint",
        f"{_MODELS}.anomalib_detector:AnomalibDetector",
        "Any checkpoint that anomalib trained or exported, told by its content",
        tags=("vision", "deep", "backend", "anomalib", "pixel_map"),
        metadata={"backend": "anomalib", "requires_checkpoint": True},
        extra="anomalib",
        replaces=True,
    )
    return [generic, *rows]
