"""The last seconds of both sides, cut at the same moment so that shared noise hits both alike."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field

SPAN_SECONDS = 20.0
"""What the shift statistic looks at where there is traffic enough (facts of the guard)."""

GREATEST_AGE_SECONDS = 300.0
"""Where there is little traffic the span grows to hold enough samples, up to this age."""

MOST_PER_BATCH = 100
"""Of one hand-over (about a second) at most this many are kept, evenly spread: bounds the memory."""

Point = tuple[float, float, bool]
"""When (seconds), how long (milliseconds), and whether it was queued behind another request."""


@dataclass
class Series:
    """The points of one side in ascending order of time."""

    points: list[Point] = field(default_factory=list)

    def extend(self, points: list[Point]) -> None:
        """Add a batch, thinned evenly when it is large."""
        stride = max(1, -(-len(points) // MOST_PER_BATCH))
        self.points += points[::stride]

    def since(self, start: float, least: int) -> list[Point]:
        """Return the points at or after `start`: those that did not queue, if they are enough, else all."""
        points = self.points[bisect_left(self.points, (start,)) :]
        unqueued = [point for point in points if not point[2]]
        return unqueued if len(unqueued) >= least else points

    def drop_before(self, start: float) -> None:
        """Forget what is older."""
        del self.points[: bisect_left(self.points, (start,))]

    def time_of_last(self, count: int) -> float | None:
        """Return the time of the `count`-th latest point; None when there are fewer."""
        return self.points[-count][0] if len(self.points) >= count else None


@dataclass(frozen=True)
class Window:
    """Both sides over one span of `end - start` seconds."""

    candidate: list[Point]
    stable: list[Point]
    start: float
    end: float


@dataclass
class Recent:
    """Both sides over one span: 20 s, or as long as it takes to hold `least` samples of each."""

    candidate: Series = field(default_factory=Series)
    stable: Series = field(default_factory=Series)
    greatest_age: float = GREATEST_AGE_SECONDS

    def forget(self, now: float) -> None:
        """Forget what no later window can hold."""
        for side in (self.candidate, self.stable):
            side.drop_before(now - self.greatest_age)

    def window(self, now: float, least: int) -> Window:
        """Return the span that ends at `now` (seconds) and forget what lies before it."""
        oldest = now - self.greatest_age
        starts = [side.time_of_last(least) for side in (self.candidate, self.stable)]
        start = min([now - SPAN_SECONDS, *(oldest if s is None else s for s in starts)])
        start = max(start, oldest)
        for side in (self.candidate, self.stable):
            side.drop_before(start)
        candidate, stable = (side.since(start, least) for side in (self.candidate, self.stable))
        return Window(candidate, stable, start, now)
