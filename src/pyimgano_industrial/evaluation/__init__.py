"""Protocols from data set and detector to results, submissions and reports.

>>> from pyimgano_industrial.evaluation import Number
>>> Number(0.5, low=0.4, high=0.6).bound
0.0
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyimgano_industrial.core.names import on_demand

if TYPE_CHECKING:
    from pyimgano_industrial.evaluation.cell import Outcome
    from pyimgano_industrial.evaluation.folder import RunFolder, RunFolderError
    from pyimgano_industrial.evaluation.protocols import Protocol, default_settings, protocol_of
    from pyimgano_industrial.evaluation.results import Cell, Group, ModelSpec, Number, Run, Settings
    from pyimgano_industrial.evaluation.run import EvaluationError, Plan, evaluate

__all__ = [
    "Cell",
    "EvaluationError",
    "Group",
    "ModelSpec",
    "Number",
    "Outcome",
    "Plan",
    "Protocol",
    "Run",
    "RunFolder",
    "RunFolderError",
    "Settings",
    "default_settings",
    "evaluate",
    "protocol_of",
]

_MODULES = {
    "Cell": "results",
    "EvaluationError": "run",
    "Group": "results",
    "ModelSpec": "results",
    "Number": "results",
    "Outcome": "cell",
    "Plan": "run",
    "Protocol": "protocols",
    "Run": "results",
    "RunFolder": "folder",
    "RunFolderError": "folder",
    "Settings": "results",
    "default_settings": "protocols",
    "evaluate": "run",
    "protocol_of": "protocols",
}

__getattr__, __dir__ = on_demand(__name__, _MODULES)
