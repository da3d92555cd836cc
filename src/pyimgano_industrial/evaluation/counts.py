"""What each image of a cell adds to the cell's curves, as a file keeps it for comparisons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.metrics.image_counts import ImageCounts

_KEPT = {"pixels": ("pixels", "regions")}  # streams; of the others, those that are no breakdown


@dataclass(frozen=True, eq=False)
class CellCounts:
    """files: the images, as in `ImageRow`; parts: "pixels" and, of MVTec LOCO AD, "spro" -> counts of these images.

    As arrays: "files" (images,) text, and of each part "PART/normal", "PART/found/STREAM", "PART/members/STREAM" and
    "PART/flagged", as in `ImageCounts`.
    """

    files: tuple[str, ...]
    parts: Mapping[str, ImageCounts]

    def of(self, part: str, files: Sequence[str]) -> ImageCounts:
        """Return a part's counts of some images, in their order; raises KeyError where it has no such part."""
        places = {file: place for place, file in enumerate(self.files)}
        return self.parts[part].only(np.array([places[file] for file in files], int))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all as arrays by name."""
        found: dict[str, NDArray[Any]] = {"files": np.array(self.files)}
        for part, counts in self.parts.items():
            found[f"{part}/normal"] = counts.normal
            if counts.flagged is not None:
                found[f"{part}/flagged"] = counts.flagged
            for stream in counts.found:
                if stream in _KEPT.get(part, (stream,)) and not stream.startswith("defect "):
                    found[f"{part}/found/{stream}"] = counts.found[stream]
                    found[f"{part}/members/{stream}"] = counts.members[stream]
        return found

    @classmethod
    def of_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> CellCounts:
        """Return what `arrays` was made of."""
        parts = {}
        for part in sorted({name.split("/")[0] for name in arrays if "/" in name}):
            found, members = (
                {name[len(start) :]: one for name, one in arrays.items() if name.startswith(start)}
                for start in (f"{part}/found/", f"{part}/members/")
            )
            parts[part] = ImageCounts(arrays[f"{part}/normal"], found, members, arrays.get(f"{part}/flagged"))
        return cls(tuple(arrays["files"].tolist()), parts)
