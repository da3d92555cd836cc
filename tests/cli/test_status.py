"""`status` tells the truth about this environment."""

from __future__ import annotations

import json
from importlib.util import find_spec

import pytest

from distributions import run, script
from pyimgano_industrial.cli.status import opencv_advice


def status(*arguments: str, env: dict[str, str] | None = None, check: bool = True) -> str:
    return run(script("pyimgano-industrial"), "status", *arguments, env=env, check=check).stdout


def test_json_holds_versions_plugins_rows_seams_and_extras() -> None:
    report = json.loads(status("--json"))
    assert report["ok"]
    assert report["versions"]["pyimgano"].startswith("0.9.")
    waiting = {seam["module"] for seam in report["seams"] if seam["state"] != "applied"}
    needs_torch = {f"pyimgano.models.{name}" for name in ("cflow", "dfm", "draem", "simplenet", "spade", "stfpm")}
    assert waiting == (set() if find_spec("torch") else needs_torch)
    assert "mvtec_loco" in {row["name"] for row in report["rows"]}
    assert [source["failure"] for source in report["plugins"]] == [None] * len(report["plugins"])
    assert {extra["name"] for extra in report["extras"]} == {
        "anomalib",
        "clip",
        "completion",
        "exports",
        "headless",
        "large",
        "report",
    }


@pytest.mark.skipif(find_spec("anomalib") is not None, reason="anomalib is installed here: nothing is missing")
def test_a_missing_extra_shows_its_cure() -> None:
    missing = {extra["name"]: extra for extra in json.loads(status("--json"))["extras"]}["anomalib"]
    assert missing["missing"] == ["anomalib"]
    assert missing["cure"] == 'pip install "pyimgano-industrial[anomalib]"'
    assert 'anomalib   missing anomalib: pip install "pyimgano-industrial[anomalib]"' in status()


def test_the_switch_shows() -> None:
    told = status(env={"PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": "1"})
    assert "autoload    off (PYIMGANO_DISABLE_PLUGIN_AUTOLOAD=1)" in told
    assert "  waiting    models" in told


def test_advice_on_opencv_only_where_something_is_wrong() -> None:
    assert opencv_advice({"opencv-python": "5.0"}) is None
    assert "no OpenCV is installed" in (opencv_advice({}) or "")
    both = opencv_advice({"opencv-python": "5.0", "opencv-python-headless": "5.0"})
    assert "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python-headless" in (both or "")
