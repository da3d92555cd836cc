"""One image of a data set, and one defect channel of an image: data, no behaviour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Sample:
    """One image and what the data set's folders say about it; no pixel is read to make one.

    image:        the image file
    category:     the object or product, for example "pushpins"
    split:        the split's own name, for example "train", "validation" or "test_public"
    label:        0 normal, 1 anomalous, None where the data set does not say (private splits)
    anomaly_type: the folder that states the label, "good" or for example "logical_anomalies"; None where unlabelled
    defect:       the defect's name where it is known without reading pixels
    lighting:     the lighting that the file name states, for example "overexposed"
    masks:        the mask files that belong to the image; the data set's `mask` reads them
    """

    image: Path
    category: str
    split: str
    label: Literal[0, 1] | None
    anomaly_type: str | None = None
    defect: str | None = None
    lighting: str | None = None
    masks: tuple[Path, ...] = ()


@dataclass(frozen=True, eq=False)
class Channel:
    """One annotated defect of a MVTec LOCO image.

    mask:            (H, W) bool, True where this defect is
    pixel_value:     the channel's one non-zero value, 1..255
    defect_name:     the name that defects_config.json gives the value; None without that file
    saturation_area: pixels that must be found for a full sPRO score, at least 1
    path:            the channel's file
    """

    mask: NDArray[np.bool_]
    pixel_value: int
    defect_name: str | None
    saturation_area: int
    path: Path
