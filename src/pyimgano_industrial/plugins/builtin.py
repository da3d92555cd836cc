"""Our own rows, declared through the same entry-point groups as everybody's."""

from __future__ import annotations

from pyimgano_industrial.core.entry import Entry
from pyimgano_industrial.models.anomalib_table import GONE, MODELS
from pyimgano_industrial.plugins.spec import hookimpl

_DATASETS = "pyimgano_industrial.datasets"
_MODELS = "pyimgano_industrial.models"
_CLIP_TAGS = ("vision", "deep", "clip", "openclip", "backend", "pixel_map", "training-free")
_PRESETS = "pyimgano_industrial.presets"


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
    chains = (
        (
            "industrial-camera-profile",
            "CAMERA_PROFILE",
            "Brings images back to the profile of the good ones; begin here",
        ),
        (
            "industrial-camera-robust",
            "CAMERA_ROBUST",
            "The same, and a fit on variants of the good images in other light",
        ),
        ("industrial-clahe", "CLAHE", "Local contrast, limited"),
        ("industrial-clean", "CLEAN", "Less of a codec's blocks and of noise"),
        ("industrial-exposure", "EXPOSURE", "One brightness and contrast for every image"),
        ("industrial-flat-light", "FLAT_LIGHT", "Slow light divided out"),
        ("industrial-glare", "GLARE", "Glare filled from what surrounds it"),
        ("industrial-gray-world", "GRAY_WORLD", "Blind white balance by the mean: not for coloured parts"),
        ("industrial-homomorphic", "HOMOMORPHIC", "Slow light weighed down"),
        (
            "industrial-illumination-contrast",
            "ILLUMINATION_CONTRAST",
            "As illumination-contrast-balanced, several times faster",
        ),
        ("industrial-max-rgb", "MAX_RGB", "Blind white balance by the maximum"),
        ("industrial-retinex", "RETINEX", "Multi-scale retinex on intensity"),
        ("industrial-shades-of-gray", "SHADES_OF_GRAY", "Blind white balance by a Minkowski mean"),
    )
    return [
        Entry(
            name,
            f"{_PRESETS}.catalog:{target}",
            summary,
            tags=("camera",),
            metadata={"preset": "chain", "scheme": name != "industrial-camera-robust"},  # which fits on variants
        )
        for name, target, summary in chains
    ]


@hookimpl
def pyimgano_wrappers() -> list[Entry]:
    return [
        Entry("industrial_preset", f"{_PRESETS}.detector:PresetDetector", "Any detector behind a chain of image steps"),
        Entry(
            "industrial_camera_robust",
            f"{_PRESETS}.augmented_detector:AugmentedDetector",
            "Any detector, fitted on good images and on variants of them in other light",
        ),
    ]


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
        metadata={
            "backend": "anomalib",
            "requires_checkpoint": True,
            "weights_source": "upstream-anomalib-checkpoint",
        },
        extra="anomalib",
        replaces=True,
    )
    return [generic, *rows]
