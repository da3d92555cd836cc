"""Host tests that the plugin may fail, each with its reason and the test of ours that stands for it."""

from __future__ import annotations

# Host test -> (reason, our test).
EXCEPTIONS: dict[str, tuple[str, str]] = {
    "tests.test_inference_tiling::test_tiled_detector_caches_tile_coords": (
        "patches iter_tile_coords to count its calls; our TiledDetector has a grid of its own, microseconds to make",
        "tests/tiling/test_grid.py::test_positions_are_those_of_the_host",
    ),
}
