"""`status` tells the truth about this environment."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from importlib.util import find_spec

import pytest

from distributions import run, script
from pyimgano_industrial.cli.status import opencv_advice, render


def status(*arguments: str, env: dict[str, str] | None = None, check: bool = True) -> str:
    return run(script("pyimgano-industrial"), "status", *arguments, env=env, check=check).stdout


def test_json_holds_versions_plugins_rows_seams_and_extras() -> None:
    report = json.loads(status("--json"))
    assert report["ok"]
    assert report["versions"]["pyimgano"].startswith("0.9.")
    waiting = {seam["module"] for seam in report["seams"] if seam["state"] != "applied"}
    names = ("cflow", "dfm", "draem", "simplenet", "spade", "stfpm")
    needs_torch = {"pyimgano.datasets.image", *(f"pyimgano.models.{name}" for name in names)}
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
    assert '  anomalib    missing anomalib: pip install "pyimgano-industrial[anomalib]"' in status()


def test_a_second_opencv_is_no_cure() -> None:
    report = json.loads(status("--json"))
    headless = {extra["name"]: extra for extra in report["extras"]}["headless"]
    assert report["opencv"]["distributions"]
    assert headless["cure"] is None
    if headless["missing"]:
        assert "  headless    not needed: another OpenCV is installed" in status()


def test_the_switch_shows() -> None:
    told = status(env={"PYIMGANO_DISABLE_PLUGIN_AUTOLOAD": "1"})
    assert "autoload  off (PYIMGANO_DISABLE_PLUGIN_AUTOLOAD=1)" in told
    assert "  waiting  models              the plugins' models in the registry; in pyimgano.models" in told


def test_a_refused_seam_names_its_modules_and_why() -> None:
    report = json.loads(status("--json"))
    state = "refused: pyimgano.io.image has no read_image"
    for seam in report["seams"]:
        if seam["name"] == "colours":
            seam["state"] = state
    shown = render(report)
    assert "  refused  colours             arrays are RGB, as files are; in pyimgano.features.color_hist, " in shown
    assert ", pyimgano.models.template_ncc_map: pyimgano.io.image has no read_image" in shown


@pytest.mark.skipif(sys.platform == "win32", reason="there is no pty")
def test_on_a_terminal_of_80_columns_every_line_fits() -> None:
    import pty

    main, terminal = pty.openpty()
    command = [script("pyimgano-industrial"), "status"]
    with subprocess.Popen(command, stdout=terminal, env={**os.environ, "COLUMNS": "80"}) as running:
        os.close(terminal)
        printed = b""
        with contextlib.suppress(OSError):  # how Linux tells that the other end is closed
            while part := os.read(main, 1 << 16):
                printed += part
    os.close(main)
    assert running.returncode == 0
    lines = printed.decode().splitlines()
    assert len(lines) > 80
    assert max(map(len, lines)) <= 80
    assert b"\x1b" not in printed


def test_advice_on_opencv_only_where_something_is_wrong() -> None:
    assert opencv_advice({"opencv-python": "5.0"}) is None
    assert "no OpenCV is installed" in (opencv_advice({}) or "")
    both = opencv_advice({"opencv-python": "5.0", "opencv-python-headless": "5.0"})
    assert "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python-headless" in (both or "")
