"""A whole run: cells one after the other, in processes or on a Dask cluster, each kept as soon as it is done."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.core.progress import TerminalProgress
from pyimgano_industrial.evaluation.cell import Opener, Outcome, Task, run_cell
from pyimgano_industrial.evaluation.detectors import Maker
from pyimgano_industrial.evaluation.folder import RunFolder, safe_name
from pyimgano_industrial.evaluation.machine import machine, versions
from pyimgano_industrial.evaluation.results import ModelSpec, Row, Run, Settings
from pyimgano_industrial.inference.changes import now

Told = Callable[[Outcome], None]


class EvaluationError(IndustrialError, ValueError):
    """An evaluation cannot be run as asked."""


@dataclass(frozen=True)
class Plan:
    """What is to be evaluated.

    models, categories: every model runs on every category
    open:    opens a category of the data set; make: makes a detector of a model. Both pickle
    output:  the run's folder; export: where maps go, None for nowhere
    jobs:    cells at a time, each in a process of its own; dask: address of a scheduler, whose workers run them
    again:   run cells that are there already
    command: what repeats the run
    """

    settings: Settings
    models: tuple[ModelSpec, ...]
    categories: tuple[str, ...]
    open: Opener
    make: Maker
    output: Path
    export: Path | None = None
    jobs: int = 1
    dask: str | None = None
    again: bool = False
    command: tuple[str, ...] = ()


def evaluate(plan: Plan, *, told: Told | None = None) -> Run:
    """Run every cell that is not there yet, and return the run; results.json is whole after each cell.

    told: called with each outcome as it comes, in any order. Raises EvaluationError for a plan that cannot be run; what
    goes wrong in one cell is its `reason`.
    """
    _check(plan)
    folder = RunFolder(plan.output.absolute())
    run = Run(
        plan.settings,
        plan.models,
        plan.categories,
        tuple(_waiting(folder, spec.label, category) for spec in plan.models for category in plan.categories),
        plan.command,
        now(),
        versions=versions(),
        machine=machine(),
    )
    folder.save(run)
    for outcome in _outcomes(plan, list(_tasks(plan, folder.path))):
        row = folder.row(outcome.cell)
        rows = (row if (one.model, one.category) == (row.model, row.category) else one for one in run.rows)
        run = replace(run, rows=tuple(rows))
        folder.save(run)
        if told is not None:
            told(outcome)
    run = replace(run, finished=now())
    folder.save(run)
    return run


def export_folder(plan: Plan, label: str) -> Path | None:
    """Return where the maps of a model go: the folder itself, or one a model where there are several."""
    if plan.export is None:
        return None
    whole = plan.export.absolute()
    return whole if len(plan.models) == 1 else whole / safe_name(label)


def _tasks(plan: Plan, output: Path) -> Iterator[Task]:
    for spec in plan.models:
        export = export_folder(plan, spec.label)
        for category in plan.categories:
            yield Task(spec, category, plan.settings, plan.open, plan.make, output, export, plan.again)


def _outcomes(plan: Plan, tasks: Sequence[Task]) -> Iterable[Outcome]:
    if plan.dask is None and (plan.jobs == 1 or len(tasks) == 1):
        return _one_by_one(tasks)
    return _in_parallel(plan, tasks)


def _one_by_one(tasks: Sequence[Task]) -> Iterator[Outcome]:
    for number, task in enumerate(tasks, start=1):
        what = f"{task.spec.label} {task.category} ({number} of {len(tasks)})"
        with TerminalProgress(what) as progress:
            outcome = run_cell(task, progress)
        yield outcome  # what is told of it takes the place of the line


def _in_parallel(plan: Plan, tasks: Sequence[Task]) -> Iterator[Outcome]:
    from joblib import Parallel, delayed, parallel_config  # the host brings joblib

    backend: dict[str, Any] = {"backend": "loky", "n_jobs": plan.jobs}
    client = None
    if plan.dask is not None:
        client = _client(plan.dask)
        backend = {"backend": "dask", "n_jobs": -1}
    try:
        with parallel_config(**backend), TerminalProgress("cells") as progress:
            found = Parallel(return_as="generator_unordered", batch_size=1)(delayed(run_cell)(task) for task in tasks)
            for done, outcome in enumerate(found, start=1):
                progress.clear()  # what is told of it takes the place of the line
                yield outcome
                progress(done, len(tasks))
    finally:
        if client is not None:
            client.close()


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise EvaluationError(f'--dask needs dask.distributed ({error}): pip install "distributed"') from error
    try:
        return Client(address, timeout="10s")
    except (OSError, ValueError) as error:
        raise EvaluationError(f"no Dask scheduler answers at {address}: {error}; start one, or use --jobs") from error


def _check(plan: Plan) -> None:
    labels = [spec.label for spec in plan.models]
    for what, names in (("model", labels), ("category", list(plan.categories))):
        if not names:
            raise EvaluationError(f"an evaluation needs a {what}; got none")
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise EvaluationError(f"each {what} must have a name of its own; {twice!r} is there twice: see --label")
    folder = RunFolder(plan.output)
    folders = {folder.cell_folder(label, name) for label in labels for name in plan.categories}
    if len(folders) < len(labels) * len(plan.categories):
        raise EvaluationError("two models or categories would have one folder: their names differ in signs only")
    if plan.jobs == 0:
        raise EvaluationError("jobs must be 1 or more, or -1 for all cores; got 0")


def _waiting(folder: RunFolder, model: str, category: str) -> Row:
    return Row(model, category, "waiting", folder.cell_folder(model, category).relative_to(folder.path).as_posix())
