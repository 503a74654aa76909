"""LatencyShift: are the candidate's latencies as a whole above `tolerate` times stable's?

Mann-Whitney's U of the candidate's latencies against 1.25 times stable's, both of the last 20 s
(longer where there is little traffic), summed over ten slices of that time (van Elteren 1960; normal
approximation with the correction for ties). A machine's noise comes and goes within seconds and hits
both sides: slicing takes it out. On windows of the recorded trace at shares 10/90 the chance to find
twice the latency within 20 s rose from 0.76 to 0.92, and to 0.96 with the bound at z > 3.7 instead of
the 4.3 that one U over all needs; of 300 windows of each kind and share none of equal builds was above
z = 0.2, none of a build of 1.2x above 2.8.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import repeat
from math import sqrt
from typing import TYPE_CHECKING

from skerry.api.edgenode import VerdictOutcome
from skerry.judging.guard.finding import Finding, no_data

if TYPE_CHECKING:
    from collections.abc import Iterator

    from skerry.judging.guard.recent import Point, Recent, Window

RULE = "LatencyShift"
FAIL_Z = 3.7
DOUBT_Z = 2.6
"""Above this (one in 200 by chance) a soak isn't passed yet: Inconclusive."""
SLICES = 10
SLOW_TIMES = 1.5
"""An answer is slow when it takes longer than so many times stable's p95."""


def judge(recent: Recent, tolerate: float, least: int, now: float) -> Finding:
    """Return the rule's finding at `now`; `least` samples of each side are needed."""
    window = recent.window(now, least)
    if len(window.candidate) < least:
        return no_data(RULE, len(window.candidate), least)
    if len(window.stable) < least:
        return no_data(RULE, len(window.stable), least, "stable")
    z = excess(window, tolerate)
    outcome = VerdictOutcome.PASS
    if z > DOUBT_Z:
        outcome = VerdictOutcome.FAIL if z > FAIL_Z else VerdictOutcome.INCONCLUSIVE
    return _finding(outcome, z, window, tolerate)


def excess(window: Window, tolerate: float) -> float:
    """Return van Elteren's z: above 0 where the candidate tends to be slower than `tolerate` times stable."""
    slices = list(
        zip(_sliced(window.candidate, window), _sliced(window.stable, window), strict=True)
    )
    above = spread = 0.0
    for mine, theirs in slices:
        if mine and theirs:
            values = [value for _, value, _ in mine]
            part, variance = _slice(values, [tolerate * value for _, value, _ in theirs])
            above, spread = above + part, spread + variance
    return above / sqrt(spread) if spread > 0 else 0.0


def _sliced(points: list[Point], window: Window) -> Iterator[list[Point]]:
    """Yield the points of each slice of the window's time, and of its very end."""
    start, width = window.start, (window.end - window.start) / SLICES

    def slice_of(point: Point) -> int:
        return int((point[0] - start) / width)

    begin = 0
    for number in range(1, SLICES + 2):
        end = bisect_left(points, number, begin, key=slice_of)
        yield points[begin:end]
        begin = end


def _slice(left: list[float], right: list[float]) -> tuple[float, float]:
    """Return (U - its mean) / (n + m + 1) of one slice, and the variance of that."""
    right.sort()
    n, m = len(left), len(right)
    ties = _ties(left + right)
    # twice U, so that a tie counts one half without leaving the integers
    below = sum(map(bisect_left, repeat(right), left))
    u2 = below + (sum(map(bisect_right, repeat(right), left)) if ties else below)
    size = n + m
    variance = n * m / 12 * (size + 1 - ties / (size * (size - 1)))
    return (u2 - n * m) / 2 / (size + 1), variance / (size + 1) ** 2


def _ties(pooled: list[float]) -> int:
    """Sum of t^3 - t over groups of equal values."""
    if len(set(pooled)) == len(pooled):
        return 0
    counts: dict[float, int] = {}
    for value in pooled:
        counts[value] = counts.get(value, 0) + 1
    return sum(t * t * t - t for t in counts.values())


def _finding(outcome: VerdictOutcome, z: float, window: Window, tolerate: float) -> Finding:
    mine, theirs = _quantile(window.candidate, 0.5), _quantile(window.stable, 0.5)
    first = None
    if outcome is not VerdictOutcome.PASS:
        slow = SLOW_TIMES * _quantile(window.stable, 0.95)
        first = next((time for time, value, _ in window.candidate if value > slow), None)
    return Finding(
        outcome,
        RULE,
        observed=f"median {mine:.1f} ms, stable {theirs:.1f} ms, z {z:.1f}",
        bound=f"{tolerate:g}x, z {FAIL_Z}",
        samples=len(window.candidate),
        message=f"median latency {mine:.1f} ms, stable {theirs:.1f} ms",
        first_bad_at=first,
    )


def _quantile(points: list[Point], share: float) -> float:
    return sorted([value for _, value, _ in points])[int(share * (len(points) - 1))]
