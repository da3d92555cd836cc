"""Every page of measurements says what it was measured with, and which benchmark measures it again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted((ROOT / "docs/pages/explanation").glob("*-measured.md"))


def test_there_are_pages() -> None:
    assert len(PAGES) >= 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_of_measurements_is_stamped_with_versions_and_names_its_benchmark(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.search(r"Python 3\.\d+\.\d+", text)
    assert re.search(r"\bpyimgano\s0\.9\.\d+", text)
    assert re.search(r"\bpyimgano-industrial\s\d+\.\d+\.\d+", text)
    scripts = set(re.findall(r"tests/benchmarks/(\w+)\.py", text))
    environments = set(re.findall(r"-e (bench[\w-]*)", text))
    assert scripts | environments
    assert all((ROOT / f"tests/benchmarks/{name}.py").is_file() for name in scripts)
    assert all(f"[testenv:{name}]" in (ROOT / "tox.ini").read_text(encoding="utf-8") for name in environments)
