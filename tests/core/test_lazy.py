"""Targets are imported on first use, and stand-ins tell the truth about them."""

from __future__ import annotations

import inspect
import textwrap

import pytest

from pyimgano_industrial import Entry
from pyimgano_industrial.core.entry import Row
from pyimgano_industrial.core.errors import PluginError
from pyimgano_industrial.core.lazy import LazyConstructor, resolve


def make_row(target: str, extra: str | None = None) -> Row:
    return Row(Entry("thing", target, extra=extra), "models", "acme", "1.0", "acme")


def test_resolve_returns_the_attribute() -> None:
    assert resolve(make_row("textwrap:indent")) is textwrap.indent


def test_a_missing_attribute_names_row_and_distribution() -> None:
    with pytest.raises(PluginError, match=r"row 'thing' of acme 1\.0 names the target 'json:Nothing', which does not"):
        resolve(make_row("json:Nothing"))


def test_a_missing_module_names_the_cure_when_there_is_one() -> None:
    with pytest.raises(PluginError, match=r'pip install "acme\[gpu\]"') as caught:
        resolve(make_row("no_such_module:x", extra="gpu"))
    assert caught.value.name == "no_such_module"
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_a_lazy_constructor_shows_the_real_signature() -> None:
    constructor = LazyConstructor(make_row("textwrap:indent"))
    assert list(inspect.signature(constructor).parameters) == ["text", "prefix", "predicate"]
    assert constructor("a", "> ") == "> a"
    assert constructor.__module__ == "textwrap"
