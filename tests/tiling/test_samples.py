"""The tiles that detectors are fitted on, in memory or cut when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pyimgano_industrial.core.errors import ImageError
from pyimgano_industrial.tiling import TiledDetector
from pyimgano_industrial.tiling import cut as room
from pyimgano_industrial.tiling.cut import Cutter
from pyimgano_industrial.tiling.detectors import TilingError
from pyimgano_industrial.tiling.samples import LazyTiles, Samples

CUTTER = Cutter(32, 20, "reflect", 0, None, None, (1.0, 0.5))


@pytest.fixture
def paths(tmp_path: Path) -> list[Path]:
    rng = np.random.default_rng(0)
    for index in range(3):
        Image.fromarray(rng.integers(0, 255, (60, 70, 3), np.uint8)).save(tmp_path / f"{index}.png")
    return sorted(tmp_path.iterdir())


@pytest.mark.parametrize(
    "choice",
    [{"images": range(3)}, {"images": [2, 0]}, {"images": [1], "place": (1, 0, 1)}, {"images": [0, 2], "most": 7}],
)
def test_tiles_that_are_not_in_memory_are_the_same(paths: list[Path], choice: dict[str, Any]) -> None:
    kept, lazy = Samples(CUTTER, paths).of(**choice), Samples(CUTTER, paths, memory=5000).of(**choice)
    assert isinstance(kept, list)
    assert isinstance(lazy, LazyTiles)
    assert len(kept) == len(lazy) > 0
    for one, other in zip(kept, lazy, strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(lazy[-1], kept[-1])
    assert [tile.shape for tile in lazy[1:3]] == [tile.shape for tile in kept[1:3]]


def test_in_order_each_image_is_decoded_once(paths: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    tiles = Samples(CUTTER, paths, memory=0).of(range(3))
    opened: list[Any] = []
    original = room.open_source
    monkeypatch.setattr(room, "open_source", lambda item, **kw: opened.append(item) or original(item, **kw))
    assert (
        len(list(tiles)) == len(tiles) == 3 * (3 * 3 + 2)
    )  # rows 0, 20, 28 and columns 0, 20, 38; at half the size 1 x 2
    assert [item for item in opened if isinstance(item, Path)] == paths


def test_tiles_are_the_same_in_any_order(paths: list[Path]) -> None:
    kept, lazy = Samples(CUTTER, paths).of(range(3)), Samples(CUTTER, paths, memory=0).of(range(3))
    order = np.random.default_rng(0).permutation(len(kept)).tolist()
    for index in [*order, order[-1]]:
        np.testing.assert_array_equal(lazy[index], kept[index])


def test_of_an_image_that_is_read_by_windows_one_tile_is_held(tmp_path: Path) -> None:
    import tracemalloc

    scan = np.lib.format.open_memmap(tmp_path / "scan.npy", "w+", np.uint8, (8192, 4096))  # 32 MiB
    del scan
    tiles = Samples(Cutter(64, 64, "reflect", 0, None, None, (1.0,)), [tmp_path / "scan.npy"], memory=0).of([0])
    tracemalloc.start()
    assert sum(tile.size for tile in tiles) == 8192 * 4096
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4 * 64 * 4096  # a few rows of tiles


def test_an_image_that_has_changed_is_an_error(paths: list[Path]) -> None:
    tiles = Samples(CUTTER, paths, memory=0).of([1])
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(paths[1])
    with pytest.raises(
        ImageError, match=r"1\.png has changed since its tiles were listed: one at \(0, 0, 1\) is missing"
    ):
        tiles[1]


def test_a_seed_repeats_its_choice_and_another_makes_another(paths: list[Path]) -> None:
    samples = Samples(CUTTER, paths)
    first, again, other = (np.stack(samples.of(range(3), most=5, seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_no_tile_to_fit_on_is_an_error() -> None:
    flat = Cutter(32, 32, "reflect", 0, None, 2.0, (1.0,))
    with pytest.raises(TilingError, match="no tile to fit on: the region of interest or skip_flat leaves none"):
        Samples(flat, [np.zeros((40, 40, 3), np.uint8)])


def test_a_detector_is_fitted_alike_from_memory_and_from_files(
    paths: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Mean:
        def fit(self, tiles: Any) -> None:
            self.mean = np.mean([tile.mean(axis=(0, 1)) for tile in tiles], axis=0)

        def decision_function(self, tiles: Any) -> Any:
            return [np.abs(tile.mean(axis=(0, 1)) - self.mean).max() for tile in tiles]

    found = []
    for memory in (2**30, 0):
        monkeypatch.setattr("pyimgano_industrial.tiling.samples.MEMORY", memory)
        tiled = TiledDetector(detector=Mean(), tile_size=32, contamination=0.9).fit(paths)
        found.append(tiled.decision_scores_)
    np.testing.assert_array_equal(*found)
