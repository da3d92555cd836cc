from __future__ import annotations

import subprocess
import sys

import pytest

from pyimgano_industrial import datasets

_MODULES = (
    *("ad2", "btad", "check", "defects_config", "duplicates", "faults", "folder", "industrial_folder", "ksdd2", "loco"),
    *("masks", "mpdd", "mvtec", "report", "rules", "sample", "strays", "tree", "visa"),
)


def test_every_public_name_is_there() -> None:
    for name in datasets.__all__:
        assert getattr(datasets, name).__name__ == name
    assert dir(datasets) == sorted(datasets.__all__)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Cifar'"):
        datasets.Cifar  # noqa: B018  the access itself raises


def test_importing_every_module_imports_neither_opencv_nor_the_host() -> None:
    code = "; ".join(
        [
            "import sys, importlib",
            f"[importlib.import_module('pyimgano_industrial.datasets.' + name) for name in {_MODULES!r}]",
            "heavy = {'cv2', 'PIL', 'pyimgano', 'pluggy', 'torch'} & set(sys.modules)",
            "sys.exit(f'imported: {heavy}' if heavy else 0)",
        ]
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
