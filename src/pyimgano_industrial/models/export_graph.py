"""What anomalib puts around a network in an export, read from the graph: the resize and crop, and its normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from numpy.typing import NDArray

from pyimgano_industrial.models.placing import CentreCrop, Resize, Step

_PASSED = ("Identity", "Cast", "Reshape", "Add", "Sub", "Mul", "Div")  # they move no pixel of an image


class Value(Protocol):
    """An array in a graph, whichever library read the file; operations have ONNX's names and order of inputs."""

    @property
    def kind(self) -> str:
        """The operation that gives it, "" for the graph's input."""
        ...

    @property
    def inputs(self) -> Sequence[Any]:
        """The values that the operation takes; for Resize (data, sizes), for Slice (data, starts, ends, axes)."""
        ...

    @property
    def mode(self) -> str:
        """How a Resize interpolates, such as "linear" or "cubic"."""
        ...

    @property
    def users(self) -> Sequence[Any]:
        """The values that are computed from it."""
        ...

    @property
    def constant(self) -> NDArray[Any] | None:
        """Its numbers where they do not depend on the graph's input, else None."""
        ...


def raw_source(value: Any) -> tuple[Any, float | None] | None:
    """Return the value before anomalib's normalisation, and the raw threshold; None where it cannot be told.

    anomalib's graph ends in: if (there is a range) clip((raw - threshold) / range + 0.5, 0, 1), else raw. The condition
    is a constant by then; converters keep both branches, or the clip alone, and then often raw * factor + term before
    it. Where these are part of the network's last weights, what is clipped is returned, whose threshold is 0.5. A graph
    that ends otherwise does not normalise.
    """
    if value.kind in ("Clip", "Min"):
        clipped = _clipped(value)
        return _unscaled(clipped) or (None if clipped is None or _scaled(clipped) is None else (clipped, 0.5))
    condition = value.inputs[0].constant if value.kind == "Where" else None
    if condition is None:
        return value, None
    raw = value.inputs[2]
    if not condition.all():
        return raw, None
    found, steps = _clipped(value.inputs[1]), list[tuple[str, float]]()
    while found is not None and found != raw:
        step = _scaled(found)
        if step is None:
            return raw, None
        found = step[0]
        steps.append(step[1:])
    return raw, None if found is None else _threshold(steps)


def steps_of(image: Value, fixed: tuple[int, int] | None) -> tuple[Step, ...] | None:
    """Return how the graph's first operations move an image's pixels; None where that cannot be followed.

    image: the graph's input; fixed: its (height, width) where the graph takes no other.
    """
    size, steps = fixed, [] if fixed is None else [Resize(fixed)]
    cut: dict[int, tuple[int, int]] = {}
    value = _following(image)
    while value is not None and value.kind in (*_PASSED, "Pad", "Resize", "Slice"):
        if value.kind == "Resize":
            if cut or len(steps) > (fixed is not None):
                break  # the network's own
            size = _size(value.inputs[1])
            if size is None:
                return None  # to a size that depends on the image's
            steps.append(Resize(size))
        elif value.kind == "Pad" and size is None:
            return None  # to a square, say
        elif value.kind == "Slice":
            axes = value.inputs[3].constant
            if axes is None or not {2, 3}.issuperset(axes.tolist()):
                break  # of channels
            start, end = value.inputs[1].constant, value.inputs[2].constant
            if size is None or start is None or end is None:
                return None  # of a size that depends on the image's
            cut |= dict(zip(axes.tolist(), zip(start.tolist(), end.tolist(), strict=True), strict=True))
        value = _following(value)
    if not cut or size is None:
        return tuple(steps)
    rows, columns = (cut.get(axis, (0, side)) for axis, side in zip((2, 3), size, strict=True))
    crop = CentreCrop((rows[1] - rows[0], columns[1] - columns[0]))
    centred = [round((side - kept) / 2) for side, kept in zip(size, crop.size, strict=True)]
    return (*steps, crop) if centred == [rows[0], columns[0]] else None


def interpolation_of(image: Value) -> str:
    """Return how the graph resizes its input, "" where it does not."""
    value = _following(image)
    while value is not None and value.kind in (*_PASSED, "Slice"):
        value = _following(value)
    return value.mode if value is not None and value.kind == "Resize" else ""


def _following(value: Value) -> Any:
    """Return the one value that is computed from it, None where there are several."""
    users = [user for user in value.users if user.kind != "Shape"]
    return users[0] if len(users) == 1 else None


def _size(sizes: Value) -> tuple[int, int] | None:
    """Return the (height, width) at the end of a Resize's sizes, None where they are computed."""
    parts = sizes.inputs[-2:] if sizes.constant is None and sizes.kind == "Concat" else [sizes]
    found: list[int] = []
    for part in parts:
        constant = part.constant
        found = [] if constant is None else [*found, *constant.reshape(-1).tolist()]
    return (found[-2], found[-1]) if len(found) >= 2 else None


def _clipped(value: Any) -> Any:
    """Return what is clipped to 0..1 behind constant conditions, None where nothing is."""
    while value.kind == "Where" and (condition := value.inputs[0].constant) is not None:
        value = value.inputs[1 if condition.all() else 2]
    if value.kind == "Clip":
        return value.inputs[0]
    for kind in ("Min", "Max"):  # what clip is where bounds are arrays
        if value.kind != kind:
            return None
        value = next((one for one in value.inputs if one.constant is None), None)
        if value is None:
            return None
    return value


def _unscaled(value: Any) -> tuple[Any, float] | None:
    """Return (raw, threshold) of raw * factor + term or of (raw - threshold) / range + 0.5, None of anything else."""
    steps = list[tuple[str, float]]()
    for kinds in (("Add", "Sub"), ("Mul", "Div"), ("Add", "Sub")):
        step = None if value is None else _scaled(value)
        if step is None or step[1] not in kinds or (len(steps) == 2 and steps[0] != ("Add", 0.5)):
            break  # whatever comes before is the network's
        value = step[0]
        steps.append(step[1:])
    return None if len(steps) < 2 else (value, _threshold(steps))


def _threshold(steps: Sequence[tuple[str, float]]) -> float:
    """Return what gives 0.5 after additions, divisions ... by constants; the last one comes first."""
    slope, offset = 1.0, 0.0
    for kind, constant in steps:
        if kind in ("Add", "Sub"):
            offset += slope * (constant if kind == "Add" else -constant)
        else:
            slope *= constant if kind == "Mul" else 1 / constant
    return (0.5 - offset) / slope


def _scaled(value: Any) -> tuple[Any, str, float] | None:
    """Return (input, operation, constant) of an addition, division ... by one constant number, else None."""
    if value.kind not in ("Add", "Sub", "Mul", "Div"):
        return None
    first, second = value.inputs
    constant = second.constant
    if constant is None and value.kind in ("Add", "Mul"):
        first, constant = second, first.constant
    if constant is None or constant.size != 1:
        return None
    return first, value.kind, float(constant.reshape(()))
