"""OpenVINO and ONNX exports run by OpenVINO; raw scores and maps are read before the graph normalises them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialWarning, closest
from pyimgano_industrial.core.extras import require
from pyimgano_industrial.models.checkpoint_files import CheckpointError, Kind
from pyimgano_industrial.models.placing import Step
from pyimgano_industrial.models.runtime import DeviceError, Output, Thresholds


class OpenVinoRuntime:
    """Runs an export; its graph holds the preprocessing, and takes images of any size or of one fixed size.

    anomalib's exports end in their own normalisation, which clips to 0..1; `normalized` gives that, otherwise scores
    and maps are read from the place in the graph where the normalisation begins. `alone` is the table's.
    """

    class_name = "unknown"
    steps: tuple[Step, ...] = ()

    def __init__(self, path: Path, *, kind: Kind, device: str, alone: bool = False) -> None:
        openvino = require("openvino", extra="exports")
        core = openvino.Core()
        self.kind: str = kind
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise CheckpointError(
                f"{path} is damaged, or the weights that lie beside it are missing ({_first_line(error)}); "
                f"export it again"
            ) from error
        _fold_constants(model)
        outputs = {name: output for output in model.outputs for name in output.get_names()}
        self._names = [name for name in ("pred_score", "anomaly_map") if name in outputs]
        if not self._names:
            raise CheckpointError(
                f"{path} must have the outputs pred_score or anomaly_map, as anomalib's exports do; "
                f"it has {', '.join(sorted(outputs)) or 'none with a name'}"
            )
        limits: dict[str, float | None] = {}
        for name in self._names:
            found = raw_source(outputs[name].get_node().input_value(0))
            if found is None:
                warnings.warn(
                    f"{path} normalises {name} in a way that cannot be undone: its values are clipped to 0..1",
                    IndustrialWarning,
                    stacklevel=4,
                )
            source, limits[name] = found or (outputs[name].get_node().input_value(0), None)
            model.add_outputs([source])[0].get_tensor().add_names({f"raw_{name}"})
        self.thresholds = Thresholds(limits.get("pred_score"), limits.get("anomaly_map"))
        shape = model.input(0).get_partial_shape()
        self._fixed = None if shape[2].is_dynamic else (shape[2].get_length(), shape[3].get_length())
        self._one_by_one = alone or not shape[0].is_dynamic
        size = "of any size" if self._fixed is None else f"resized to {self._fixed[0]} x {self._fixed[1]} here"
        self.preprocessing: tuple[str, ...] = (f"inside the graph; its input is an image {size}",)
        self._compiled = core.compile_model(model, _device(core, device), {"INFERENCE_PRECISION_HINT": "f32"})

    def __call__(self, images: Sequence[NDArray[np.uint8]], *, normalized: bool) -> Output:
        """Return scores (N,) and maps as the graph gives them; images of one size go through in one batch."""
        prepared = [self._prepare(image) for image in images]
        results: dict[int, dict[str, NDArray[np.float32]]] = {}
        for shape in dict.fromkeys(one.shape for one in prepared):
            indices = [index for index, one in enumerate(prepared) if one.shape == shape]
            for part in [[index] for index in indices] if self._one_by_one else [indices]:
                found = self._compiled({0: np.stack([prepared[index] for index in part])})
                for name in self._names:
                    values = np.asarray(found[name if normalized else f"raw_{name}"], np.float32)
                    for index, value in zip(part, values, strict=True):
                        results.setdefault(index, {})[name] = value
        each = [results[index] for index in range(len(images))]
        maps = [one["anomaly_map"].reshape(one["anomaly_map"].shape[-2:]) for one in each if "anomaly_map" in one]
        scores = [one["pred_score"].max() if "pred_score" in one else one["anomaly_map"].max() for one in each]
        return np.array(scores, np.float32), maps or None

    def _prepare(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return (3, H, W) float32 in 0..1."""
        scaled = image.astype(np.float32) / 255
        if self._fixed is not None and scaled.shape[:2] != self._fixed:
            from PIL import Image

            size = (self._fixed[1], self._fixed[0])
            planes = [Image.fromarray(np.ascontiguousarray(plane)) for plane in np.moveaxis(scaled, -1, 0)]
            return np.stack([np.asarray(plane.resize(size, Image.Resampling.BILINEAR)) for plane in planes])
        return np.ascontiguousarray(np.moveaxis(scaled, -1, 0))


def raw_source(output: Any) -> tuple[Any, float | None] | None:
    """Return the graph's value before anomalib's normalisation, and the raw threshold; None where it cannot be told.

    anomalib's graph ends in: if (there is a range) clip((raw - threshold) / range + 0.5, 0, 1), else raw. The condition
    is a constant by then, and converters keep both branches. A graph that ends otherwise does not normalise.
    """
    node = output.get_node()
    if node.get_type_name() in ("Clamp", "Minimum"):
        return None
    condition = _constant(node.input_value(0)) if node.get_type_name() == "Select" else None
    if condition is None:
        return output, None
    raw = node.input_value(2)
    if not condition.all():
        return raw, None
    found = _clamped(node.input_value(1))
    slope, offset = 1.0, 0.0
    while found is not None and found != raw:
        step = _scaled(found)
        if step is None:
            return raw, None
        found, kind, constant = step
        if kind in ("Add", "Subtract"):
            offset += slope * (constant if kind == "Add" else -constant)
        else:
            slope *= constant if kind == "Multiply" else 1 / constant
    return raw, None if found is None else (0.5 - offset) / slope


def _fold_constants(model: Any) -> None:
    """Compute what depends on constants alone: ONNX files keep the thresholds and conditions as small calculations."""
    from openvino.passes import ConstantFolding, Manager

    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(model)


def _clamped(output: Any) -> Any:
    """Return what is clipped to 0..1 behind constant conditions, None where nothing is."""
    node = output.get_node()
    while node.get_type_name() == "Select" and (condition := _constant(node.input_value(0))) is not None:
        output = node.input_value(1 if condition.all() else 2)
        node = output.get_node()
    if node.get_type_name() == "Clamp":
        return node.input_value(0)
    for kind in ("Minimum", "Maximum"):  # what clip is in an ONNX file
        if node.get_type_name() != kind:
            return None
        output = next(value for value in (node.input_value(0), node.input_value(1)) if _constant(value) is None)
        node = output.get_node()
    return output


def _scaled(output: Any) -> tuple[Any, str, float] | None:
    """Return (input, operation, constant) of an addition, division ... by one constant number, else None."""
    node = output.get_node()
    if node.get_type_name() not in ("Add", "Subtract", "Multiply", "Divide"):
        return None
    first, second = node.input_value(0), node.input_value(1)
    constant = _constant(second)
    if constant is None and node.get_type_name() in ("Add", "Multiply"):
        first, constant = second, _constant(first)
    if constant is None or constant.size != 1:
        return None
    return first, node.get_type_name(), float(constant.reshape(()))


def _constant(output: Any) -> NDArray[Any] | None:
    node = output.get_node()
    return np.asarray(node.data) if node.get_type_name() == "Constant" else None


def _device(core: Any, name: str) -> str:
    """Return OpenVINO's name of a device; "auto" leaves the choice to it. Raises DeviceError where it is not there."""
    wanted = name.upper()
    there = [*core.available_devices, "AUTO"]
    if wanted not in there:
        raise DeviceError(
            f"device must be one that OpenVINO sees for an OpenVINO or ONNX export; got {name!r}: "
            f"{closest(wanted, there)}"
        )
    return wanted


def _first_line(error: Exception) -> str:
    return f"{error}".strip().partition("\n")[0]
