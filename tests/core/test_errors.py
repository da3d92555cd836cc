"""The closest name comes first."""

from __future__ import annotations

from pyimgano_industrial.core.errors import closest


def test_closest_offers_the_similar_name_and_lists_all() -> None:
    assert closest("Cann", ["vial", "can"]) == "did you mean 'can'? Known: can, vial"


def test_closest_offers_nothing_when_nothing_is_similar() -> None:
    assert closest("zzz", ["vial", "can"]) == "Known: can, vial"
    assert closest("zzz", []) == "none is known"
