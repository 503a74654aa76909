"""Latencies of a long time in little memory: counts in logarithmic buckets of 2 %, slice by slice of time."""

from __future__ import annotations

from collections import Counter, deque
from math import ceil, floor, log
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

WIDTH = log(1.02)
SMALLEST_MILLISECONDS = 0.001
SLICE_SECONDS = 5.0
GREATEST_AGE_SECONDS = 900.0
"""Older slices are forgotten: a fault that begins late is not drowned by a long good past."""


def bucket(milliseconds: float) -> int:
    """Return the bucket of a latency."""
    return floor(log(max(milliseconds, SMALLEST_MILLISECONDS)) / WIDTH)


class Histogram:
    """Counts of latencies by bucket; `greatest_age` in seconds."""

    def __init__(self, greatest_age: float = GREATEST_AGE_SECONDS) -> None:
        """Begin with an empty histogram."""
        self.greatest_age = greatest_age
        self.counts: Counter[int] = Counter()
        self.total = 0
        self._slices: deque[tuple[float, Counter[int]]] = deque()

    def add(self, now: float, milliseconds: Iterable[float]) -> None:
        """Count a batch of latencies that ended at about `now`, in seconds."""
        if not self._slices or now - self._slices[-1][0] >= SLICE_SECONDS:
            self._slices.append((now, Counter()))
        new = Counter(
            [
                floor(log(v) / WIDTH) if v > SMALLEST_MILLISECONDS else bucket(v)
                for v in milliseconds
            ]
        )
        self._slices[-1][1].update(new)
        self.counts.update(new)
        self.total += new.total()
        self._forget(now - self.greatest_age)

    def _forget(self, oldest: float) -> None:
        while self._slices and self._slices[0][0] < oldest:
            gone = self._slices.popleft()[1]
            self.counts.subtract(gone)
            self.counts += Counter()  # drops the zeros
            self.total -= gone.total()

    def quantile_bucket(self, share: float) -> int:
        """Return the bucket that holds the given quantile; the histogram must not be empty."""
        left = ceil(share * self.total)
        for key in sorted(self.counts):
            left -= self.counts[key]
            if left <= 0:
                return key
        raise ValueError("a quantile of an empty histogram was asked for")

    def above(self, key: int) -> int:
        """Return how many latencies lie in buckets above `key`."""
        return sum(count for where, count in self.counts.items() if where > key)

    def worst_slices(self, key: int, count: int) -> list[tuple[int, int]]:
        """Return (latencies above `key`, all latencies) of the `count` slices that have most above it."""
        found = (
            (sum(n for where, n in counts.items() if where > key), counts.total())
            for _, counts in self._slices
        )
        return sorted(found, reverse=True)[:count]
