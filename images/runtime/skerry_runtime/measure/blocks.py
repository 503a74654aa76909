"""Blocks A B B A of calls against the baseline: the speed-up, with its interval.

Interleaving single calls would measure cache eviction, one long block of each the neighbors on the
machine. So baseline and candidate take turns in blocks, mirrored so that a drift hits both alike,
and each pair of blocks gives one ratio of medians.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from itertools import chain
from statistics import median
from typing import TYPE_CHECKING, Any

from skerry.judging.intervals import Estimate, bootstrap_median

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from skerry_runtime.measure.process import Process

LEAST_BLOCKS = 10
# To screen: few for all, then a few more at a time while the choice or a required gate is open.
BLOCKS_TO_SCREEN = 6
MORE_BLOCKS_TO_SCREEN = 4
# While a required gate is undecided, more are measured, up to these. A certificate is worth more.
MOST_BLOCKS_TO_CHOOSE = 20
MOST_BLOCKS_TO_CERTIFY = 40
LEAST_CALLS = 20
MOST_CALLS = 1000
# A block of very short calls is over before the machine has settled; milliseconds.
LEAST_BLOCK_MILLISECONDS = 50.0
# What a baseline's call counts at least. Fresh processes of one and the same model differ by up to 6 %
# in calls shorter than this, by where their pages lie; and the request around the call takes longer.
LEAST_BASELINE_MILLISECONDS = 0.2


@dataclass
class Timing:
    """Call latencies by block, pair by pair, and the answers of both by sample."""

    baseline: list[list[float]] = field(default_factory=list)
    candidate: list[list[float]] = field(default_factory=list)
    baseline_answers: dict[int, NDArray[Any]] = field(default_factory=dict)
    answers: dict[int, NDArray[Any]] = field(default_factory=dict)

    @property
    def speedup(self) -> Estimate:
        """p50 of the baseline over p50 of the candidate: the median over pairs of blocks."""
        pairs = zip(self.baseline, self.candidate, strict=True)
        return bootstrap_median([_ratio(median(one), median(other)) for one, other in pairs])

    @property
    def p50_milliseconds(self) -> float:
        """The candidate's median call."""
        return median(chain.from_iterable(self.candidate))


def _ratio(baseline: float, candidate: float) -> float:
    """Return baseline over candidate, in milliseconds; a short baseline is lengthened on both sides."""
    counted = max(baseline, LEAST_BASELINE_MILLISECONDS)
    return counted / (counted + candidate - baseline)


@dataclass(frozen=True)
class Pace:
    """How calls are grouped and spaced."""

    calls: int
    spread: float


def pace_for(baseline_seconds: float, cpu_limit: float, threads: int = 1) -> Pace:
    """Return the calls per block, and the least time per call as a multiple of its CPU time."""
    wanted = math.ceil(LEAST_BLOCK_MILLISECONDS / 1000 / max(baseline_seconds, 1e-6))
    calls = min(max(wanted, LEAST_CALLS), MOST_CALLS)
    # A tenth more than the quota asks for: the measuring process needs a little too.
    return Pace(calls, 0.0 if cpu_limit >= threads else 1.1 / cpu_limit)


def measure_blocks(
    timing: Timing, pairs: int, rows: int, pace: Pace, sides: tuple[Process, Process]
) -> None:
    """Add `pairs` (even) pairs of blocks to `timing`.

    Args:
        timing: What was measured so far; extended in place.
        pairs: Blocks of each side to add.
        rows: Samples there are; calls go through them in order and start again.
        pace: Calls per block and rest.
        sides: The baseline's process and the candidate's, both with the samples open.
    """
    for first in range(len(timing.candidate), len(timing.candidate) + pairs, 2):
        chosen = [_rows(pair, pace.calls, rows) for pair in (first, first + 1)]
        baseline, candidate = sides
        one = _answered(baseline, chosen[0], pace, timing.baseline_answers)
        two = _answered(candidate, chosen[0], pace, timing.answers)
        three = _answered(candidate, chosen[1], pace, timing.answers)
        four = _answered(baseline, chosen[1], pace, timing.baseline_answers)
        timing.baseline += [one, four]
        timing.candidate += [two, three]


def _answered(
    side: Process, rows: Sequence[int], pace: Pace, kept: dict[int, NDArray[Any]]
) -> list[float]:
    """Run a block and keep its answers, to be compared with those that were judged."""
    times, answers = side.block(rows, pace.spread)
    kept.update(zip(rows, answers, strict=True))
    return times


def _rows(pair: int, calls: int, rows: int) -> list[int]:
    return [index % rows for index in range(pair * calls, (pair + 1) * calls)]
