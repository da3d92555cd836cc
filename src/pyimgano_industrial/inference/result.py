"""What one image gave: pyimgano's fields, and the error where reading or scoring it failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Result:
    """The result of one image, in the order of the inputs.

    score:          higher is more anomalous; NaN when there is an error
    label:          1 when the score exceeds the threshold, 0 when not, the reject label when rejected, None without a
                    threshold
    label_confidence, rejected: None unless they were asked for
    anomaly_map:    (H, W) float32 at the image's own size, 0 outside its region of interest; None without maps
    postprocess_summary, decision_summary: pyimgano's, for its reports
    error:          what went wrong with this image, with on_error="report"; else None
    """

    score: float
    label: int | None = None
    label_confidence: float | None = None
    rejected: bool | None = None
    anomaly_map: NDArray[np.float32] | None = None
    postprocess_summary: dict[str, Any] | None = None
    decision_summary: dict[str, Any] | None = None
    error: Exception | None = None
