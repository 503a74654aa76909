"""LatencyTail: are answers that are slow by stable's measure more frequent with the candidate?

Slow is above `tolerate` times stable's p95 since the step began. Fisher's exact test, one-sided
(Fisher 1922), p < 1e-5, and at least two points more than stable's own share: so a rare slow tail is
found in minutes, and a large sample does not blame a difference that nobody would notice.

Slow answers come in runs: one stall of half a second under a burst of requests gave one of two equal
builds 27 slow answers and the other 3, which Fisher's test takes for 27 independent ones. So the
candidate's two worst slices of 5 s are left out: what is slow must be slow at other times as well.
"""

from __future__ import annotations

from math import ceil, exp, lgamma, log
from typing import TYPE_CHECKING

from skerry.api.edgenode import VerdictOutcome
from skerry.judging.guard.finding import Finding, no_data
from skerry.judging.guard.histogram import WIDTH

if TYPE_CHECKING:
    from skerry.judging.guard.histogram import Histogram

RULE = "LatencyTail"
FAIL_P = 1e-5
DOUBT_P = 1e-3
LEAST_POINTS = 0.02
WORST_LEFT_OUT = 2
NEGLIGIBLE = 1e-12


def judge(candidate: Histogram, stable: Histogram, tolerate: float, least: int) -> Finding:
    """Return the rule's finding; `candidate` holds what is comparable with `stable` (see owntime)."""
    if candidate.total < least:
        return no_data(RULE, candidate.total, least)
    if stable.total < least:
        return no_data(RULE, stable.total, least, "stable")
    limit = stable.quantile_bucket(0.95) + ceil(log(tolerate) / WIDTH)
    slow, slow_stable = candidate.above(limit), stable.above(limit)
    share, share_stable = slow / candidate.total, slow_stable / stable.total
    outcome = VerdictOutcome.PASS
    if share >= share_stable + LEAST_POINTS:
        worst = candidate.worst_slices(limit, WORST_LEFT_OUT)
        hits, of = slow - sum(w[0] for w in worst), candidate.total - sum(w[1] for w in worst)
        outcome = _weigh(hits, of, slow_stable, stable.total)
    return Finding(
        outcome,
        RULE,
        observed=f"{share:.1%} slow, stable {share_stable:.1%}",
        bound=f"{tolerate:g}x stable's p95 ({exp((limit + 1) * WIDTH):.1f} ms)",
        samples=candidate.total,
        message=f"{share:.1%} of answers take longer than {exp((limit + 1) * WIDTH):.1f} ms,"
        f" stable {share_stable:.1%}",
    )


def _weigh(hits: int, of: int, other_hits: int, other_of: int) -> VerdictOutcome:
    if not of or hits / of < other_hits / other_of + LEAST_POINTS:
        return VerdictOutcome.PASS
    p = fisher(hits, of, other_hits, other_of)
    if p < FAIL_P:
        return VerdictOutcome.FAIL
    return VerdictOutcome.INCONCLUSIVE if p < DOUBT_P else VerdictOutcome.PASS


def fisher(hits: int, of: int, other_hits: int, other_of: int) -> float:
    """Return the chance that `hits` or more of all hits fall to the first side, were both sides equal."""
    drawn, total = hits + other_hits, of + other_of
    base = _log_choose(total, drawn)
    p = 0.0
    for x in range(hits, min(of, drawn) + 1):
        if drawn - x > other_of:
            continue
        term = exp(_log_choose(of, x) + _log_choose(other_of, drawn - x) - base)
        p += term
        if term < p * NEGLIGIBLE:
            break
    return p


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)
