"""A sequential test for a stream of numbers: has it moved away from what good images showed, and since when?

Each new number gets a conformal p-value, its rank among those of the good images and of the stream so far: while
nothing has moved, the p-values are independent and uniform, whatever the distribution (Vovk, Nouretdinov and Gammerman,
Testing Exchangeability On-Line, 2003). A bet against a p-value p pays e * p ** (e - 1), which is 1 on average. The
winnings since the best start, max(M, 1) * bet, are the CUSUM e-detector of Shin, Ramdas and Rinaldo, E-detectors, 2023:
where it alarms at M >= L, at least L numbers go by on average before a false alarm. Winnings for several e, both
directions and several properties are averaged, which keeps that promise.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable

import numpy as np

_EXPONENTS = np.array([0.1, 0.2, 0.35, 0.55, 0.8])
_MOST = 10_000  # numbers of the stream that join those of the good images
_SMALLEST = 1e-9  # p-value


class Watch:
    """Watches one number. Bets on its rising and on its falling.

    good: values of good images, in any order. seed: of the numbers that break ties
    """

    def __init__(self, good: Iterable[float], *, seed: int = 0) -> None:
        self._good = sorted(good)
        self._pool = [*self._good]
        self._joined = 0
        self._random = np.random.default_rng(seed)
        self._winnings = np.zeros((2, len(_EXPONENTS)))  # rising, falling
        self._starts = np.zeros((2, len(_EXPONENTS)), int)
        self.steady = True

    @property
    def evidence(self) -> tuple[float, float]:
        """The winnings of the bets on rising and on falling, each averaged over the exponents."""
        rising, falling = self._winnings.mean(axis=1)
        return float(rising), float(falling)

    def since(self, *, rising: bool) -> int:
        """Return the index at which the best bet in one direction began: the likely start of the move."""
        row = 0 if rising else 1
        return int(self._starts[row, self._winnings[row].argmax()])

    def observe(self, value: float, *, index: int) -> None:
        """Bet on the next value; index: its place in the stream."""
        above = len(self._pool) - bisect_right(self._pool, value)
        same = len(self._pool) - above - bisect_left(self._pool, value) + 1
        rising = (above + self._random.uniform() * same) / (len(self._pool) + 1)
        ranks = np.clip([rising, 1 - rising], _SMALLEST, 1)[:, None]
        fresh = self._winnings <= 1
        self._starts[fresh] = index
        self._winnings = np.maximum(self._winnings, 1) * _EXPONENTS * ranks ** (_EXPONENTS - 1)
        if self.steady and self._joined < _MOST:
            insort(self._pool, value)
            self._joined += 1

    def start_again(self) -> None:
        """Forget the bets and the stream so far."""
        self._winnings[:] = 0
        self._pool, self._joined = [*self._good], 0
        self.steady = True
