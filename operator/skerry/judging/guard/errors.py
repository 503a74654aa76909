"""errors: does the candidate fail more often than is tolerated, and more often than stable?

An error is a 5xx, a timeout, a reset or a broken answer; 4xx and clients that leave count nowhere.
Three ways to fail:

- five failures in a row over a second or more, at once; when stable failed lately too, and not surely
  less often (Fisher, p < 1e-4), it may be the node and not the build: the rates alone decide then;
- a rate that is above stable's beyond doubt (Fisher, p < 1e-4) and above `tolerate` (p < 0.025);
- a rate that is above `tolerate` beyond doubt (p < 1e-6), with its lower 95 % bound above stable's
  upper one (Wilson 1927): so stable's few answers at a tenth of the traffic can't hide a fault. With
  nothing to compare (a first rollout, after a promotion) the first half decides, on failures from
  more than five seconds: a device that stands still for a moment fills the queue of any build.

Whether a rate is above `tolerate` is tested exactly (binomial), not by Wilson's bound: three failures
of 20 lift that bound above 1 % even at z = 4.3, and this happens by chance to a build with a true
rate of 0.2 % somewhere in a fleet every day. Looked at over the last minute and over 15: a fault
that begins late is not drowned by a good past, and where a minute shows too little 15 may show enough.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from dataclasses import dataclass, field
from math import exp, lgamma, log, log1p
from typing import TYPE_CHECKING

from skerry.api.edgenode import VerdictOutcome
from skerry.judging.guard.finding import Finding, no_data
from skerry.judging.guard.tail import fisher
from skerry.judging.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Sequence

RULE = "Errors"
IN_A_ROW = 5
RUN_SECONDS = 1.0
"""A burst that meets a full queue is answered by many failures at one instant: they are one event."""
STALL_SECONDS = 5.0
"""Longer than a node's stall refuses requests (seen: 1.5 s, while an image was unpacked there)."""
SHORT_SECONDS = 60.0
LONG_SECONDS = 900.0
SLICE_SECONDS = 5.0
RECENT_SECONDS = 20.0
"""A failure of stable that is older says nothing about the node now."""
ABOVE_TOLERATED_P = 0.025
ABOVE_STABLE_P = 1e-4
BEYOND_DOUBT_P = 1e-6
NEGLIGIBLE = 2.0**-54


@dataclass(slots=True)
class _Slice:
    """Answers and failures of some seconds."""

    start: float
    answers: int = 0
    failures: int = 0
    first_failure: float | None = None

    def age(self, at: float) -> float:
        """Return the seconds since the slice began."""
        return at - self.start


@dataclass
class Counts:
    """Answers and failures of one side, by slices of time, and its present run of failures."""

    slices: deque[_Slice] = field(default_factory=deque)
    run: int = 0
    run_began: float | None = None
    last_failure: float | None = None
    answers: int = 0
    failures: int = 0

    def add(self, at: float, *, failed: bool) -> None:
        """Count one answer at `at`, in seconds."""
        newest = self._slice_of(at)
        newest.answers += 1
        self.answers += 1
        if not failed:
            self.run, self.run_began = 0, None
            return
        if newest.first_failure is None:
            newest.first_failure = at
        newest.failures += 1
        self.failures += 1
        self.run += 1
        self.run_began = at if self.run_began is None else self.run_began
        self.last_failure = at

    def add_good(self, ends: Sequence[float]) -> None:
        """Count answers that did not fail, by their times in ascending order, as `add` of each one would."""
        counted = 0
        while counted < len(ends):
            newest = self._slice_of(ends[counted])
            upto = bisect_left(ends, SLICE_SECONDS, counted, key=newest.age)
            newest.answers += upto - counted
            self.answers += upto - counted
            self.run, self.run_began = 0, None
            counted = upto

    def _slice_of(self, at: float) -> _Slice:
        """Return the newest slice, or a new one when that began too long before `at`; forget old ones."""
        if self.slices and at - self.slices[-1].start < SLICE_SECONDS:
            return self.slices[-1]
        self.slices.append(_Slice(at))
        while self.slices[0].start < at - LONG_SECONDS:
            gone = self.slices.popleft()
            self.answers -= gone.answers
            self.failures -= gone.failures
        return self.slices[-1]

    def within(self, start: float) -> tuple[int, int]:
        """Return (failures, answers) of the slices that began at or after `start`."""
        if self.slices and self.slices[0].start >= start:
            return self.failures, self.answers
        failures = answers = 0
        for piece in reversed(self.slices):
            if piece.start < start:
                break
            failures += piece.failures
            answers += piece.answers
        return failures, answers

    def first_failure(self, start: float) -> float | None:
        """Return the time of the first failure in the slices that began at or after `start`."""
        return next((p.first_failure for p in self.slices if p.start >= start and p.failures), None)

    def span(self, start: float) -> float:
        """Return the seconds from the first to the last failure in the slices that began at or after `start`."""
        first = self.first_failure(start)
        return 0.0 if first is None or self.last_failure is None else self.last_failure - first


