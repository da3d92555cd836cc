"""From scores to labels: the threshold, the detector's confidence, and the rejection of what is not confident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyimgano_industrial.core.errors import IndustrialError

REJECTED = -2


class DecisionError(IndustrialError, RuntimeError, ValueError):
    """Labels cannot be given as asked."""


@dataclass(frozen=True)
class Decision:
    """The label of one image, and how sure the detector is of it."""

    label: int | None = None
    confidence: float | None = None
    rejected: bool | None = None

    def summary(self) -> dict[str, Any] | None:
        """Return pyimgano's decision summary, None where nothing was decided."""
        if self.label is None and self.confidence is None and self.rejected is None:
            return None
        decision, reason = {
            True: ("rejected_low_confidence", "low_confidence"),
            False: ("anomalous", "anomaly_label") if self.label else ("normal", "none"),
        }[bool(self.rejected)]
        if self.label is None and not self.rejected:
            decision, reason = "score_only", "unthresholded_score"
        return {
            "decision": decision,
            "threshold_applied": self.label is not None,
            "has_confidence": self.confidence is not None,
            "rejected": bool(self.rejected),
            "requires_review": reason in ("low_confidence", "anomaly_label"),
            "review_reason": reason,
        }


@dataclass(frozen=True)
class Policy:
    """threshold: None gives no labels; below: reject labels of less confidence than this, in (0, 1]; None rejects none.

    reject_label: what a rejected label becomes; None takes the detector's own, else -2.
    """

    threshold: float | None
    with_confidence: bool = False
    below: float | None = None
    reject_label: int | None = None

    def __post_init__(self) -> None:
        if self.below is not None and not 0 < self.below <= 1:
            raise DecisionError(f"reject_confidence_below must be in (0, 1]; got {self.below}")

    def decide(self, detector: Any, images: Sequence[NDArray[Any]], scores: NDArray[np.float32]) -> list[Decision]:
        """Return one decision an image."""
        labels = None if self.threshold is None else (scores > self.threshold).astype(np.int64)
        found = self._confidences(detector, images, scores, labels)
        decisions = []
        for index in range(len(scores)):
            label = None if labels is None else labels[index].item()
            confidence = None if found is None else found[index].item()
            if self.below is None or confidence is None:
                decisions.append(Decision(label, confidence))
                continue
            rejected = confidence < self.below
            decisions.append(Decision(self._marker(detector) if rejected else label, confidence, rejected))
        return decisions

    def _marker(self, detector: Any) -> int:
        own: int = getattr(detector, "reject_label", REJECTED)
        return own if self.reject_label is None else self.reject_label

    def _confidences(
        self,
        detector: Any,
        images: Sequence[NDArray[Any]],
        scores: NDArray[np.float32],
        labels: NDArray[np.int64] | None,
    ) -> NDArray[np.float64] | None:
        if not self.with_confidence and self.below is None:
            return None
        found: Any = None
        if hasattr(detector, "_label_confidence_from_scores"):  # pyimgano's detectors
            found = detector._label_confidence_from_scores(scores.astype(np.float64), labels=labels)
        elif hasattr(detector, "predict_confidence"):
            found = detector.predict_confidence(list(images))
        if self.below is not None and (found is None or labels is None):
            missing = "no threshold" if labels is None else "a detector without confidence"
            raise DecisionError(f"rejecting labels of low confidence needs a threshold and confidence; got {missing}")
        return None if found is None else np.clip(np.asarray(found, np.float64).reshape(len(scores)), 0, 1)
