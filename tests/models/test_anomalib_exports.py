"""anomalib's exports read from their graphs, with networks of a few operations, so that every number is known."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from pyimgano_industrial.core.errors import IndustrialWarning, PluginError
from pyimgano_industrial.models.anomalib_detector import AnomalibDetector
from pyimgano_industrial.models.checkpoint_files import CheckpointError
from pyimgano_industrial.models.runtime import DeviceError

pytest.importorskip("onnx")
import onnx
from onnx import TensorProto, helper

ENGINES = [
    pytest.param(name, marks=pytest.mark.skipif(f"not __import__('importlib.util').util.find_spec({name!r})"))
    for name in ("onnxruntime", "openvino")
]


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run ONNX files in this library: in OpenVINO, because ONNX Runtime is not there."""
    if request.param == "openvino":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)  # type: ignore[arg-type]  # as if not installed
    return str(request.param)


def node(operation: str, inputs: str, output: str, **attributes: Any) -> Any:
    return helper.make_node(operation, inputs.split(), [output], **attributes)


def constant(name: str, value: Any, kind: Any = np.float32) -> Any:
    return onnx.numpy_helper.from_array(np.array(value, kind), name)


RESIZED = (
    node("Shape", "image", "shape"),
    node("Slice", "shape zero two", "head"),
    node("Concat", "head side side", "sizes", axis=0),
    node("Resize", "image empty empty sizes", "resized", mode="linear", coordinate_transformation_mode="half_pixel"),
)
CROPPED = (node("Slice", "resized from to rows", "cut"), node("Slice", "cut from to columns", "cropped"))
NETWORK = (
    node("Sub", "cropped mean", "centred"),
    node("ReduceMean", "centred", "map", axes=[1], keepdims=1),
    node("ReduceMax", "map", "score", axes=[1, 2, 3], keepdims=0),
)
CLIPPED = tuple(
    one
    for raw, name in (("score", "pred_score"), ("map", "anomaly_map"))
    for one in (
        node("Sub", f"{raw} threshold", f"{raw}_0"),
        node("Div", f"{raw}_0 range", f"{raw}_1"),
        node("Add", f"{raw}_1 half", f"{raw}_2"),
        node("Clip", f"{raw}_2 low high", f"{raw}_3"),
        node("Where", f"there {raw}_3 {raw}", name),
    )
)
CONDITION = (node("Sub", "largest smallest", "range"), node("Greater", "range low", "there"))
RAW = (node("Identity", "score", "pred_score"), node("Identity", "map", "anomaly_map"))


