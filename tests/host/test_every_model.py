"""Every model of the host that runs without torch scores an image alike as file, as array, in a batch and alone."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from distributions import python, run
from pyimgano_industrial.host.inference import COMPARES_A_BATCH

NAMES = """from pyimgano.models import list_models
from pyimgano_industrial.plugins.manager import plugins
print(*sorted(set(list_models()) - {row.name for row in plugins().rows("wrappers")}))"""  # which go round a model

# Models that no image can be given to as they are -> what the host says.
REFUSED = {
    "is required for": (
        "vision_aaclip", "vision_adaclip", "vision_anogen_adapter", "vision_filopp", "vision_univad", "vision_visionad",
        "vision_onnx_copod", "vision_onnx_cosine_mahalanobis", "vision_onnx_ecod", "vision_onnx_extra_trees_density",
        "vision_onnx_iforest", "vision_onnx_knn_cosine", "vision_onnx_knn_cosine_calibrated", "vision_onnx_lid",
        "vision_onnx_lof", "vision_onnx_mcd", "vision_onnx_mst_outlier", "vision_onnx_oddoneout", "vision_onnx_pca_md",
    ),
    "requires a patch embedder": ("vision_anomalydino", "vision_softpatch", "vision_superad"),
    "missing 1 required": (
        "vision_feature_pipeline", "vision_patchcore_inspection_checkpoint", "vision_score_ensemble",
    ),
    "Optional dependency 'numba'": ("vision_imdd", "vision_lmdd", "vision_qmcd"),
    "Optional dependency 'open_clip'": (
        "vision_openclip_patch_map", "vision_openclip_patchknn", "vision_openclip_promptscore",
    ),
    "reference_dir is not set": ("vision_ref_patch_distance_map",),
    "could not convert string to float": ("vision_logsad", "vision_one_to_normal"),  # takes features, not images
}  # fmt: skip
# The host draws random numbers when these score: they differ from themselves.
RANDOM = {"vision_lscp", "vision_lscp_spec"}
RELATIVE = {
    "vision_cook_distance", "vision_extra_trees_density", "vision_rod", "vision_sos",
    "vision_structural_extra_trees_density",
}  # fmt: skip


def takes_features(name: str) -> bool:
    return name.startswith("core_")


def needs_more(name: str, found: dict[str, Any]) -> bool:
    """Whether a model needs torch, or is one of anomalib's, which needs a checkpoint."""
    error = found.get("error", "")
    return "torch" in error or ((name.endswith("_anomalib") or name == "vision_anomalib_checkpoint") and bool(error))


@pytest.fixture(scope="module")
def found() -> dict[str, dict[str, Any]]:
    """What came of every model; in four programs, so that none grows large, as many at once as there are cores."""
    names = [name for name in python(NAMES).split() if not takes_features(name)]
    program = Path(__file__).with_name("every_model.py")

    def printed_by(start: int) -> str:
        return run(sys.executable, str(program), *names[start::4], env={"OMP_NUM_THREADS": "1"}).stdout

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        outputs = list(pool.map(printed_by, range(4)))
    rows: list[Iterable[Any]] = []
    for printed in outputs:
        rows += [json.loads(line) for line in printed.splitlines() if line.startswith('["')]  # models print, too
    assert len(rows) == len(names)
    return dict(rows)  # type: ignore[arg-type]  # pairs


@pytest.mark.slow
def test_exactly_the_known_models_cannot_be_given_images(found: dict[str, dict[str, Any]]) -> None:
    own = {name: row["error"] for name, row in found.items() if "error" in row and not needs_more(name, row)}
    known = {name: reason for reason, names in REFUSED.items() for name in names}
    assert own.keys() == known.keys()
    assert {name: error for name, error in own.items() if known[name] not in error} == {}


@pytest.mark.slow
def test_the_same_image_gives_the_same_score(found: dict[str, dict[str, Any]]) -> None:
    """Relative to the detector's own scores of files."""
    ran = {name: row for name, row in found.items() if "error" not in row and name not in RANDOM}
    different = {
        name: row
        for name, row in ran.items()
        if max(value for way, value in row.items() if way != "alone" or name not in RELATIVE) > 1e-6
    }
    assert different == {}
    assert len(ran) >= 78


@pytest.mark.slow
def test_exactly_the_models_that_warn_depend_on_the_other_images(found: dict[str, dict[str, Any]]) -> None:
    alone = {name for name, row in found.items() if name not in RANDOM and row.get("alone", 0) > 1e-6}
    assert alone == RELATIVE
    code = "from pyimgano.models import create_model\nprint(*(type(create_model(name)).__name__ for name in %r))"
    assert set(python(code % sorted(RELATIVE)).split()) == COMPARES_A_BATCH


# A backbone's features, patches of them, Gaussians of patches, a teacher and students, an autoencoder, a segmenter.
TORCH = (
    "vision_resnet18_knn", "vision_resnet18_ecod", "vision_patchcore_lite_map", "vision_padim", "vision_stfpm",
    "efficient_ad", "ae_resnet_unet", "memseg",
)  # fmt: skip


@pytest.mark.slow
def test_networks_give_the_same_image_the_same_score() -> None:
    """A representative few, with random weights; `tox -e torch` has what they need."""
    pytest.importorskip("torchvision")
    printed = run(sys.executable, str(Path(__file__).with_name("every_model.py")), "--torch", *TORCH).stdout
    rows = dict(json.loads(line) for line in printed.splitlines() if line.startswith('["'))
    assert rows.keys() == set(TORCH)
    assert {name: row for name, row in rows.items() if "error" in row or max(row.values()) > 1e-6} == {}


def test_networks_are_not_fitted_on_black_where_a_file_cannot_be_read(tmp_path: Path) -> None:
    pytest.importorskip("torchvision")
    (tmp_path / "empty.png").touch()
    code = f"""
from pathlib import Path
from pyimgano.cache.deep_embeddings import CachedVisionImageDataset, TensorCache
from pyimgano.datasets import VisionImageDataset
from torchvision.transforms import ToTensor
path = {f"{tmp_path / 'empty.png'}"!r}
cached = CachedVisionImageDataset([path], transform=ToTensor(), cache=TensorCache(Path({f"{tmp_path}"!r}), "a"))
for dataset in (VisionImageDataset([path]), cached):
    try:
        print(dataset[0][0].max())
    except ValueError as error:
        print(error)
"""
    assert python(code).count("empty.png: the file is empty") == 2
