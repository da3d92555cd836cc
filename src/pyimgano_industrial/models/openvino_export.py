"""OpenVINO and ONNX exports run by OpenVINO."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import closest, first_line
from pyimgano_industrial.core.extras import require
from pyimgano_industrial.models.checkpoint_files import CheckpointError, Kind
from pyimgano_industrial.models.export_runtime import ExportRuntime
from pyimgano_industrial.models.runtime import DeviceError

_ONNX = {  # ONNX's names of OpenVINO's operations
    "Clamp": "Clip", "Convert": "Cast", "Divide": "Div", "Interpolate": "Resize", "Maximum": "Max", "Minimum": "Min",
    "Multiply": "Mul", "Parameter": "", "Select": "Where", "ShapeOf": "Shape", "Subtract": "Sub",
}  # fmt: skip


class OpenVinoRuntime(ExportRuntime):
    """Runs an .xml or .onnx file in OpenVINO, in float32; raises CheckpointError and DeviceError."""

    def __init__(self, path: Path, *, kind: Kind, device: str, alone: bool = False) -> None:
        super().__init__(path, kind=kind, alone=alone)
        openvino = require("openvino", extra="exports")
        core = openvino.Core()
        try:
            model = core.read_model(path)
        except RuntimeError as error:
            raise CheckpointError(
                f"{path} is damaged, or the weights that lie beside it are missing ({first_line(error)}); "
                f"export it again"
            ) from error
        _fold_constants(model)
        shape = model.input(0).get_partial_shape()
        sides = tuple(None if one.is_dynamic else one.get_length() for one in shape)
        outputs = {
            name: Output(output.get_node().input_value(0)) for output in model.outputs for name in output.get_names()
        }
        for name, value in self._read(Output(model.input(0)), sides, outputs).items():
            model.add_outputs([value.output])[0].get_tensor().add_names({name})
        self._compiled = core.compile_model(model, _device(core, device), {"INFERENCE_PRECISION_HINT": "f32"})

    def run(self, batch: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Return the outputs (N, ...) by name."""
        found = self._compiled({0: batch})
        return {name: np.asarray(found[name]) for one in self._names for name in (one, f"raw_{one}")}


@dataclass(frozen=True)
class Output:
    """A `Value` of OpenVINO's graph."""

    output: Any

    @property
    def kind(self) -> str:
        """See `Value`."""
        name: str = self.output.get_node().get_type_name()
        return _ONNX.get(name, name)

    @property
    def inputs(self) -> list[Output]:
        """See `Value`."""
        found = [Output(one) for one in self.output.get_node().input_values()]
        return [*found[:3], *found[4:]] if self.kind == "Slice" else found  # its fourth are the strides

    @property
    def mode(self) -> str:
        """See `Value`."""
        return str(self.output.get_node().get_attributes().get("mode", ""))

    @property
    def users(self) -> list[Output]:
        """See `Value`."""
        return [Output(one.get_node().output(0)) for one in self.output.get_target_inputs()]

    @property
    def constant(self) -> NDArray[Any] | None:
        """See `Value`."""
        return np.asarray(self.output.get_node().data) if self.kind == "Constant" else None


def _fold_constants(model: Any) -> None:
    """Compute what depends on constants alone: ONNX files keep the thresholds and conditions as small calculations."""
    from openvino.passes import ConstantFolding, Manager

    manager = Manager()
    manager.register_pass(ConstantFolding())
    manager.run_passes(model)


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
