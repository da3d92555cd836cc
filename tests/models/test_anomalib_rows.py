"""The rows of anomalib's models, and what can be said about them without anomalib."""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

import pytest

from distributions import run, script
from pyimgano_industrial.models import anomalib_aliases
from pyimgano_industrial.models.anomalib_detector import AnomalibDetector, AnomalibScorer
from pyimgano_industrial.models.anomalib_table import GONE, MODELS
from pyimgano_industrial.models.checkpoint_files import CheckpointError
from pyimgano_industrial.plugins.builtin import pyimgano_models

ROWS = {entry.name: entry for entry in pyimgano_models() if "anomalib" in entry.tags}
WITHOUT = (
    "import sys\n"
    "sys.modules.update(dict.fromkeys(['torch', 'torchvision', 'anomalib', 'openvino', 'onnx', 'onnxruntime']))\n"
)


def test_every_model_has_a_row_and_pyimgano_s_own_names_are_taken_over() -> None:
    names = {name for model in (*MODELS, GONE) for name in model.names}
    assert ROWS.keys() == names | {"vision_anomalib_checkpoint"}
    code = (
        "import pyimgano.models as m; from pyimgano.models.registry import MODEL_REGISTRY as r\n"
        "print(*[n for n in r.available() if r.info(n).metadata.get('backend') == 'anomalib'])"
    )
    bare = run(sys.executable, "-c", code, env={"PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": "1"}).stdout.split()
    assert set(bare) == {entry.name for entry in ROWS.values() if entry.replaces}
    plugged = run(sys.executable, "-c", WITHOUT + code).stdout.split()
    assert set(plugged) == ROWS.keys()


def test_a_row_keeps_what_pyimgano_s_own_says_of_its_model() -> None:
    code = (
        "import json, pyimgano.models as m; from pyimgano.models.registry import MODEL_REGISTRY as r\n"
        "rows = {n: r.info(n) for n in r.available() if r.info(n).metadata.get('backend') == 'anomalib'}\n"
        "print(json.dumps({n: [dict(row.metadata), list(row.tags)] for n, row in rows.items()}))"
    )
    bare = json.loads(run(sys.executable, "-c", code, env={"PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": "1"}).stdout)
    assert len(bare) > 15
    for name, (metadata, tags) in bare.items():
        ours = ROWS[name]
        assert ours.metadata.get("year") == metadata.get("year")
        assert ours.metadata.get("paper", "").startswith(("DRAEM: A", metadata.get("paper", "")))
        methods = {"memory_bank", "distillation", "reconstruction", "flow", "gaussian", "density", "gan", "clip"}
        assert methods & set(tags) <= set(ours.tags)
        assert ours.metadata["weights_source"] == metadata["weights_source"]


def test_a_row_s_class_is_that_of_its_model_and_has_maps_where_the_tags_say_so() -> None:
    for name, entry in ROWS.items():
        if name == "vision_anomalib_checkpoint":
            continue
        detector = getattr(anomalib_aliases, entry.target.partition(":")[2])
        assert name in detector.model.names
        assert (
            ("pixel_map" in entry.tags) == issubclass(detector, AnomalibDetector) == hasattr(detector, "score_and_map")
        )


def test_the_signature_is_shown_and_nothing_heavy_is_imported_to_list_and_inspect() -> None:
    code = (
        "import inspect, pyimgano.models; from pyimgano.models.registry import MODEL_REGISTRY as r\n"
        "print(inspect.signature(r.get('vision_dinomaly_anomalib')))\n"
    )
    shown = run(sys.executable, "-c", WITHOUT + code).stdout
    for name in inspect.signature(AnomalibScorer).parameters:
        assert name in shown


def test_without_anomalib_the_error_names_the_cure(tmp_path: Path) -> None:
    import zipfile

    path = tmp_path / "a.ckpt"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    code = (
        "from pyimgano.models import create_model\n"
        f"create_model('vision_padim_anomalib', checkpoint_path={str(path)!r})"
    )
    done = run(sys.executable, "-c", WITHOUT + code, check=False)
    assert 'pip install "pyimgano-industrial[anomalib]"' in done.stderr
    for content in (b'<?xml version="1.0"?><net/>', b"\x08\x0a\x12\x07pytorch"):
        path.write_bytes(content)
        done = run(sys.executable, "-c", WITHOUT + code, check=False)
        assert 'pip install "pyimgano-industrial[exports]"' in done.stderr


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"contamination": 0.5}, r"contamination must be in \(0, 0.5\); got 0.5"),
        ({"batch_size": 0}, "batch_size must be 1 or more; got 0"),
        ({"score": "scaled"}, "score must be 'raw' or 'normalized'; got 'scaled'"),
        ({}, "vision_anomalib_checkpoint needs checkpoint_path: .* vision_padim_anomalib"),
        ({"checkpoint_path": "no.ckpt"}, "no.ckpt is not there"),
        ({"checkpoint_path": "no.ckpt", "image_size": (64, 64)}, "are the checkpoint's own"),
    ],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AnomalibDetector(**options)  # type: ignore[arg-type]  # on purpose


def test_a_model_that_cannot_be_loaded_says_why() -> None:
    for model in (*MODELS, GONE):
        if model.not_loadable:
            with pytest.raises(CheckpointError, match=f"{model.name} cannot be used: "):
                getattr(anomalib_aliases, model.class_name)(checkpoint_path="a.ckpt")


def test_an_unfitted_model_without_a_checkpoint_says_what_to_do() -> None:
    detector = anomalib_aliases.Padim()  # type: ignore[attr-defined]  # made from the table
    with pytest.raises(RuntimeError, match="vision_padim_anomalib requires a checkpoint or fit"):
        detector.decision_function(["a.png"])
    with pytest.raises(ValueError, match="fit needs at least one image"):
        detector.fit([])


@pytest.mark.slow
def test_a_command_stops_before_it_reads_images_where_a_checkpoint_is_needed(tmp_path: Path) -> None:
    done = run(
        script("pyimgano-benchmark"), "--dataset", "mvtec", "--root", str(tmp_path), "--category", "x",
        "--model", "vision_dinomaly_anomalib", check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert "requires a checkpoint" in done.stdout + done.stderr


def test_the_page_s_table_is_that_of_the_code() -> None:
    page = Path(__file__).parent.parent.parent / "docs/pages/how-to/anomalib.md"
    shown = [line for line in page.read_text(encoding="utf-8").splitlines() if line.startswith("| `vision_")]
    expected = []
    for model in (*MODELS, GONE):
        names = ", ".join(f"`{name}`" for name in model.names)
        fit, why = ("", f"not loadable: {model.not_loadable}") if model.not_loadable else (model.fit, "")
        cells = (names, model.class_name, "yes" if model.maps else "no", fit, why)
        expected.append("|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|")
    assert shown == expected
