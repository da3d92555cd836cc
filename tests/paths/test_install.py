"""Wheel, editable install and uninstall in a fresh environment, with the host from the package index."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import acme
from distributions import pip, run

if TYPE_CHECKING:
    from paths.conftest import Environment

ROOT = Path(__file__).parent.parent.parent
SHIM = {"_pyimgano_autoload.py", "_pyimgano_autoload.pth", "_pyimgano_autoload.start"}

pytestmark = pytest.mark.slow


def test_the_wheel_holds_the_package_the_shim_and_nothing_else(archives: Path) -> None:
    (wheel,) = archives.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}
    assert tops == {*SHIM, "pyimgano_industrial", "pyimgano_industrial-0.1.0.dist-info"}
    assert "pyimgano_industrial/py.typed" in names
    assert all(name.endswith((".py", ".typed")) for name in names if name.startswith("pyimgano_industrial/"))


def test_the_sdist_holds_every_file_that_its_tests_and_its_docs_need(archives: Path) -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("not a checkout")
    (sdist,) = archives.glob("*.tar.gz")
    with tarfile.open(sdist) as packed:
        held = {name.partition("/")[2] for name in packed.getnames()}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split(
        "\n"
    )
    wanted = {name for name in listed if name and not name.startswith(".") and (ROOT / name).exists()}
    assert wanted <= held
    assert held - wanted <= {"PKG-INFO", ".gitignore"}


def test_a_wheel_works_without_any_flag_and_leaves_nothing_behind(environment: Environment, archives: Path) -> None:
    (wheel,) = archives.glob("*.whl")
    pip("install", "--no-deps", str(wheel), python=environment.python)
    assert {path.name for path in environment.site.iterdir()} >= SHIM
    help_text = environment.command("pyimgano-benchmark", "--help")
    assert "industrial_folder" in help_text
    assert "autoload  on" in environment.command("pyimgano-industrial", "status")
    pip("uninstall", "-y", "pyimgano-industrial", python=environment.python)
    assert environment.files() == environment.bare
    assert "industrial_folder" not in environment.command("pyimgano-benchmark", "--help")


def test_an_editable_install_works_alike_and_leaves_nothing_behind(environment: Environment) -> None:
    pip("install", "--no-deps", "--no-build-isolation", "-e", str(ROOT), python=environment.python)
    assert "industrial_folder" in environment.command("pyimgano-benchmark", "--help")
    pip("uninstall", "-y", "pyimgano-industrial", python=environment.python)
    assert environment.files() == environment.bare
    assert "industrial_folder" not in environment.command("pyimgano-benchmark", "--help")


def test_an_uninstalled_plugin_is_gone(environment: Environment, archives: Path) -> None:
    (wheel,) = archives.glob("*.whl")
    pip("install", "--no-deps", str(wheel), python=environment.python)
    pip("install", "--no-deps", "--no-build-isolation", str(acme.EXAMPLE), python=environment.python)
    assert "acme_gauge" in environment.command("pyimgano-benchmark", "--list-models").split()
    pip("uninstall", "-y", "acme-bolts", python=environment.python)
    assert "acme_gauge" not in environment.command("pyimgano-benchmark", "--list-models").split()
    pip("uninstall", "-y", "pyimgano-industrial", python=environment.python)


def test_a_target_folder_works_through_exec(environment: Environment, archives: Path, tmp_path: Path) -> None:
    (wheel,) = archives.glob("*.whl")
    pip("install", "--no-deps", "--target", str(tmp_path), str(wheel), python=environment.python)
    plain = run(str(environment.scripts / "pyimgano-benchmark"), "--help", path=tmp_path).stdout
    assert "industrial_folder" not in plain
    command = ("-m", "pyimgano_industrial.cli.main", "exec", "pyimgano-benchmark", "--help")
    assert "industrial_folder" in run(environment.python, *command, path=tmp_path).stdout


def test_the_example_s_own_tests_pass(environment: Environment, archives: Path, tmp_path: Path) -> None:
    (wheel,) = archives.glob("*.whl")
    pip("install", "--no-deps", str(wheel), python=environment.python)
    pip("install", "pytest>=8", python=environment.python)
    example = tmp_path / "acme-bolts"
    shutil.copytree(acme.EXAMPLE, example, ignore=shutil.ignore_patterns("__pycache__"))
    pip("install", "--no-deps", "--no-build-isolation", str(example), python=environment.python)
    done = run(environment.python, "-m", "pytest", "-q", "tests", cwd=example)
    assert " passed" in done.stdout
    assert "failed" not in done.stdout


def test_two_opencvs_are_explained_and_the_advice_cures_them(environment: Environment, archives: Path) -> None:
    """Last, for it swaps the environment's OpenCV."""
    (wheel,) = archives.glob("*.whl")
    pip("install", "--no-deps", str(wheel), python=environment.python)
    assert "opencv    opencv-python " in environment.command("pyimgano-industrial", "status")
    pip("install", "--no-deps", "opencv-python-headless", python=environment.python)
    told = environment.command("pyimgano-industrial", "status")
    assert "opencv-python and opencv-python-headless own the same cv2 files" in told
    advice = "pip uninstall -y opencv-python opencv-python-headless && pip install opencv-python-headless"
    assert advice in told
    for step in advice.split(" && "):
        pip(*step.split()[1:], python=environment.python)
    cured = environment.command("pyimgano-industrial", "status")
    assert "opencv    opencv-python-headless " in cured
    assert "own the same cv2 files" not in cured
    run(environment.python, "-c", "import cv2; cv2.imencode('.png', __import__('numpy').zeros((2, 2), 'uint8'))")
