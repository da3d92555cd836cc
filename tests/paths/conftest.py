"""A fresh environment with the host in it, and the project's own archives; both are made once for all tests here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from distributions import pip, run

ROOT = Path(__file__).parent.parent.parent


class Environment:
    """A fresh virtual environment with the host in it."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True, symlinks=os.name != "nt")
        self.scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python = str(self.scripts / "python")
        pip("install", "pyimgano>=0.9.1,<0.10", "pluggy>=1.3", "hatchling>=1.27", "editables", python=self.python)
        site = subprocess.run(
            [self.python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        self.site = Path(site.stdout.strip())
        self.bare = self.files()

    def files(self) -> set[str]:
        """Return every file of site-packages and of the scripts but byte code."""
        found = [path for folder in (self.site, self.scripts) for path in folder.rglob("*") if path.is_file()]
        return {path.as_posix() for path in found if "__pycache__" not in path.parts}

    def command(self, name: str, *arguments: str, check: bool = True) -> str:
        return run(str(self.scripts / name), *arguments, check=check).stdout


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    return Environment(tmp_path_factory.mktemp("fresh"))


@pytest.fixture(scope="session")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist from a copy without build products, and the wheel from the sdist."""
    source = tmp_path_factory.mktemp("source") / "project"
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(".*", "__pycache__", "dist", "build", "*.egg-info"))
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), str(source)],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder
