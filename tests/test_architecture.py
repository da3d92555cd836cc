"""Imports point downwards only; read from the syntax tree, and tried with the heavy libraries denied."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyimgano_industrial
from distributions import python

PACKAGE = Path(pyimgano_industrial.__file__).parent

# Room -> the rooms below it that it may import.
ALLOWED: dict[str, set[str]] = {
    "core": set(),
    "datasets": {"core"},
    "demo": {"core"},
    "metrics": {"core"},
    "models": {"core"},
    "presets": {"core"},
    "tiling": {"core"},
    "inference": {"core", "tiling"},
    "evaluation": {"core", "datasets", "inference", "metrics", "models", "presets", "tiling"},
    "plugins": {"core", "models"},  # rows are made from the models' own table
    "testing": {"core", "datasets", "plugins"},
    "host": {"core", "datasets", "evaluation", "inference", "metrics", "models", "plugins", "presets", "tiling"},
    "cli": {"core", "datasets", "demo", "evaluation", "host", "inference", "metrics", "plugins", "presets"},
}
MAY_IMPORT_THE_HOST = {"host", "cli"}
MAY_IMPORT_PLUGGY = {"plugins"}
HEAVY = {"torch", "torchvision", "open_clip", "anomalib"}
MAY_IMPORT_HEAVY = {"models/openclip", "models/anomalib"}  # imported on first use, inside functions
FILES = [path for path in sorted(PACKAGE.rglob("*.py")) if path.parent != PACKAGE]


def imported(path: Path) -> Iterator[str]:
    """Yield every module that a file imports, also inside functions."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            assert node.module is not None
            yield node.module


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0]


def heavy(path: Path) -> bool:
    return "/".join(path.relative_to(PACKAGE).parts[:2]) in MAY_IMPORT_HEAVY


def test_every_room_is_known() -> None:
    assert {room(path) for path in FILES} == ALLOWED.keys()


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_downwards(path: Path) -> None:
    own = room(path)
    for module in imported(path):
        parts = module.split(".")
        if parts[0] == "pyimgano_industrial" and len(parts) > 1:
            assert parts[1] == own or parts[1] in ALLOWED[own], f"{path} imports {module}"
        if parts[0] == "pyimgano":
            assert own in MAY_IMPORT_THE_HOST, f"{path} imports {module}"
        if parts[0] == "pluggy":
            assert own in MAY_IMPORT_PLUGGY, f"{path} imports {module}"
        assert parts[0] not in HEAVY or heavy(path), f"{path} imports {module}"


@pytest.mark.parametrize("own", sorted(ALLOWED.keys() - MAY_IMPORT_THE_HOST))
def test_a_room_imports_without_the_host_and_the_heavy_libraries(own: str) -> None:
    modules = [
        ".".join(("pyimgano_industrial", *path.relative_to(PACKAGE).with_suffix("").parts))
        for path in FILES
        if room(path) == own and not heavy(path)
    ]
    code = (
        "import sys\n"
        f"for name in {(*sorted(HEAVY), 'pyimgano')}: sys.modules[name] = None\n"
        "import importlib\n"
        f"for name in {modules!r}: importlib.import_module(name)\n"
        "print('cv2' in sys.modules)"
    )
    assert python(code).strip() == "False"


def test_nothing_but_what_belongs_there_lies_at_the_top() -> None:
    root = Path(__file__).parent.parent
    if not (root / ".git").exists():
        pytest.skip("not a checkout")
    from subprocess import run

    listed = run(["git", "ls-files"], cwd=root, capture_output=True, text=True, check=True).stdout.split("\n")
    tops = {name.partition("/")[0] for name in listed if name and not name.startswith(".")}
    expected = {"src", "tests", "docs", "pyproject.toml", "tox.ini", "README.md", "LICENSE", "CHANGELOG.md"}
    assert tops <= expected
