"""All that is known about candidate and stable on this node since the candidate's trial began.

Memory is bounded (spans, slices and histograms of bounded age), adding a second of 100 requests
costs tenths of a millisecond. Live traffic and golden replays are kept apart: they differ in their
mix of requests, and only where the one is too sparse the other stands in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from skerry.judging.guard.errors import Counts
from skerry.judging.guard.golden import Record
from skerry.judging.guard.histogram import Histogram
from skerry.judging.guard.owntime import own_times
from skerry.judging.guard.recent import Recent

if TYPE_CHECKING:
    from collections.abc import Iterable

GOLDEN_GREATEST_AGE_SECONDS = 3600.0
EQUAL_SHARE = 50


class Answer(NamedTuple):
    """One request: when the whole of it was there, when its answer came (seconds), and how it went."""

    started: float
    answered: float
    failed: bool = False


class Side(Enum):
    """Who answered."""

    CANDIDATE = "candidate"
    STABLE = "stable"


@dataclass
class Traffic:
    """One kind of traffic to both sides."""

    recent: Recent = field(default_factory=Recent)
    tails: dict[Side, Histogram] = field(
        default_factory=lambda: {side: Histogram() for side in Side}
    )
    counts: dict[Side, Counts] = field(default_factory=lambda: {side: Counts() for side in Side})
    free_at: float = 0.0
    candidate_has_more: bool = False

    def add(self, side: Side, answers: Iterable[Answer]) -> None:
        """Add a batch of one side's answers, in order of their ends."""
        batch = list(answers)
        spans = [(started, answered) for started, answered, failed in batch if not failed]
        if len(spans) == len(batch):
            self.counts[side].add_good([answered for _, answered in spans])
        else:
            for _, answered, failed in batch:
                self.counts[side].add(answered, failed=failed)
        if not spans:
            return
        if side is Side.CANDIDATE and self.candidate_has_more:
            points, self.free_at = own_times(spans, self.free_at)
        else:
            points = [(end, (end - start) * 1000, False) for start, end in spans]
        series = self.recent.candidate if side is Side.CANDIDATE else self.recent.stable
        series.extend(points)
        self.tails[side].add(points[-1][0], [point[1] for point in points])


@dataclass
class Evidence:
    """What `verdict.judge` looks at."""

    live: Traffic = field(default_factory=Traffic)
    replays: Traffic = field(
        default_factory=lambda: Traffic(recent=Recent(greatest_age=GOLDEN_GREATEST_AGE_SECONDS))
    )
    golden: Record = field(default_factory=Record)
    good_median: float | None = None
    """Stable's median before the candidate had traffic, in milliseconds."""

    def begin_step(self, share: int) -> None:
        """Begin a step with `share` percent of the traffic for the candidate; count slow tails from scratch."""
        for traffic in (self.live, self.replays):
            traffic.tails = {side: Histogram() for side in Side}
        self.live.candidate_has_more = share > EQUAL_SHARE

    def samples(self, side: Side) -> int:
        """Return the good answers since the step began, of the kind of traffic that has more."""
        return max(self.live.tails[side].total, self.replays.tails[side].total)
