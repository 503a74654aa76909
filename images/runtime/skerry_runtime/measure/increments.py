"""Ratios of memory: of the increments over the empty runtime, by which models are compared."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from skerry.judging.intervals import Estimate

if TYPE_CHECKING:
    from collections.abc import Sequence

# Increments below this are pages and allocator, not the model: smaller baselines count as this.
LEAST_BASELINE_BYTES = 32 * 2**20


def increments(peaks: Sequence[int], empty: Sequence[int]) -> tuple[int, ...]:
    """Return the peaks over the empty runtime's median peak, in bytes, never negative."""
    floor = int(median(empty))
    return tuple(max(0, peak - floor) for peak in peaks)


def reduction(baseline: Sequence[int], candidate: Sequence[int]) -> Estimate:
    """Return the share of the baseline's increment that the candidate saves; may be negative.

    With few processes a percentile means little: the interval is the range over all pairs of a
    baseline process and a candidate process.
    """
    pairs = [_saved(one, other) for one in baseline for other in candidate]
    return Estimate(_saved(median(baseline), median(candidate)), min(pairs), max(pairs))


def _saved(baseline: float, candidate: float) -> float:
    return (baseline - candidate) / max(baseline, LEAST_BASELINE_BYTES)
