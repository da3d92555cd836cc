"""The drifts that presets are measured on: what each changes, and that strengths grow."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pyimgano_industrial.core.errors import UnknownNameError
from pyimgano_industrial.evaluation.drifts import DRIFTS, STRENGTHS, DriftError, drifted


def image() -> np.ndarray:
    rng = np.random.default_rng(1)
    checks = 90 + 70 * (np.indices((480, 640)).sum(0) // 16 % 2)
    return np.clip(checks[..., None] + rng.normal(0, 3, (480, 640, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("drift", DRIFTS)
@pytest.mark.parametrize("grey", [False, True])
def test_each_strength_changes_the_image_more(drift: str, grey: bool) -> None:
    clean = image()[..., 0] if grey else image()
    changes = [np.abs(drifted(clean, drift, strength) - clean.astype(float)).mean() for strength in STRENGTHS]
    if grey and drift == "white_balance":
        assert changes == [0.0] * 5  # grey has no colour to shift
    else:
        assert all(low < high for low, high in itertools.pairwise(changes))
    once = drifted(clean, drift, 3, seed=4)
    assert once.shape == clean.shape
    assert once.dtype == np.uint8
    assert np.array_equal(once, drifted(clean, drift, 3, seed=4))


def test_a_stop_less_light_is_half_the_light() -> None:
    flat = np.full((4, 4, 3), 200, np.uint8)
    dark = drifted(flat, "gain", 5)
    assert ((dark / 255) ** 2.2).mean() == pytest.approx(((200 / 255) ** 2.2) / 2, rel=0.01)
    assert drifted(flat, "gain", 1, sign=1).mean() > 200


def test_the_lamp_turns_colder_or_warmer() -> None:
    flat = np.full((4, 4, 3), 128, np.uint8)
    colder, warmer = drifted(flat, "white_balance", 3), drifted(flat, "white_balance", 3, sign=1)
    assert colder[0, 0, 0] < 128 < colder[0, 0, 2]
    assert warmer[0, 0, 2] < 128 < warmer[0, 0, 0]
    assert colder[0, 0, 1] == warmer[0, 0, 1] == 128


def test_a_vignette_darkens_corners_only() -> None:
    flat = np.full((65, 65), 180, np.uint8)
    seen = drifted(flat, "vignette", 4)
    assert seen[32, 32] == 180
    assert seen[0, 0] < 150


def test_what_cannot_be_is_an_error() -> None:
    with pytest.raises(UnknownNameError, match="unknown drift 'gains': did you mean 'gain'"):
        drifted(image(), "gains", 1)  # type: ignore[arg-type]
    with pytest.raises(DriftError, match=r"strength must be in 1\.\.5; got 6"):
        drifted(image(), "gain", 6)
    with pytest.raises(DriftError, match=r"\(H, W, 3\) uint8; got \(480, 640, 3\) float64"):
        drifted(image() / 255, "gain", 1)
