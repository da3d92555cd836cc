"""ONNX exports run by ONNX Runtime."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import closest, first_line
from pyimgano_industrial.core.extras import require
from pyimgano_industrial.models.checkpoint_files import CheckpointError
from pyimgano_industrial.models.export_runtime import ExportRuntime
from pyimgano_industrial.models.runtime import DeviceError

_FOLDED = 64  # so many operations may stand behind a constant that is a calculation
_BESIDE = "session.model_external_initializers_file_folder_path"  # the option for weights beside a model in memory


class OnnxRuntime(ExportRuntime):
    """Runs an .onnx file in ONNX Runtime, in float32; raises CheckpointError and DeviceError."""

    def __init__(self, path: Path, *, device: str, alone: bool = False) -> None:
        super().__init__(path, kind="onnx", alone=alone)
        onnxruntime, onnx = require("onnxruntime", extra="exports"), require("onnx", extra="exports")
        protobuf = require("google.protobuf.message", extra="exports")
        try:
            model = onnx.load(path, load_external_data=False)
        except protobuf.DecodeError as error:
            raise CheckpointError(f"{path} is cut short or damaged ({first_line(error)}): export it again") from error
        graph = Graph(model, path.parent)
        outputs = {output.name: Tensor(graph, output.name) for output in model.graph.output}
        sides = tuple(one.dim_value or None for one in model.graph.input[0].type.tensor_type.shape.dim)
        raw = self._read(Tensor(graph, model.graph.input[0].name), sides, outputs)
        self._raw = {name: tensor.name for name, tensor in raw.items()}
        there = [output.name for output in model.graph.output]
        model.graph.output.extend(
            onnx.ValueInfoProto(name=name) for name in dict.fromkeys(self._raw.values()) if name not in there
        )
        options = onnxruntime.SessionOptions()
        options.add_session_config_entry(_BESIDE, str(path.parent.resolve()))
        provider = _provider(onnxruntime, device)
        try:
            self._session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=[provider])
        except _errors() as error:
            found = ", ".join(f"{one.domain or 'opset'} {one.version}" for one in model.opset_import)
            raise CheckpointError(
                f"{path} ({found}) cannot be read by ONNX Runtime {onnxruntime.__version__}: it is damaged, too new, "
                f"or the weights that lie beside it are missing ({first_line(error)}); export it again"
            ) from error
        if self._session.get_providers()[0] != provider[0]:
            raise DeviceError(
                f"device must be there; got {device!r}, and ONNX Runtime cannot start it: use device='auto' or 'cpu'"
            )
        self._input = model.graph.input[0].name

    def run(self, batch: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
        """Return the outputs (N, ...) by name."""
        wanted = {name: name for name in self._names} | self._raw
        found = self._session.run(list(wanted.values()), {self._input: batch})
        return dict(zip(wanted, found, strict=True))


class Graph:
    """An ONNX graph by the names of its arrays. folder: where weights lie that are not inside the file."""

    def __init__(self, model: Any, folder: Path) -> None:
        graph = model.graph
        self.folder, self.opsets = folder, model.opset_import
        self.given = {one.name for one in graph.input}
        self.stored = {one.name: one for one in graph.initializer}
        self.makers = {name: node for node in graph.node for name in node.output}
        self.users: dict[str, list[str]] = {}
        for node in graph.node:
            for name in dict.fromkeys(node.input):
                self.users.setdefault(name, []).append(node.output[0])

    def constant(self, name: str) -> NDArray[Any] | None:
        """Return an array that depends on no input, None for others and for those behind many operations."""
        from onnx import helper, numpy_helper
        from onnx.reference import ReferenceEvaluator

        if name in self.stored:
            return np.asarray(numpy_helper.to_array(self.stored[name], f"{self.folder}"))
        nodes: list[Any] = []
        stored, open_names, seen = [], [name], {name}
        while open_names:
            one = open_names.pop()
            if one in self.stored:
                stored.append(self.stored[one])
            elif one in self.makers and len(nodes) < _FOLDED:
                nodes.append(self.makers[one])
                open_names += [other for other in self.makers[one].input if other and other not in seen]
                seen.update(self.makers[one].input)
            else:
                return None
        if any(one.data_location for one in stored):
            return None  # weights, whatever is computed from them
        order = {id(node): index for index, node in enumerate(self.makers.values())}
        nodes = sorted({id(node): node for node in nodes}.values(), key=lambda node: order[id(node)])
        graph = helper.make_graph(nodes, "constant", [], [helper.make_empty_tensor_value_info(name)], stored)
        return np.asarray(ReferenceEvaluator(helper.make_model(graph, opset_imports=self.opsets)).run(None, {})[0])


class Tensor(NamedTuple):
    """A `Value` of an ONNX graph."""

    graph: Graph
    name: str

    @property
    def kind(self) -> str:
        """See `Value`."""
        node = self.graph.makers.get(self.name)
        return "" if node is None else str(node.op_type)

    @property
    def inputs(self) -> list[Tensor]:
        """See `Value`."""
        names = list(self.graph.makers[self.name].input)
        if self.kind == "Resize":
            names = [names[0], names[-1]]
        return [Tensor(self.graph, name) for name in names]

    @property
    def mode(self) -> str:
        """See `Value`."""
        found = [one.s.decode() for one in self.graph.makers[self.name].attribute if one.name == "mode"]
        return found[0] if found else "nearest"

    @property
    def users(self) -> list[Tensor]:
        """See `Value`."""
        return [Tensor(self.graph, name) for name in self.graph.users.get(self.name, ())]

    @property
    def constant(self) -> NDArray[Any] | None:
        """See `Value`."""
        return self.graph.constant(self.name)


def _provider(onnxruntime: Any, name: str) -> tuple[str, dict[str, str]]:
    """Return ONNX Runtime's name of a device, and its options; "auto" is CUDA where it is there, else the CPU."""
    there = onnxruntime.get_available_providers()
    cuda = "CUDAExecutionProvider" in there
    found = re.fullmatch(r"cuda(?::(\d+))?", "cuda" if name == "auto" and cuda else name)
    if found and cuda:
        return "CUDAExecutionProvider", {"device_id": found[1] or "0", "use_tf32": "0"}
    if name in ("auto", "cpu"):
        return "CPUExecutionProvider", {}
    known = ["auto", "cpu", *(["cuda", "cuda:0"] if cuda else [])]
    raise DeviceError(
        f"device must be one that ONNX Runtime {onnxruntime.__version__} sees; got {name!r}: {closest(name, known)}"
    )


def _errors() -> tuple[type[Exception], ...]:
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    names = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NoSuchFile", "NotImplemented")
    return *(getattr(state, name) for name in names), state.RuntimeException
