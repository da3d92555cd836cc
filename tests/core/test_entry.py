"""Rows refuse what could not be listed or imported later."""

from __future__ import annotations

import pytest

from pyimgano_industrial import Entry
from pyimgano_industrial.core.entry import Row


@pytest.mark.parametrize("name", ["", "_hidden", "has space", "ünïcode/slash"])
def test_a_name_must_be_typable(name: str) -> None:
    with pytest.raises(ValueError, match="name must be letters"):
        Entry(name, "package:attribute")


@pytest.mark.parametrize("target", ["package", "package:", ":attribute", "pack age:x", "package:x:y"])
def test_a_target_must_name_module_and_attribute(target: str) -> None:
    with pytest.raises(ValueError, match=r"must read 'package\.module:attribute'"):
        Entry("name", target)


def test_tags_must_not_be_one_string() -> None:
    with pytest.raises(TypeError, match="must be a tuple of strings; got the string 'pixel_map'"):
        Entry("name", "package:attribute", tags="pixel_map")  # type: ignore[arg-type]


def test_the_cure_names_distribution_and_extra() -> None:
    row = Row(Entry("name", "package:attribute", extra="gpu"), "models", "acme", "1.0", "acme")
    assert row.cure == 'pip install "acme[gpu]"'
    assert Row(Entry("name", "package:attribute"), "models", "acme", "1.0", "acme").cure is None
