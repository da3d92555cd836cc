"""The folder of a run on disk: JSON of frozen dataclasses, written atomically, read back as they were."""

from __future__ import annotations

import contextlib
import json
import re
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError, closest
from pyimgano_industrial.core.files import written
from pyimgano_industrial.evaluation.counts import CellCounts
from pyimgano_industrial.evaluation.results import FORMAT, Cell, Row, Run

_T = TypeVar("_T")
_UNSAFE = re.compile(r"[^\w.+=-]+")


class RunFolderError(IndustrialError, ValueError):
    """A folder that is no run, or whose files cannot be read."""


class RunFolder:
    """Reads and writes the files of a run.

    >>> RunFolder("run").cell_folder("vision_padim", "pushpins").as_posix()
    'run/cells/vision_padim/pushpins'
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @property
    def results(self) -> Path:
        return self.path / "results.json"

    def cell_folder(self, model: str, category: str) -> Path:
        """Return where a cell's files lie; characters that no file system likes become dashes."""
        return self.path / "cells" / safe_name(model) / safe_name(category)

    def load(self) -> Run:
        """Return the run; raises RunFolderError, naming the file, where there is none or it is damaged."""
        return _load(self.results, Run, "pass the folder that `industrial evaluate --output` wrote")

    def save(self, run: Run) -> None:
        """Write results.json."""
        write_json(self.results, run)

    def load_cell(self, row: Row) -> Cell:
        """Return the cell of a row; raises RunFolderError where its file is not there or damaged."""
        return self.load_cell_at(self.path / row.folder)

    def load_cell_at(self, path: Path) -> Cell:
        """Return the cell in a folder; raises as `load_cell` does."""
        return _load(path / "result.json", Cell, "evaluate again: only what is missing is run")

    def save_cell(self, cell: Cell) -> None:
        """Write result.json of a cell."""
        write_json(self.cell_folder(cell.model, cell.category) / "result.json", cell)

    def load_curves(self, row: Row) -> dict[str, NDArray[np.float64]]:
        """Return the curves of a cell by name, each (N, 2) float64; empty where it has none."""
        path = self.path / row.folder / "curves.npz"
        return _arrays(path) if path.exists() else {}

    def save_curves(self, model: str, category: str, curves: Mapping[str, NDArray[np.float64]]) -> None:
        """Write curves.npz of a cell."""
        path = self.cell_folder(model, category) / "curves.npz"
        with written(path) as spare, spare.open("wb") as file:
            np.savez_compressed(file, **dict(curves))  # type: ignore[arg-type] # numpy takes names that are no identifiers

    def load_counts(self, row: Row) -> CellCounts | None:
        """Return what each image of a cell adds to its curves; None where that was not kept."""
        path = self.path / row.folder / "counts.npz"
        return CellCounts.of_arrays(_arrays(path)) if path.exists() else None

    def save_counts(self, model: str, category: str, counts: CellCounts) -> None:
        """Write counts.npz of a cell."""
        path = self.cell_folder(model, category) / "counts.npz"
        with written(path) as spare, spare.open("wb") as file:
            np.savez_compressed(file, **counts.arrays())  # type: ignore[arg-type] # as above

    def row(self, cell: Cell) -> Row:
        """Return the row that stands for a cell in the run's table."""
        return Row(
            cell.model,
            cell.category,
            cell.state,
            self.cell_folder(cell.model, cell.category).relative_to(self.path).as_posix(),
            reason=cell.reason,
            metrics=cell.metrics,
            gaps=cell.gaps,
            images=len(cell.images),
            errors=len(cell.failures),
            cost=cell.cost,
        )


def write_json(path: Path, value: Any) -> None:
    """Write a dataclass as JSON: the file is whole or as it was before. Numbers must be finite."""
    text = json.dumps(asdict(value), indent=1, allow_nan=False, ensure_ascii=False)
    with written(path) as spare:
        spare.write_text(text + "\n", encoding="utf-8")


def _arrays(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path) as file:
            return {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise RunFolderError(f"cannot read {path}: {error}; evaluate again with --again") from error


def from_json(kind: type[_T], data: Any) -> _T:
    """Return a frozen dataclass from the plain data that `dataclasses.asdict` made of it.

    Raises RunFolderError for data that does not fit: an unknown name, a missing one, another type.
    """
    built: _T = _read(kind, data, kind.__name__)
    return built


def _load(path: Path, kind: type[_T], remedy: str) -> _T:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunFolderError(f"there is no {path}: {remedy}") from error
    except (OSError, ValueError) as error:
        raise RunFolderError(f"cannot read {path}: {error}; {remedy}") from error
    found = data.get("format", FORMAT) if isinstance(data, dict) else FORMAT
    if found != FORMAT:
        raise RunFolderError(
            f"{path} must be of format {FORMAT}; it is {found}: read it with the version that wrote it"
        )
    try:
        return from_json(kind, data)
    except RunFolderError as error:
        raise RunFolderError(f"{path} does not fit: {error}; {remedy}") from error


def _read(kind: Any, data: Any, where: str) -> Any:
    origin, args = get_origin(kind), get_args(kind)
    if kind is Any:
        return data
    if origin in (Union, UnionType):
        return _read_one_of(args, data, where)
    if origin is tuple:
        _expect(isinstance(data, list), where, "a list", data)
        return tuple(_read(args[0], one, f"{where}[{index}]") for index, one in enumerate(data))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _expect(isinstance(data, dict), where, "an object", data)
        return {name: _read(args[1], one, f"{where}.{name}") for name, one in data.items()}
    if is_dataclass(kind):
        return _read_dataclass(kind, data, where)
    if args:  # a Literal
        _expect(data in args, where, f"one of {', '.join(map(repr, args))}", data)
        return data
    if kind is float:
        _expect(isinstance(data, (int, float)) and not isinstance(data, bool), where, "a number", data)
        return float(data)
    _expect(
        isinstance(data, kind) and isinstance(data, bool) == (kind is bool), where, f"of type {kind.__name__}", data
    )
    return data


def _read_one_of(kinds: tuple[Any, ...], data: Any, where: str) -> Any:
    if data is None and type(None) in kinds:
        return None
    others = [kind for kind in kinds if kind is not type(None)]
    for kind in others[:-1]:
        with contextlib.suppress(RunFolderError):
            return _read(kind, data, where)
    return _read(others[-1], data, where)


def _read_dataclass(kind: Any, data: Any, where: str) -> Any:
    _expect(isinstance(data, dict), where, "an object", data)
    hints = _hints(kind)
    for name in data:
        if name not in hints:
            raise RunFolderError(f"{where} has no entry {name!r}; {closest(name, hints)}")
    try:
        return kind(**{name: _read(hints[name], one, f"{where}.{name}") for name, one in data.items()})
    except TypeError as error:
        raise RunFolderError(f"{where}: {error}") from error


@cache
def _hints(kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _expect(holds: bool, where: str, what: str, data: Any) -> None:
    if not holds:
        raise RunFolderError(f"{where} must be {what}; got {data!r}")


def safe_name(name: str) -> str:
    """Return a name as a folder may have it."""
    return _UNSAFE.sub("-", name).strip(".") or "all"
