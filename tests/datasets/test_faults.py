from __future__ import annotations

import pickle
from pathlib import Path

from pyimgano_industrial.core.errors import DatasetError, ImageError
from pyimgano_industrial.datasets.faults import Fault, FaultError, fault_of

FAULT = Fault("mask-size", "a mask must fit; m.png does not", "export it again", Path("m.png"))


def test_a_fault_reads_rule_value_remedy() -> None:
    assert f"{FAULT}" == "a mask must fit; m.png does not; export it again"
    assert f"{Fault('x', 'only this', '')}" == "only this"


def test_the_error_says_how_many_more_faults_there_are() -> None:
    assert f"{FaultError(FAULT)}" == f"{FAULT}"
    assert f"{FaultError(FAULT, more=2)}".endswith("(and 2 more faults: `pyimgano-industrial check` lists them all)")
    assert isinstance(FaultError(FAULT), (DatasetError, ValueError))


def test_the_error_survives_a_process_boundary() -> None:
    error = pickle.loads(pickle.dumps(FaultError(FAULT, more=1)))
    assert error.fault == FAULT
    assert error.more == 1


def test_any_data_set_error_becomes_a_fault() -> None:
    assert fault_of(FaultError(FAULT), "other", Path("x")) is FAULT
    assert fault_of(ImageError("cannot read a.png; replace it"), "unreadable", Path("a.png")) == Fault(
        "unreadable", "cannot read a.png", "replace it", Path("a.png")
    )
    assert fault_of(DatasetError("no remedy known"), "odd", Path("a.png")).message == "no remedy known"
