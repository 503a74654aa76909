"""Screens whole soaks with numpy: finds which of many come nearest to a bound of the guard.

6,000 soaks through the guard itself are minutes of CPU; the unit lane plays the few of them that a
change of the guard would fail first. The figures behind the bounds can be had for all of a soak's
windows at once; where the guard does something out of the ordinary (a span that grows because answers
are few), the screen leaves it to the guard. `test_screen.py` holds the screen against the guard.

It knows the coarse cadence alone: one batch of answers each ten seconds, each its own slice of the tail.
"""

from __future__ import annotations

from math import ceil, log
from typing import TYPE_CHECKING

import numpy as np

from skerry.judging.guard import errors, shift, tail
from skerry.judging.guard.histogram import SLICE_SECONDS as TAIL_SLICE_SECONDS
from skerry.judging.guard.histogram import WIDTH
from skerry.judging.guard.recent import MOST_PER_BATCH, SPAN_SECONDS
from tests.unit.judging.guard.soak import COARSE_CADENCE_SECONDS, GUARD

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tests.unit.judging.guard.noise import Floats, Requests
    from tests.unit.judging.guard.soak import Soak

    Ints = NDArray[np.int64]
    Bools = NDArray[np.bool_]

TOLERATED_SHIFT, TOLERATED_TAIL, TOLERATED_ERRORS = 1.25, 1.5, 0.01
NEAR_Z = shift.FAIL_Z - 0.5
NEAR_TAIL_P = tail.FAIL_P * 10
NEAREST_OF_EACH = 5
SLICE_SECONDS = SPAN_SECONDS / shift.SLICES
LEAST = GUARD.min_samples
ROUNDING = 1e-9
PER_SPAN = round(SPAN_SECONDS / SLICE_SECONDS)
PER_STEP = round(COARSE_CADENCE_SECONDS / SLICE_SECONDS)


def may_be_failed(soak: Soak) -> bool:
    """Tell whether the guard, asked every ten seconds, might fail this candidate."""
    z, p = nearness(soak)
    return z > NEAR_Z or p < NEAR_TAIL_P


def nearness(soak: Soak) -> tuple[float, float]:
    """Return the highest z and the lowest p of a soak; (inf, 0) where only the guard itself can say."""
    sides = sides_of(soak)
    z, p = shift_z(*sides), tail_p(*sides)
    unclear = errors_may_fail(soak.candidate.answered, soak.failing[0], soak.seconds)
    if unclear or z is None or p is None:
        return np.inf, 0.0
    return float(z.max()), float(p.min())


def nearest(soaks: Iterable[Soak]) -> tuple[int, ...]:
    """Return the places of the soaks that come nearest to a bound of the guard, in order."""
    found = [nearness(soak) for soak in soaks]
    places = range(len(found))
    unclear = {place for place in places if found[place] == (np.inf, 0.0)}
    rest = [place for place in places if place not in unclear]
    shifted = sorted(rest, key=lambda place: -found[place][0])[:NEAREST_OF_EACH]
    slow = [place for place in rest if found[place][1] < 1]
    slow = sorted(slow, key=lambda place: found[place][1])[:NEAREST_OF_EACH]
    return tuple(sorted(unclear.union(shifted, slow)))


def sides_of(soak: Soak) -> tuple[Side, Side]:
    """Return what candidate and stable answered, as the guard compares it."""
    own = soak.share > 1 / 2
    return (
        Side(soak.candidate, soak.failing[0], soak.seconds, own=own),
        Side(soak.stable, soak.failing[1], soak.seconds, own=False),
    )


