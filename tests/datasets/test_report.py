from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyimgano_industrial.datasets.faults import Fault, Severity
from pyimgano_industrial.datasets.report import Count, Duplicate, Report


def _report(severity: Severity) -> Report:
    return Report(
        dataset="MVTec AD",
        root=Path("data"),
        categories=("bottle",),
        counts=(Count("bottle", "train", "normal", "good", 3),),
        faults=(Fault("rule", "message", "remedy", Path("data/a.png"), severity),),
        duplicates=(Duplicate("near", "bottle", "test", Path("a.png"), Path("b.png"), 1.5, 2.0),),
    )


def test_a_report_becomes_json() -> None:
    plain = json.loads(json.dumps(_report("note").to_dict()))
    assert plain["counts"] == [
        {"category": "bottle", "split": "train", "label": "normal", "anomaly_type": "good", "images": 3}
    ]
    assert plain["faults"][0]["file"] == f"{Path('data/a.png')}"
    assert plain["duplicates"][0]["training_image"] == "b.png"
    assert plain["root"] == "data"
    assert plain["categories"] == ["bottle"]
    assert plain["ok"] is True


@pytest.mark.parametrize(("severity", "ok"), [("error", False), ("warning", True), ("note", True)])
def test_only_errors_make_a_report_not_ok(severity: Severity, ok: bool) -> None:
    assert _report(severity).ok is ok
