"""Every n-th score of each image, kept in memory beside the spool: what layouts and thresholds are chosen from."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

MOST = 1 << 20  # scores that are kept, of all images


class Thinned:
    """Keeps every score while there are few, then every second one, every fourth and so on, of all images alike."""

    def __init__(self) -> None:
        self.every = 1
        self._images: list[tuple[NDArray[Any], NDArray[Any]]] = []  # all scores and those of the defects
        self._held = 0

    def add(self, scores: NDArray[Any], defective: NDArray[Any]) -> None:
        """Add an image: all its scores, (N,), and those of its defects."""
        self._images.append((scores[:: self.every].copy(), defective[:: self.every].copy()))
        self._held += self._images[-1][0].size
        while self._held > max(MOST, len(self._images)):
            self.every *= 2
            self._images = [(one[::2].copy(), other[::2].copy()) for one, other in self._images]
            self._held = sum(one.size for one, _ in self._images)

    def get(self, number: int, kind: str) -> tuple[NDArray[Any], NDArray[Any]]:
        """Return what is kept of an image, as floats of one kind ("f4", "f8")."""
        scores, defective = self._images[number]
        return scores.astype(kind, copy=False), defective.astype(kind, copy=False)
