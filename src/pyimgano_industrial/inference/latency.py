"""How long each image of a run took: warm-up, p50 and p99."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Latency:
    """Seconds of each batch of a run, from asking for its images to its results, shared equally among its images."""

    seconds: list[float] = field(default_factory=list)
    images: list[int] = field(default_factory=list)

    def add(self, seconds: float, images: int) -> None:
        """Count one batch."""
        self.seconds.append(seconds)
        self.images.append(images)

    def summary(self) -> dict[str, float | int]:
        """Return warm_up (seconds of the first batch), p50 and p99 (seconds an image, over the other batches), images.

        With one batch only, p50 and p99 are its own; without any, there is nothing but images: 0.
        """
        if not self.seconds:
            return {"images": 0}
        start = 1 if len(self.seconds) > 1 else 0
        each = np.repeat(np.divide(self.seconds, self.images)[start:], self.images[start:])
        p50, p99 = np.percentile(each, [50, 99]).tolist()
        return {
            "warm_up": self.seconds[0],
            "p50": p50,
            "p99": p99,
            "images": sum(self.images),
            "largest_batch": max(self.images),
        }
