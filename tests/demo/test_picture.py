"""Pictures: three panels of the image's aspect, one colour scale, no defect lost, clear errors."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError
from pyimgano_industrial.demo.picture import Image, common_limits, contact_sheet, side_by_side

Found = NDArray[np.bool_]
RED, ORANGE = (200, 10, 10), (230, 120, 0)
LOWEST, HIGHEST = (0, 34, 78), (254, 232, 56)  # the ends of the Cividis map


def red(height: int = 200, width: int = 300) -> Image:
    return np.full((height, width, 3), RED, np.uint8)


def near(picture: Image, colour: tuple[int, int, int], *, within: int = 6) -> Found:
    found: Found = np.abs(picture.astype(int) - colour).max(axis=2) <= within
    return found


def extent(found: Found) -> tuple[int, int, int, int]:
    """Top, bottom, left and right of what was found, ends excluded."""
    rows, columns = np.flatnonzero(found.any(axis=1)), np.flatnonzero(found.any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def picture_of(anomaly_map: NDArray[np.float64], mask: Found | None = None, *, width: int = 300) -> Image:
    return side_by_side(red(), mask, anomaly_map, limits=(0, 10), caption="", panel_width=width)


def test_a_picture_has_three_panels_of_the_images_aspect() -> None:
    picture = picture_of(np.full((20, 30), 10.0), width=90)
    top, bottom, left, right = extent(near(picture, RED))

    assert (bottom - top, right - left) == (60, 90)
    # The next two panels are as large, in the same rows: grey, then the map's highest colour.
    grey = picture[top:bottom, right:]
    assert np.count_nonzero((np.ptp(grey.astype(int), axis=2) == 0).all(axis=0) & (grey[0, :, 0] < 200)) >= 90
    panel = near(picture[:, : right + 2 * (90 + 20)], HIGHEST)
    assert extent(panel)[:2] == (top, bottom)
    assert extent(panel)[3] - extent(panel)[2] == 90


@pytest.mark.parametrize(("height", "width"), [(850, 1700), (1600, 800), (40, 30)])
def test_tall_wide_and_tiny_images_keep_their_aspect(height: int, width: int) -> None:
    picture = side_by_side(
        red(height, width), None, np.zeros((height, width)), limits=(0, 1), caption="", panel_width=100
    )
    top, bottom, left, right = extent(near(picture, RED))

    assert right - left == 100
    assert bottom - top == round(100 * height / width)


def test_the_map_keeps_its_own_size_until_it_is_drawn() -> None:
    left_half = np.zeros((2, 4))
    left_half[:, :2] = 10
    picture = picture_of(left_half, width=200)[:, 442:642]  # the third panel

    _, _, high_left, high_right = extent(near(picture, HIGHEST))
    _, _, low_left, low_right = extent(near(picture, LOWEST))

    assert (high_left, low_right) == (0, 200)
    assert 70 < high_right <= 100 <= low_left < 130


def test_one_value_has_one_colour_whatever_else_the_map_holds() -> None:
    low, high = np.full((20, 30), 5.0), np.full((20, 30), 5.0)
    high[0, 0] = 1000
    shown = [picture_of(values)[150, 800] for values in (low, high)]

    assert np.array_equal(*shown)


def test_a_defect_of_one_pixel_is_not_lost() -> None:
    mask = np.zeros((2000, 3000), bool)
    mask[1001, 1501] = True
    picture = side_by_side(red(2000, 3000), mask, np.zeros((20, 30)), limits=(0, 1), caption="", panel_width=300)
    # In the map's panel a white line rings it, too.
    heat = picture[56:256, 2 * 314 + 14 : 2 * 314 + 314]

    assert near(picture, ORANGE).sum() > 20
    assert near(heat, (255, 255, 255)).any()


def test_a_normal_image_shows_no_orange() -> None:
    assert not near(picture_of(np.zeros((20, 30)), np.zeros((200, 300), bool)), ORANGE).any()
    assert not near(picture_of(np.zeros((20, 30)), None), ORANGE).any()


def test_a_caption_of_any_script_is_written() -> None:
    shown = side_by_side(red(), None, np.zeros((2, 3)), limits=(0, 1), caption="Prüfung 検査", panel_width=300)

    assert (shown[:50] < 100).any()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": np.zeros((20, 30), np.uint8)}, r"an image must be \(H, W, 3\) uint8; got \(20, 30\) uint8"),
        ({"image": np.zeros((20, 30, 3))}, r"an image must be \(H, W, 3\) uint8; got \(20, 30, 3\) float64"),
        ({"mask": np.zeros((30, 20), bool)}, r"a mask must be \(20, 30\) bool as its image; got \(30, 20\) bool"),
        ({"mask": np.zeros((20, 30), np.uint8)}, r"a mask must be \(20, 30\) bool as its image; got .* uint8"),
        ({"anomaly_map": np.zeros((20, 30, 1))}, r"an anomaly map must be \(h, w\) and finite; got \(20, 30, 1\)"),
        ({"anomaly_map": np.full((20, 30), np.nan)}, r"an anomaly map must be \(h, w\) and finite; .*NaN"),
        ({"limits": (1.0, 1.0)}, r"limits must be \(low, high\) with low < high; got \(1.0, 1.0\)"),
        ({"limits": (0.0, float("nan"))}, r"limits must be \(low, high\) with low < high"),
    ],
)
def test_bad_input_is_named(changes: dict[str, object], message: str) -> None:
    arguments: dict[str, object] = {
        "image": np.zeros((20, 30, 3), np.uint8),
        "mask": None,
        "anomaly_map": np.zeros((20, 30)),
        "limits": (0.0, 1.0),
        "caption": "",
    }
    with pytest.raises(IndustrialError, match=message):
        side_by_side(**(arguments | changes))  # type: ignore[arg-type]  # one table for arguments of several types


def test_the_scale_starts_at_the_median_and_has_the_rare_values_in_its_middle() -> None:
    values = np.arange(10_001, dtype=np.float64).repeat(4).reshape(1, -1)  # every second one counts
    low, high = common_limits([values])

    assert low == pytest.approx(5000, abs=1)
    assert (low + high) / 2 == pytest.approx(9995, abs=1)


def test_normal_images_of_one_value_still_give_a_scale() -> None:
    assert common_limits([np.full((8, 8), 3.0)]) == (3.0, 4.0)


def test_no_map_gives_no_scale() -> None:
    with pytest.raises(IndustrialError, match="needs the map of at least one image; got none"):
        common_limits([])


def test_a_contact_sheet_holds_every_picture_in_rows() -> None:
    colours = [(250, 0, 0), (0, 250, 0), (0, 0, 250)]
    sheet = contact_sheet([np.full((50, 100 + 20 * n, 3), c, np.uint8) for n, c in enumerate(colours)], width=400)
    first, second, third = (extent(near(sheet, colour)) for colour in colours)

    assert sheet.shape[1] == 400
    assert first[0] == second[0] < third[0]
    assert first[2] == third[2] < second[2]


def test_an_empty_contact_sheet_is_refused() -> None:
    with pytest.raises(IndustrialError, match="needs at least one picture; got none"):
        contact_sheet([])