def write(
    path: Path, *nodes: Any, batch: Any = "batch", height: Any = "height", width: Any = "width", names: Any = None
) -> Path:
    """Write a model whose score is the largest and whose map is the mean of an image's channels, less 0.25."""
    size = {"side": [8], "from": [2], "to": [6], "rows": [2], "columns": [3], "zero": [0], "two": [2]}
    numbers = {
        "threshold": 0.25,
        "largest": 0.75,
        "smallest": 0.25,
        "half": 0.5,
        "two_": 2,
        "none": 0,
        "low": 0,
        "high": 1,
        "empty": [],
    }
    stored = [constant(name, value, np.int64) for name, value in size.items()]
    stored += [constant(name, value) for name, value in numbers.items()] + [constant("mean", [[[0.25]]] * 3)]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [batch, 3, height, width])
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in names or ("pred_score", "anomaly_map")
    ]
    graph = helper.make_graph(nodes, "model", [image], outputs, stored)
    used = {name for one in nodes for name in one.input}
    for one in [one for one in graph.initializer if one.name not in used]:
        graph.initializer.remove(one)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def bright(*shape: int) -> np.ndarray:
    """Return an image of 64, in which a spot of 204 lies in the middle."""
    image = np.full((*shape, 3), 64, np.uint8)
    image[shape[0] // 2 - 2 : shape[0] // 2 + 2, shape[1] // 2 - 2 : shape[1] // 2 + 2] = 204
    return image


def test_raw_scores_maps_and_thresholds_stand_before_the_clip(engine: str, tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx", *RESIZED, *CROPPED, *NETWORK, *CONDITION, *CLIPPED)
    detector = AnomalibDetector(checkpoint_path=path, device="cpu")
    assert type(detector._running()).__module__.endswith({"onnxruntime": "onnx_export"}.get(engine, "openvino_export"))
    assert detector.thresholds.image == pytest.approx(0.25)
    assert detector.thresholds.pixel == pytest.approx(0.25)
    scores = detector.decision_function(
        [bright(8, 8), np.full((8, 8, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)]
    )
    np.testing.assert_allclose(scores, [0.8 - 0.25, 0.75, -0.25], atol=1e-6)
    detector.score = "normalized"
    np.testing.assert_allclose(detector.decision_function([bright(8, 8), np.zeros((8, 8, 3), np.uint8)]), [1, 0])
    np.testing.assert_array_equal(detector.predict([bright(8, 8), np.zeros((8, 8, 3), np.uint8)]), [1, 0])


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize(
    "steps", [("Sub threshold", "Div range", "Add half"), ("Mul two_", "Add none")], ids=["as written", "fused"]
)
def test_a_condition_that_the_converter_left_out_changes_nothing(steps: Any, tmp_path: Path) -> None:
    ends = []
    for raw, name in (("score", "pred_score"), ("map", "anomaly_map")):
        last = raw
        for number, (operation, other) in enumerate(step.split() for step in steps):
            ends.append(node(operation, f"{last} {other}", f"{raw}_{number}"))
            last = f"{raw}_{number}"
        ends.append(node("Clip", f"{last} low high", name))
    path = write(tmp_path / "a.onnx", *RESIZED, *CROPPED, *NETWORK, CONDITION[0], *ends)
    detector = AnomalibDetector(checkpoint_path=path, device="cpu")
    assert detector.thresholds.image == pytest.approx(0.25)
    dark = np.zeros((8, 8, 3), np.uint8)
    np.testing.assert_allclose(detector.decision_function([bright(8, 8), dark]), [0.8 - 0.25, -0.25], atol=1e-6)


@pytest.mark.usefixtures("engine")
@pytest.mark.filterwarnings("ignore:the checkpoint crops")
def test_a_graph_of_fixed_batch_gets_as_many_images(tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx", *RESIZED, *CROPPED, *NETWORK, *RAW, batch=2)
    detector = AnomalibDetector(checkpoint_path=path, device="cpu")
    images = [np.full((8, 8, 3), value, np.uint8) for value in (0, 51, 102, 153, 204)]
    scores, maps = detector.score_and_map(images)
    np.testing.assert_allclose(scores, np.arange(5) / 5 - 0.25, atol=1e-6)
    assert len(maps) == 5


@pytest.mark.usefixtures("engine")
def test_a_crop_inside_the_graph_is_seen_and_its_map_is_not_stretched(tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx", *RESIZED, *CROPPED, *NETWORK, *RAW)
    detector = AnomalibDetector(checkpoint_path=path, device="cpu")
    assert detector.preprocessing == (
        "Resize(size=[8, 8])", "CenterCrop(size=[4, 4])", "whatever else is inside the graph"
    )  # fmt: skip
    image = bright(16, 32)
    with pytest.warns(IndustrialWarning, match="75% of the pixels, at the edges, are not looked at"):
        anomaly_map = detector.get_anomaly_map(image)
    assert anomaly_map.shape == (16, 32)
    outside = np.ones((16, 32), bool)
    outside[4:12, 8:24] = False
    assert (anomaly_map[outside] == anomaly_map.min()).all()
    assert np.unravel_index(anomaly_map.argmax(), (16, 32))[0] in (7, 8)
    assert detector.thresholds.image is None


@pytest.mark.usefixtures("engine")
def test_images_are_resized_with_antialiasing_as_in_training_without_torch_and_anomalib(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "a.onnx", *RESIZED, node("Identity", "resized", "cropped"), *NETWORK, *RAW)
    monkeypatch.setitem(sys.modules, "torch", None)  # type: ignore[arg-type]  # exports need neither
    monkeypatch.setitem(sys.modules, "anomalib", None)  # type: ignore[arg-type]
    board = np.indices((64, 64)).sum(axis=0) % 2 * np.uint8(255)  # every second pixel: grey, where it is averaged
    detector = AnomalibDetector(checkpoint_path=path, device="cpu")
    scores, maps = detector.score_and_map([board.astype(np.uint8), bright(8, 8)])
    np.testing.assert_allclose(maps[0], 0.25, atol=5e-3)
    np.testing.assert_allclose(scores, [0.25, 0.8 - 0.25], atol=5e-3)


@pytest.mark.usefixtures("engine")
def test_a_graph_that_resizes_by_cubics_gets_images_resized_so(tmp_path: Path) -> None:
    resized = [*RESIZED[:3], node("Resize", "image empty empty sizes", "cropped", mode="cubic")]
    image = np.random.default_rng(0).integers(0, 256, (8, 24, 3), np.uint8)
    path = write(tmp_path / "a.onnx", *resized, *NETWORK, *RAW)
    (found,) = AnomalibDetector(checkpoint_path=path, device="cpu")._running()([image], normalized=False)[1] or ()
    grey = PIL.Image.fromarray(image.astype(np.float32).mean(axis=2) / 255)
    np.testing.assert_allclose(found, np.asarray(grey.resize((8, 8), PIL.Image.Resampling.BICUBIC)) - 0.25, atol=1e-5)


@pytest.mark.usefixtures("engine")
def test_a_graph_of_fixed_size_gets_that_size_and_its_crop_is_seen(tmp_path: Path) -> None:
    cropped = (node("Slice", "image from to rows", "cut"), node("Slice", "cut from to columns", "cropped"))
    path = write(tmp_path / "a.onnx", *cropped, *NETWORK, *RAW, height=8, width=8)
    detector = AnomalibDetector(checkpoint_path=path, device="cpu")
    assert detector.preprocessing[:2] == ("Resize(size=[8, 8])", "CenterCrop(size=[4, 4])")
    assert detector.decision_function([np.full((16, 20, 3), 204, np.uint8)])[0] == pytest.approx(0.8 - 0.25)


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("before", [RESIZED, ()])
def test_a_crop_that_is_not_the_centre_s_is_told(before: Any, tmp_path: Path) -> None:
    cropped = (node("Slice", f"{'resized' if before else 'image'} zero two rows", "cropped"),)
    path = write(tmp_path / "a.onnx", *before, *cropped, *NETWORK, *RAW)
    with pytest.warns(IndustrialWarning, match="moves pixels in a way that cannot be followed"):
        AnomalibDetector(checkpoint_path=path, device="cpu")


@pytest.mark.usefixtures("engine")
def test_a_clip_that_cannot_be_undone_is_told(tmp_path: Path) -> None:
    ends = (node("Clip", "score low high", "pred_score"), node("Clip", "map low high", "anomaly_map"))
    path = write(tmp_path / "a.onnx", *RESIZED, *CROPPED, *NETWORK, *ends)
    with pytest.warns(IndustrialWarning, match="in a way that cannot be undone: its values are clipped"):
        AnomalibDetector(checkpoint_path=path, device="cpu")


@pytest.mark.usefixtures("engine")
def test_a_file_that_is_cut_foreign_or_for_another_device_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx", *RESIZED, *CROPPED, *NETWORK, *RAW)
    with pytest.raises(DeviceError, match=r"device must be one that .* sees.*; got 'tpu:7'"):
        AnomalibDetector(checkpoint_path=path, device="tpu:7")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckpointError, match=r"damaged.*export it again"):
        AnomalibDetector(checkpoint_path=path, device="cpu")
    other = write(tmp_path / "b.onnx", *RESIZED, *CROPPED, *NETWORK, names=["map"])
    with pytest.raises(CheckpointError, match=r"must have the outputs pred_score or anomaly_map.*; it has map"):
        AnomalibDetector(checkpoint_path=other, device="cpu")


@pytest.mark.usefixtures("engine")
def test_weights_beside_the_file_are_found_and_missed_and_hashed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.onnx", *RESIZED, *CROPPED, *NETWORK, *CONDITION, *CLIPPED)
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="a.onnx.data", size_threshold=44)  # the mean alone
    image = bright(8, 8)
    detector = AnomalibDetector(checkpoint_path=path, device="cpu")
    assert detector.decision_function([image])[0] == pytest.approx(0.8 - 0.25)
    assert detector.thresholds.image == pytest.approx(0.25)
    weights = path.with_name("a.onnx.data")
    state = detector.__getstate__()
    weights.write_bytes(weights.read_bytes() + b"x")
    changed = AnomalibDetector.__new__(AnomalibDetector)
    changed.__setstate__(state)
    with pytest.raises(CheckpointError, match="is not the file that this detector was made with"):
        changed.decision_function([image])
    weights.unlink()
    with pytest.raises(CheckpointError, match="weights that lie beside it are missing"):
        AnomalibDetector(checkpoint_path=path, device="cpu")


def test_without_either_library_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.onnx", *RESIZED, *CROPPED, *NETWORK, *RAW)
    for name in ("onnxruntime", "openvino"):
        monkeypatch.setitem(sys.modules, name, None)  # type: ignore[arg-type]  # as if not installed
    with pytest.raises(PluginError, match=r"'onnxruntime'.*pyimgano-industrial\[exports\]"):
        AnomalibDetector(checkpoint_path=path, device="cpu")
