"""The table of seams: which host module each waits for, what applies it, and what became of it."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from pyimgano_industrial.core.errors import IndustrialError, IndustrialWarning

WAITING = "waiting"
APPLIED = "applied"


@dataclass(frozen=True)
class Seam:
    """One place where this package changes the host, right after the host module has executed."""

    name: str
    module: str
    file: str
    brings: str


# Where the host reads files, and where it takes RGB arrays for BGR.
_READERS = (
    "cache.deep_embeddings", "datasets.image", "features.torchscript_embed", "features.torchvision_backbone",
    "inference.image_decode", "io.image", "models._image_batch", "models.cblof", "models.cflow", "models.dfm",
    "models.draem", "models.loda", "models.one_svm_cnn", "models.padim", "models.patchcore",
    "models.ref_patch_distance", "models.simplenet", "models.spade", "models.stfpm", "services.robustness_service",
)  # fmt: skip
_TAKES_BGR = (
    "features.color_hist", "features.edge_stats", "features.fft_lowfreq", "features.gabor", "features.hog",
    "features.lbp", "features.patch_stats", "features.structural", "models.phase_corr_map", "models.ssim",
    "models.ssim_map", "models.ssim_struct", "models.template_ncc_map",
)  # fmt: skip
# Where models work an image out twice, for its score and for its map.
_TWICE = (
    "patch_embedding_core_map", "patchcore_lite_map", "phase_corr_map", "pixel_stats_map", "ssim_map",
    "template_ncc_map",
)  # fmt: skip
# Where pyimgano-train reads how to tile, does it, and writes what pyimgano-infer reads.
_TRAINING = (
    "inference.validate_infer_config", "services.infer_context_service", "services.workbench_service",
    "training.checkpointing", "workbench.adaptation_runtime", "workbench.checkpoint_restore",
    "workbench.config_adaptation_section_parser",
)  # fmt: skip

SEAMS: tuple[Seam, ...] = (
    Seam("models", "pyimgano.models", "models", "the plugins' models in the registry"),
    Seam("datasets", "pyimgano.utils.datasets", "datasets", "new and better data sets"),
    Seam("categories", "pyimgano.datasets.catalog", "categories", "the categories of every data set"),
    Seam("converters", "pyimgano.datasets.converters", "converters", "data sets as manifests"),
    Seam("layouts", "pyimgano.datasets.inspection", "layouts", "detection of data set layouts"),
    Seam("calibration", "pyimgano.pipelines.run_benchmark", "calibration", "thresholds from images not fitted on"),
    Seam("benchmark pixels", "pyimgano.services.benchmark_service", "calibration", "threshold flags beside --pixel"),
    Seam("thresholds", "pyimgano.inference.api", "thresholds", "calibrate_threshold that says what it rests on"),
    Seam("held-out threshold", "pyimgano.infer_cli", "infer_thresholds", "thresholds from them"),
    Seam("held-out maps", "pyimgano.services.infer_runtime_service", "infer_thresholds", "pixel thresholds from them"),
    Seam("promises", "pyimgano.services.infer_artifact_service", "infer_thresholds", "what a threshold promises"),
    Seam("pixel thresholds", "pyimgano.defects.pixel_threshold", "pixel_thresholds", "maps of any sizes, any method"),
    Seam("train thresholds", "pyimgano.workbench.calibration", "workbench_thresholds", "promises in pyimgano-train"),
    Seam("maps", "pyimgano.pipelines.mvtec_visa", "maps", "pixel metrics on images of mixed sizes"),
    Seam("workbench", "pyimgano.workbench.dataset_loader", "workbench", "calibration images for pyimgano-train"),
    *(Seam("tiled training", f"pyimgano.{name}", "tiled_training", "all keys in pyimgano-train") for name in _TRAINING),
    Seam("tiling", "pyimgano.inference.tiling", "tiling", "TiledDetector: one pass, no seams, fitted on tiles"),
    Seam("one pass", "pyimgano.inference.runtime_adapter", "inference", "scores and maps from any detector"),
    Seam("inference", "pyimgano.inference.api", "inference", "infer: mixed inputs, errors that name the image"),
    Seam("records", "pyimgano.services.inference_service", "inference", "the same in pyimgano-infer"),
    Seam("going on", "pyimgano.services.infer_continue_service", "continuing", "--on-error report"),
    Seam("profile", "pyimgano.infer_cli_profile", "profile", "warm-up, p50 and p99 an image"),
    Seam("arrays", "pyimgano.utils.image_ops", "arrays", "classical models on arrays and tiles"),
    *(Seam("files", f"pyimgano.{name}", "reading", "EXIF, 16 bits, errors that name the file") for name in _READERS),
    *(Seam("colours", f"pyimgano.{name}", "colours", "arrays are RGB, as files are") for name in _TAKES_BGR),
    *(
        Seam("one forward", f"pyimgano.models.{name}", "one_pass", "score and map of an image at once")
        for name in _TWICE
    ),
    Seam("tiled benchmark", "pyimgano.pipelines.run_benchmark", "tiled_models", "--tile-... in pyimgano-benchmark"),
    Seam("tiled pixel run", "pyimgano.services.benchmark_service", "tiled_models", "--tile-... with --pixel"),
    Seam("official numbers", "pyimgano.services.benchmark_service", "official", "native-size numbers with --pixel"),
    Seam("tiled robustness", "pyimgano.services.robustness_service", "tiled_models", "--tile-... under corruptions"),
    Seam("tiled inference", "pyimgano.services.infer_wrapper_service", "tiled_models", "--tile-fit, --tile-batch, ..."),
    Seam("inference models", "pyimgano.infer_cli", "tiled_models", "copies of a model for positions and folds"),
    Seam("preset benchmark", "pyimgano.pipelines.run_benchmark", "chains", "chains of image steps as --preset"),
    Seam("preset pixel run", "pyimgano.services.benchmark_service", "chains", "the same with --pixel"),
    Seam("preset robustness", "pyimgano.services.robustness_service", "chains", "the same under corruptions"),
    Seam("preset inference", "pyimgano.services.infer_wrapper_service", "chains", "the same in pyimgano-infer"),
    Seam("chain schemes", "pyimgano.inference.preprocessing", "chains", "chains as preprocessing schemes"),
    Seam("chain training", "pyimgano.workbench.config_preprocessing_section_parser", "chains", "in pyimgano-train"),
    Seam("chain export", "pyimgano.services.workbench_service", "chains", "chains in infer_config.json"),
    Seam("drift records", "pyimgano.services.infer_artifact_service", "drift", "--drift-profile in pyimgano-infer"),
    Seam("region benchmark", "pyimgano.pipelines.run_benchmark", "regions", "--roi in pyimgano-benchmark"),
    Seam("region pixel run", "pyimgano.services.benchmark_service", "regions", "--roi with --pixel"),
    Seam("region pixels", "pyimgano.pipelines.mvtec_visa", "region_metrics", "pixel metrics inside --roi"),
    Seam("official maps", "pyimgano.pipelines.mvtec_visa", "own_pass", "native-size numbers from the same pass"),
    Seam("region robustness", "pyimgano.services.robustness_service", "regions", "--roi under corruptions"),
    Seam("region inference", "pyimgano.services.infer_wrapper_service", "regions", "--roi in pyimgano-infer"),
    Seam("held-out fit", "pyimgano.services.infer_wrapper_service", "infer_thresholds", "images kept from fitting"),
    Seam("saving", "pyimgano.serialization.pickle", "saving", "--save-detector of a tiled detector"),
    Seam("benchmark flags", "pyimgano.cli", "parsers", "--dataset and --preset choices"),
    Seam("robustness flags", "pyimgano.robust_cli", "parsers", "--dataset and --preset choices"),
    Seam("inference flags", "pyimgano.infer_cli", "parsers", "--preset choices"),
    Seam("options", "pyimgano.services.model_options", "options", "values of --preset"),
    Seam("presets", "pyimgano.presets.catalog", "presets", "model, defect and preprocessing presets"),
    Seam("schemes", "pyimgano.preprocessing.catalog", "schemes", "preprocessing schemes"),
    Seam("command", "pyimgano.root_cli", "command", "pyimgano industrial"),
)

_state: dict[Seam, str] = dict.fromkeys(SEAMS, WAITING)


def modules() -> frozenset[str]:
    """Return the host modules that some seam waits for."""
    return frozenset(seam.module for seam in SEAMS)


def states() -> dict[Seam, str]:
    """Return what became of each seam: "waiting", "applied", or "refused: why"."""
    return dict(_state)


def apply(module: ModuleType) -> None:
    """Apply the seams of one executed host module; a seam that does not fit warns once and changes nothing."""
    from pyimgano_industrial.host.contract import SeamMismatchError

    for seam in SEAMS:
        if seam.module != module.__name__ or _state[seam] != WAITING:
            continue
        try:
            import_module(f"pyimgano_industrial.host.{seam.file}").apply(module)
        except SeamMismatchError as error:
            refuse(seam, str(error))
        except IndustrialError:
            raise  # a conflict of plugins is for the user to settle
        except Exception as error:  # noqa: BLE001 - an error of ours must not break the host's import
            refuse(seam, f"{type(error).__name__}: {error}")
        else:
            _state[seam] = APPLIED


def refuse(seam: Seam, reason: str) -> None:
    """Leave the host alone at one seam, and say so."""
    _state[seam] = f"refused: {reason}"
    warnings.warn(
        f"pyimgano-industrial leaves pyimgano as it is for {seam.brings}: {reason}. "
        f"`pyimgano-industrial status` shows the versions that fit",
        IndustrialWarning,
        stacklevel=3,
    )