class Side:
    """The good answers of one side; `own`: without the time in the server's own queue."""

    def __init__(self, requests: Requests, failed: Bools, seconds: float, *, own: bool) -> None:
        """Compute what both statistics of latencies need."""
        good = ~failed
        started, self.answered = requests.started[good], requests.answered[good]
        begun, self.queued = started, np.zeros(len(started), bool)
        if own:
            free = np.maximum.accumulate(np.concatenate(([0.0], self.answered)))[:-1]
            self.queued = started < free
            begun = np.maximum(started, free)
        self.milliseconds = np.maximum(0.0, (self.answered - begun) * 1000)
        self.steps = int(seconds / COARSE_CADENCE_SECONDS)
        edges = np.arange(self.steps + 1) * COARSE_CADENCE_SECONDS
        self.cuts = np.searchsorted(self.answered, edges)

    def kept(self) -> Ints:
        """Return the places of the answers that a series keeps: batches are thinned evenly."""
        sizes = np.diff(self.cuts)
        strides = np.maximum(1, -(-sizes // MOST_PER_BATCH))
        places = np.arange(self.cuts[0], self.cuts[-1])
        batches = np.repeat(np.arange(self.steps), sizes)
        kept: Ints = places[(places - self.cuts[batches]) % strides[batches] == 0]
        return kept


def shift_z(candidate: Side, stable: Side) -> Floats | None:
    """Return van Elteren's z at each step (-inf: no data yet); None where a span would have to grow."""
    kept = candidate.kept()
    unqueued = kept[~candidate.queued[kept]]
    other = stable.kept()
    few = too_few(candidate, unqueued) | too_few(stable, other)
    whole = np.arange(1, candidate.steps + 1) * COARSE_CADENCE_SECONDS <= SPAN_SECONDS
    if np.any(few & ~whole) or np.any(few[whole] & enough(candidate, kept, stable, other)[whole]):
        return None
    count = candidate.steps * PER_STEP
    mine = by_slice(candidate, unqueued, count)
    theirs = by_slice(stable, other, count) * TOLERATED_SHIFT
    above, spread = mann_whitney(mine, theirs)
    sums = [np.concatenate(([0.0] * (PER_SPAN + 1), np.cumsum(part))) for part in (above, spread)]
    ends = np.arange(1, candidate.steps + 1) * PER_STEP + PER_SPAN
    above, spread = (part[ends] - part[ends - PER_SPAN] for part in sums)
    return np.where(few, -np.inf, above / np.sqrt(np.where(spread > 0, spread, 1.0)))


def too_few(side: Side, places: Ints) -> Bools:
    """Tell for each step whether its span holds fewer answers than the guard needs."""
    edges = np.arange(side.steps + 1) * COARSE_CADENCE_SECONDS
    ends = np.searchsorted(side.answered[places], edges)
    spans = round(SPAN_SECONDS / COARSE_CADENCE_SECONDS)
    starts = np.concatenate(([0] * spans, ends))[: len(ends)]
    return (ends - starts)[1:] < LEAST


def enough(candidate: Side, mine: Ints, stable: Side, theirs: Ints) -> Bools:
    """Tell for each step of the first span whether the guard judges: it has enough of both sides."""
    return ~too_few(candidate, mine) & ~too_few(stable, theirs)


def by_slice(side: Side, places: Ints, count: int) -> Floats:
    """Return latencies as rows of slices of two seconds, filled up with NaN."""
    slices = (side.answered[places] // SLICE_SECONDS).astype(int)
    firsts = np.searchsorted(slices, np.arange(count))
    ranks = np.arange(len(places)) - firsts[slices]
    rows = np.full((count, int(ranks.max()) + 1), np.nan)
    rows[slices, ranks] = side.milliseconds[places]
    return rows


def mann_whitney(mine: Floats, theirs: Floats) -> tuple[Floats, Floats]:
    """Return (U - its mean) / (n + m + 1) of each slice, and the variance of that."""
    n, m = ((~np.isnan(rows)).sum(axis=1).astype(float) for rows in (mine, theirs))
    left, right = mine[:, :, None], theirs[:, None, :]
    u2 = (left > right).sum(axis=(1, 2)) + (left >= right).sum(axis=(1, 2))
    size = n + m
    both = (n > 0) & (m > 0)
    pairs = np.where(both, size * (size - 1), 1.0)
    variance = n * m / 12 * (size + 1 - ties(np.concatenate((mine, theirs), axis=1)) / pairs)
    above = (u2 - n * m) / 2 / (size + 1)
    return np.where(both, above, 0.0), np.where(both, variance / (size + 1) ** 2, 0.0)


def ties(pooled: Floats) -> Floats:
    """Return the sum of t^3 - t over groups of equal values of each row."""
    found = np.zeros(len(pooled))
    every = np.sort(pooled[~np.isnan(pooled)])
    if not (every[1:] == every[:-1]).any():
        return found
    pooled = np.sort(pooled, axis=1)
    for row in np.flatnonzero((pooled[:, 1:] == pooled[:, :-1]).any(axis=1)):
        values = pooled[row]
        counts = np.unique(values[~np.isnan(values)], return_counts=True)[1]
        found[row] = (counts**3 - counts).sum()
    return found


def tail_p(candidate: Side, stable: Side) -> Floats | None:
    """Return Fisher's p of slow answers at each step (1 where there are too few, or no more than stable's).

    None: a batch ended so soon after the one before that the guard would count them as one slice.
    """
    edges = (
        min(buckets(side).min() for side in (candidate, stable)),
        max(buckets(side).max() for side in (candidate, stable)),
    )
    mine, theirs = (per_step(side, *edges) for side in (candidate, stable))
    if any(
        np.any(np.diff(last_of_batches(side)) < TAIL_SLICE_SECONDS) for side in (candidate, stable)
    ):
        return None
    all_mine, all_theirs = (np.cumsum(counts, axis=0) for counts in (mine, theirs))
    total, total_stable = all_mine.sum(axis=1), all_theirs.sum(axis=1)
    upto = np.cumsum(all_theirs, axis=1)
    p95 = (upto >= np.ceil(0.95 * total_stable)[:, None]).argmax(axis=1)
    limits = np.minimum(p95 + ceil(log(TOLERATED_TAIL) / WIDTH), upto.shape[1] - 1)
    steps = np.arange(len(limits))
    slow_stable = total_stable - upto[steps, limits]
    slow = total - np.cumsum(all_mine, axis=1)[steps, limits]
    judged = (total >= LEAST) & (total_stable >= LEAST)
    p = np.ones(len(limits))
    more = slow / np.maximum(total, 1) - slow_stable / np.maximum(total_stable, 1)
    for step in np.flatnonzero(judged & (more >= tail.LEAST_POINTS - ROUNDING)):
        p[step] = tail_p_of_step(mine[: step + 1], all_theirs[step], limits[step])
    return p


def tail_p_of_step(mine: Ints, theirs: Ints, limit: int) -> float:
    """Return p at one step from the candidate's counts of each batch and all of stable's."""
    above, of = mine[:, limit + 1 :].sum(axis=1), mine.sum(axis=1)
    slow, total = int(above.sum()), int(of.sum())
    slow_stable, total_stable = int(theirs[limit + 1 :].sum()), int(theirs.sum())
    most = slow_stable / total_stable + tail.LEAST_POINTS
    if slow / total < most:
        return 1.0
    worst = np.lexsort((of, above))[-tail.WORST_LEFT_OUT :]
    hits, rest = slow - int(above[worst].sum()), total - int(of[worst].sum())
    if not rest or hits / rest < most:
        return 1.0
    return tail.fisher(hits, rest, slow_stable, total_stable)


def buckets(side: Side) -> Ints:
    """Return the bucket of each latency."""
    return np.floor(np.log(np.maximum(side.milliseconds, 0.001)) / WIDTH).astype(int)


def per_step(side: Side, lowest: int, highest: int) -> Ints:
    """Return the counts of each batch by bucket."""
    width = highest - lowest + 1
    batches = np.repeat(np.arange(side.steps), np.diff(side.cuts))
    found = buckets(side)[side.cuts[0] : side.cuts[-1]] - lowest
    counts = np.bincount(batches * width + found, minlength=side.steps * width)
    return counts.reshape(side.steps, width)


def last_of_batches(side: Side) -> Floats:
    """Return when the last answer of each batch came that has one."""
    ends = side.cuts[1:][np.diff(side.cuts) > 0]
    return side.answered[ends - 1]


def errors_may_fail(answered: Floats, failed: Bools, seconds: float) -> bool:
    """Tell whether failures might be too many in any minute, or five in a row.

    The guard counts by slices of five seconds: of the failures it sees no more than those of the
    last minute, of the answers no fewer than those of the last 55 seconds.
    """
    row = np.convolve(failed, np.ones(errors.IN_A_ROW), "valid")
    if len(row) and row.max() == errors.IN_A_ROW:
        return True
    bad = answered[failed]
    now = np.arange(1, int(seconds / COARSE_CADENCE_SECONDS) + 1) * COARSE_CADENCE_SECONDS
    for span in (errors.SHORT_SECONDS, errors.LONG_SECONDS):
        hits = np.diff(np.searchsorted(bad, (now - span, now)), axis=0)[0]
        most = np.diff(np.searchsorted(answered, (now - span, now)), axis=0)[0]
        sure = np.maximum(now - span + errors.SLICE_SECONDS, 0.0) if span < seconds else 0 * now
        least = np.diff(np.searchsorted(answered, (sure, now)), axis=0)[0]
        suspect = (most >= LEAST) & (hits > TOLERATED_ERRORS * least)
        pairs = set(zip(hits[suspect].tolist(), least[suspect].tolist(), strict=True))
        if any(
            errors.at_least(*pair, TOLERATED_ERRORS) < errors.ABOVE_TOLERATED_P for pair in pairs
        ):
            return True
    return False
