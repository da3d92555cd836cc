from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyimgano_industrial.core.errors import IndustrialWarning
from pyimgano_industrial.models import text_cache
from pyimgano_industrial.models.text_cache import cache_folder, forget, remembered

FEATURES = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYIMGANO_INDUSTRIAL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(text_cache, "_memory", {})


def never() -> np.ndarray:
    raise AssertionError("encoded again")


def test_features_are_encoded_once_and_then_read_from_memory_and_disk(tmp_path: Path) -> None:
    remembered("key", lambda: FEATURES)
    assert remembered("key", never) is FEATURES
    forget()
    np.testing.assert_array_equal(remembered("key", never), FEATURES)
    assert [path.name for path in (tmp_path / "cache" / "text-features").iterdir()] == ["key.npz"]


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short", b"\x80\x05no pickle is ever loaded"])
def test_a_damaged_file_is_encoded_and_written_anew(tmp_path: Path, damage: bytes) -> None:
    remembered("key", lambda: FEATURES)
    file = tmp_path / "cache" / "text-features" / "key.npz"
    file.write_bytes(damage)
    forget()
    np.testing.assert_array_equal(remembered("key", lambda: FEATURES), FEATURES)
    forget()
    np.testing.assert_array_equal(remembered("key", never), FEATURES)


def test_a_folder_that_cannot_be_written_warns_and_works(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.warns(IndustrialWarning, match="PYIMGANO_INDUSTRIAL_CACHE names another folder"):
        found = remembered("key", lambda: FEATURES)
    np.testing.assert_array_equal(found, FEATURES)


def test_without_the_variable_it_is_the_platform_s_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("PYIMGANO_INDUSTRIAL_CACHE")
    for system, variable in (("linux", "XDG_CACHE_HOME"), ("win32", "LOCALAPPDATA")):
        monkeypatch.setattr("sys.platform", system)
        monkeypatch.setenv(variable, str(tmp_path))
        assert cache_folder() == tmp_path / "pyimgano-industrial"
    monkeypatch.setattr("sys.platform", "darwin")
    assert cache_folder() == Path.home() / "Library" / "Caches" / "pyimgano-industrial"
