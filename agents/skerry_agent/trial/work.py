"""Which I/O a trial needs next, and when: what the runner starts a task for."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from skerry.judging.guard import Evidence, Side
    from skerry_agent.trial.instance import Instance
    from skerry_agent.trial.memory import NodeTrial

BUDGET = 0.01
"""Golden replays may cost a hundredth of a core: the next comes after a hundred times their length."""
FIRST_BUDGET = 0.1
"""Until a first revision has the answers that its rules need: nobody waits for another one's answers there."""
SAMPLES_AT_ONCE = 4
LEAST_PAUSE_SECONDS = 1.0
RETRY_SECONDS = 2.0
COSTS = 8


@dataclass(frozen=True)
class SmokeCheck:
    """A smoke check of the trial's revision, next to stable where there is one."""

    trial: NodeTrial
    candidate: Instance
    stable: Instance | None


@dataclass(frozen=True)
class Replays:
    """Golden samples to each side: the idle device's traffic, and the golden rule's data.

    Attributes:
        sample: the number of the first; the others follow.
        first: of a first revision that has too few answers yet.
    """

    evidence: Evidence
    sides: Mapping[Side, Instance]
    sample: int
    first: bool = False

    @property
    def samples(self) -> range:
        """The numbers of the samples, to be replayed one after another."""
        return range(self.sample, self.sample + (SAMPLES_AT_ONCE if self.first else 1))


Work = SmokeCheck | Replays


class ReplaySchedule:
    """When the next golden sample is replayed, and which one."""

    def __init__(self, now: float) -> None:
        """Replay at once."""
        self.sample = 0
        self._due = now
        # the shortest of the last replays: nearest to the CPU time, as the rest is waiting for others
        self._costs: deque[float] = deque(maxlen=COSTS)

    def is_due(self, now: float) -> bool:
        """Return whether the next replay may start."""
        return now >= self._due

    def record(self, seconds: float, now: float, work: Replays) -> None:
        """Record that the replays took `seconds`, and schedule the next ones."""
        self.sample = work.samples.stop
        self._costs.append(seconds / len(work.samples))
        rest = seconds / FIRST_BUDGET if work.first else min(self._costs) / BUDGET
        self._due = now + max(LEAST_PAUSE_SECONDS, rest)

    def retry(self, now: float) -> None:
        """Schedule the next replay after one that ended unexpectedly."""
        self._due = now + RETRY_SECONDS
