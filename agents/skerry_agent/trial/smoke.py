"""The smoke check's policy: which sample is asked of whom and when, and what the answers mean.

A candidate answers golden samples before it gets any traffic, next to stable: what it answers must be as
certified, and a build that is far too slow here is stopped before a user meets it. `check` is a generator,
as httpx's `auth_flow`: it yields a probe, receives its replay, and returns the finding. Whoever drives it
sends the probes (`skerry_agent.golden`).
"""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from skerry.api.edgenode import VerdictOutcome
from skerry.judging.guard import Answer, Finding, Side
from skerry.judging.guard.golden import RULE

if TYPE_CHECKING:
    from collections.abc import Generator

PACE_TIMES = 4.0
PACE_SECONDS = 0.2
"""Between two samples: four times as long as the quickest took, 0.2 s at most, so that a small model is
checked within a tenth of a second. Where that was too slow, 0.2 s in the rounds that follow: a CPU limit that
is enough for traffic is enough for it."""
LEAST_TIMED = 8
MOST_CHECKED = 24
SLOWER_TIMES = 3.0
SLACK_MILLISECONDS = 20.0
"""The check fails when the median is above 3 times stable's (or the certified) plus 20 ms: what HTTP and a
busy machine add to a small model's fraction of a millisecond is no fault."""
TIMED_ROUNDS = 4
ROUND_PAUSE_SECONDS = 8.0
"""A busy machine is slow for a while, a build that is too slow stays so: only a candidate that is slow
in every round fails, and other load can only have made a round longer."""


class Probe(NamedTuple):
    """One sample for one side, asked after a pause. `sample` counts on beyond the last sample: modulo.

    `opens_round`: stable's samples may be there now if they were not in the round before.
    """

    side: Side
    sample: int
    pause_seconds: float = 0.0
    opens_round: bool = False


class Replay(NamedTuple):
    """One sample's answer; `wrong` says what is not as certified."""

    answer: Answer
    wrong: str | None = None

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return (self.answer.answered - self.answer.started) * 1000


def check(
    samples: int, certified_milliseconds: float | None, *, compared: bool
) -> Generator[Probe, Replay, Finding]:
    """Yield the probes of a smoke check and return its finding.

    `samples` are the candidate's. Its median is `compared` with stable's, and with the certified one where
    stable gives none.
    """
    yield Probe(Side.CANDIDATE, 0)  # wakes it up: not timed
    count = max(min(samples, MOST_CHECKED), LEAST_TIMED)
    certified = [] if certified_milliseconds is None else [certified_milliseconds]
    finding = yield from _round(0, count, certified, compared=compared)
    for number in range(1, TIMED_ROUNDS):
        if finding.outcome is VerdictOutcome.PASS or finding.first_bad_at is not None:
            break
        finding = yield from _round(number, count, certified, compared=compared)
    return finding


def _round(
    number: int, count: int, certified: list[float], *, compared: bool
) -> Generator[Probe, Replay, Finding]:
    """Ask each sample once, or some again for enough times; a wrong answer ends it."""
    times: list[float] = []
    reference: list[float] = []
    pause = ROUND_PAUSE_SECONDS if number else 0.0
    for sample in range(count):
        replay = yield from _ask(Probe(Side.CANDIDATE, sample, pause, opens_round=not sample))
        if replay.wrong is not None:
            return _wrong(replay, len(times) + 1)
        times.append(replay.milliseconds)
        if compared:
            other = yield Probe(Side.STABLE, sample)
            reference += [] if other.answer.failed else [other.milliseconds]
        pause = PACE_SECONDS if number else min(PACE_SECONDS, PACE_TIMES * min(times) / 1000)
    return _timed(times, reference or certified)


def _ask(probe: Probe) -> Generator[Probe, Replay, Replay]:
    """Ask once, and once more at once where the answer is wrong."""
    replay = yield probe
    if replay.wrong is not None:
        replay = yield Probe(probe.side, probe.sample)
    return replay


def _wrong(replay: Replay, count: int) -> Finding:
    return Finding(
        VerdictOutcome.FAIL,
        RULE,
        observed=(replay.wrong or "")[:128],
        bound="the certified outputs, within their tolerance",
        samples=count,
        message=f"smoke check: {replay.wrong}",
        first_bad_at=replay.answer.answered,
    )


def _timed(times: list[float], reference: list[float]) -> Finding:
    mine = median(times)
    if not reference:
        return Finding(
            VerdictOutcome.PASS, RULE, observed=f"median {mine:.1f} ms", samples=len(times)
        )
    limit = SLOWER_TIMES * median(reference) + SLACK_MILLISECONDS
    slow = mine > limit
    return Finding(
        VerdictOutcome.FAIL if slow else VerdictOutcome.PASS,
        RULE,
        observed=f"median {mine:.1f} ms, expected {median(reference):.1f} ms",
        bound=f"{limit:.1f} ms",
        samples=len(times),
        message=f"smoke check: golden samples take {mine:.1f} ms, more than the accepted {limit:.1f} ms"
        if slow
        else "golden samples match the certified outputs",
    )