def in_a_row(candidate: Counts, stable: Counts | None, now: float) -> Finding | None:
    """Fail at once after five failures in a row; None says nothing about the rates."""
    began = candidate.run_began
    if began is None or candidate.run < IN_A_ROW or now - began < RUN_SECONDS:
        return None
    if stable is not None and _fails_too(candidate, stable, now):
        return None
    return Finding(
        VerdictOutcome.FAIL,
        RULE,
        observed=f"{candidate.run} failures in a row",
        bound=f"{IN_A_ROW} in a row",
        samples=candidate.within(now - LONG_SECONDS)[1],
        message=f"the last {candidate.run} requests failed",
        first_bad_at=began,
    )


def _fails_too(candidate: Counts, stable: Counts, now: float) -> bool:
    """Return whether stable failed lately, and not surely less often than the candidate."""
    if stable.last_failure is None or now - stable.last_failure >= RECENT_SECONDS:
        return False
    start = now - RECENT_SECONDS
    return fisher(*candidate.within(start), *stable.within(start)) >= ABOVE_STABLE_P


def judge(
    candidate: Counts, stable: Counts | None, tolerate: float, least: int, now: float
) -> Finding:
    """Return the rule's finding at `now`; `tolerate` is a share, 0.01 for 1 %; `stable` None: no comparison."""
    row = in_a_row(candidate, stable, now)
    if row is not None:
        return row
    best = no_data(RULE, candidate.within(now - LONG_SECONDS)[1], least)
    for span in (SHORT_SECONDS, LONG_SECONDS):
        failed, answers = candidate.within(now - span)
        if answers < least:
            continue
        other = stable.within(now - span) if stable is not None else None
        outcome = _weigh(failed, answers, other, tolerate)
        if outcome is VerdictOutcome.FAIL and other is None:
            outcome = _unless_a_stall(candidate.span(now - span))
        if outcome is VerdictOutcome.PASS and best.outcome is VerdictOutcome.INCONCLUSIVE:
            continue
        passed = outcome is VerdictOutcome.PASS
        first = None if passed else candidate.first_failure(now - span)
        best = _finding(outcome, failed, answers, tolerate, first)
        if outcome is VerdictOutcome.FAIL:
            break
    return best


def _weigh(
    failed: int, answers: int, other: tuple[int, int] | None, tolerate: float
) -> VerdictOutcome:
    if failed <= tolerate * answers:
        return VerdictOutcome.PASS
    p = at_least(failed, answers, tolerate)
    if p >= ABOVE_TOLERATED_P:
        return VerdictOutcome.PASS
    if p < BEYOND_DOUBT_P and (other is None or _apart(failed, answers, other)):
        return VerdictOutcome.FAIL
    if other is not None and fisher(failed, answers, *other) < ABOVE_STABLE_P:
        return VerdictOutcome.FAIL
    return VerdictOutcome.INCONCLUSIVE


def _unless_a_stall(seconds: float) -> VerdictOutcome:
    return VerdictOutcome.FAIL if seconds > STALL_SECONDS else VerdictOutcome.INCONCLUSIVE


def _apart(failed: int, answers: int, other: tuple[int, int]) -> bool:
    return not other[1] or wilson(failed, answers).low > wilson(*other).high


def at_least(hits: int, of: int, chance: float) -> float:
    """Return the chance of `hits` or more out of `of` where each comes with `chance` (binomial tail)."""
    if hits <= 0 or chance >= 1:
        return 1.0
    if chance <= 0:
        return 0.0
    p = 0.0
    for x in range(hits, of + 1):
        term = exp(_log_binomial(x, of, chance))
        p += term
        # from the mode on the terms fall: what is left no longer changes the sum
        if term < p * NEGLIGIBLE and x > (of + 1) * chance:
            break
    return min(1.0, p)


def _log_binomial(x: int, of: int, chance: float) -> float:
    ways = lgamma(of + 1) - lgamma(x + 1) - lgamma(of - x + 1)
    return ways + x * log(chance) + (of - x) * log1p(-chance)


def _finding(
    outcome: VerdictOutcome, failed: int, answers: int, tolerate: float, first: float | None
) -> Finding:
    return Finding(
        outcome,
        RULE,
        observed=f"{failed} of {answers} failed ({failed / answers:.1%})",
        bound=f"{tolerate:.2%}",
        samples=answers,
        message=f"{failed} of {answers} requests failed",
        first_bad_at=first,
    )
