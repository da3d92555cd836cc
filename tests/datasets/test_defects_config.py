from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pyimgano_industrial.datasets.defects_config import Defect, read_defects_config
from pyimgano_industrial.datasets.faults import FaultError

ENTRY = {"defect_name": "scratch", "pixel_value": 250, "saturation_threshold": 0.5, "relative_saturation": True}


def _write(folder: Path, content: Any) -> Path:
    path = folder / "defects_config.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_a_relative_saturation_area_is_a_share_rounded_down_and_at_least_1() -> None:
    half = Defect("scratch", 250, 0.5, relative=True)
    assert [half.saturation_area(area) for area in (1, 2, 3, 7, 100)] == [1, 1, 1, 3, 50]
    assert Defect("all", 1, 1.0, relative=True).saturation_area(9) == 9


def test_an_absolute_saturation_area_is_at_most_the_defect() -> None:
    pushpin = Defect("1_additional_pushpin", 255, 6300, relative=False)
    assert [pushpin.saturation_area(area) for area in (100, 6300, 9000)] == [100, 6300, 6300]


def test_the_published_form_is_read(tmp_path: Path) -> None:
    rows = [
        {
            "defect_name": "1_additional_pushpin",
            "pixel_value": 255,
            "saturation_threshold": 6300,
            "relative_saturation": False,
        },
        ENTRY,
        {**ENTRY, "pixel_value": 1, "saturation_threshold": 1},
    ]
    assert read_defects_config(_write(tmp_path, rows)) == {
        255: Defect("1_additional_pushpin", 255, 6300, relative=False),
        250: Defect("scratch", 250, 0.5, relative=True),
        1: Defect("scratch", 1, 1, relative=True),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{not json", r"must be readable JSON; .*defects_config\.json is not: Expecting property name"),
        ({"a": 1}, r"must be a list of defects; .* holds dict"),
        ([], r"must be a list of defects; .* holds an empty list"),
        (["scratch"], r"entry 0 of .* lacks all of them: it is 'scratch'"),
        ([{"defect_name": "x"}], r"entry 0 of .* lacks pixel_value, saturation_threshold, relative_saturation"),
        ([ENTRY, ENTRY], r"must name each pixel_value once; entry 1 of .* repeats 250"),
        ([{**ENTRY, "defect_name": 3}], r"must have text as defect_name; entry 0 of .* has 3"),
        ([{**ENTRY, "pixel_value": 0}], r"whole numbers in 1\.\.255 as pixel_value; entry 0 of .* has 0"),
        ([{**ENTRY, "pixel_value": 256}], r"entry 0 of .* has 256"),
        ([{**ENTRY, "pixel_value": True}], r"whole numbers in 1\.\.255 as pixel_value; entry 0 of .* has True"),
        ([{**ENTRY, "relative_saturation": 1}], r"true or false as relative_saturation; entry 0 of .* has 1"),
        ([{**ENTRY, "saturation_threshold": 0}], r"above 0 and up to 1; entry 0 of .* has 0"),
        ([{**ENTRY, "saturation_threshold": 1.5}], r"above 0 and up to 1; entry 0 of .* has 1\.5"),
        ([{**ENTRY, "saturation_threshold": "0.5"}], r"above 0 and up to 1; entry 0 of .* has '0\.5'"),
        ([{**ENTRY, "relative_saturation": False}], r"whole pixels, 1 or more.*entry 0 of .* has 0\.5"),
        ([{**ENTRY, "relative_saturation": False, "saturation_threshold": 0}], r"whole pixels, 1 or more"),
    ],
)
def test_a_malformed_file_is_explained(tmp_path: Path, content: Any, message: str) -> None:
    with pytest.raises(FaultError, match=message) as caught:
        read_defects_config(_write(tmp_path, content))
    assert caught.value.fault.remedy == "copy the original data set's file"


def test_a_file_that_is_not_utf8_is_explained(tmp_path: Path) -> None:
    (tmp_path / "defects_config.json").write_bytes(b"\xff\xfe\xfa")
    with pytest.raises(FaultError, match="must be readable JSON"):
        read_defects_config(tmp_path / "defects_config.json")
