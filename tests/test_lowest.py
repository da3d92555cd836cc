"""The versions that tox's environment `lowest` installs are the lower bounds of pyproject.toml, no others."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
EXTRAS = ("completion", "large", "report")  # those of the environment


def bounds(requirements: list[str]) -> dict[str, str]:
    return {
        name: bound for one in requirements for name, bound in re.findall(r"^([\w-]+)(?:\[[^\]]*\])?>=([\d.]+)", one)
    }


def project() -> dict[str, Any]:
    """Return what is under [project]; Python 3.10 has no reader of TOML, and the two lists are plain."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    extras = text.partition("[project.optional-dependencies]\n")[2].partition("\n[")[0]
    return {
        "dependencies": re.findall(
            r'^  "([^"]+)",$', text.partition("\ndependencies = [\n")[2].partition("\n]")[0], re.M
        ),
        "extras": {
            name: re.findall(r'"([^"]+)"', listed) for name, listed in re.findall(r"^(\w+) = \[(.*)\]$", extras, re.M)
        },
    }


def test_the_constraints_are_the_lower_bounds() -> None:
    found = project()
    wanted = bounds(found["dependencies"])
    for extra in EXTRAS:
        wanted |= bounds(found["extras"][extra])
    wanted["opencv-python"] = bounds(found["extras"]["headless"])["opencv-python-headless"]
    lines = (ROOT / "tests/lowest.txt").read_text(encoding="utf-8").splitlines()
    pinned = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    assert pinned.keys() == wanted.keys()
    for name, version in pinned.items():
        assert version == wanted[name] or version.startswith(f"{wanted[name]}."), f"{name}: {version}, {wanted[name]}"


def test_every_requirement_has_a_lower_bound() -> None:
    found = project()
    requirements = found["dependencies"] + [one for listed in found["extras"].values() for one in listed]
    assert len(requirements) > 10
    own = [one for one in requirements if not one.startswith("pyimgano-industrial")]
    assert bounds(own).keys() == {re.split(r"[\[>=<]", one)[0] for one in own}
