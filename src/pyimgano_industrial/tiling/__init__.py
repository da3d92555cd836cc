"""Tiling: images of any size cut into tiles, and the tiles' maps merged without seams.

>>> from pyimgano_industrial.tiling import make_grid
>>> make_grid(5, 8, tile_size=4, stride=3).xs
(0, 3, 4)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyimgano_industrial.core.names import on_demand

if TYPE_CHECKING:
    from pyimgano_industrial.tiling.blend import Accumulator, Blend, axis_weights, stitch
    from pyimgano_industrial.tiling.detector import TiledDetector
    from pyimgano_industrial.tiling.grid import Grid, PadMode, Tile, iter_tiles, make_grid, pad_tile
    from pyimgano_industrial.tiling.sink import Sink, open_sink
    from pyimgano_industrial.tiling.source import BandReader, Source, open_source

__all__ = [
    "Accumulator",
    "BandReader",
    "Blend",
    "Grid",
    "PadMode",
    "Sink",
    "Source",
    "Tile",
    "TiledDetector",
    "axis_weights",
    "iter_tiles",
    "make_grid",
    "open_sink",
    "open_source",
    "pad_tile",
    "stitch",
]

_MODULES = {
    "Accumulator": "blend",
    "BandReader": "source",
    "Blend": "blend",
    "Grid": "grid",
    "PadMode": "grid",
    "Sink": "sink",
    "Source": "source",
    "Tile": "grid",
    "TiledDetector": "detector",
    "axis_weights": "blend",
    "iter_tiles": "grid",
    "make_grid": "grid",
    "open_sink": "sink",
    "open_source": "source",
    "pad_tile": "grid",
    "stitch": "blend",
}

__getattr__, __dir__ = on_demand(__name__, _MODULES)
