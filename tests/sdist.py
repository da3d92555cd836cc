"""Builds the sdist, unpacks it, installs from it, and runs the tests that it holds in its own folder (tox -e sdist)."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def main() -> int:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        subprocess.run([sys.executable, "-m", "build", "--sdist", "--outdir", str(folder), str(ROOT)], check=True)
        (archive,) = folder.glob("*.tar.gz")
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", str(archive)], check=True)
        return subprocess.run([sys.executable, "-m", "pytest", *sys.argv[1:]], cwd=unpacked).returncode


if __name__ == "__main__":
    raise SystemExit(main())
