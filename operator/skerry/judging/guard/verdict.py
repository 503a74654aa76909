"""Combines the rules of a route into one finding.

One Fail is a Fail. Else one rule without data makes it NoData, one in doubt Inconclusive: a soak is
passed only when every rule says Pass. Where live traffic is too sparse for a rule, the golden replays
stand in for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.edgenode import VerdictOutcome
from skerry.api.guard import DEFAULT_RULES, GuardMetric
from skerry.api.units import parse_ratio
from skerry.judging.guard import errors, golden, past, shift, tail
from skerry.judging.guard.evidence import Side
from skerry.judging.guard.finding import Finding

if TYPE_CHECKING:
    from skerry.api.guard import GuardRule
    from skerry.api.modelroute import RouteGuard
    from skerry.judging.guard.evidence import Evidence, Traffic

DEFAULT_TOLERATE = {rule.metric: rule.tolerate for rule in DEFAULT_RULES}
COMPARING = (GuardMetric.LATENCY_SHIFT, GuardMetric.LATENCY_TAIL)
WORST_FIRST = (VerdictOutcome.FAIL, VerdictOutcome.NO_DATA, VerdictOutcome.INCONCLUSIVE)


def judge(evidence: Evidence, guard: RouteGuard, now: float, *, alone: bool = False) -> Finding:
    """Return the verdict at `now` (seconds, the answers' clock).

    `alone`: there is no stable to compare with (a first rollout, or after a promotion); then latency
    is not judged.
    """
    findings = [
        _ask(rule, evidence, guard.min_samples, now, alone=alone)
        for rule in guard.rules or DEFAULT_RULES
        if not (alone and rule.metric in COMPARING)
    ]
    held = past.judge(evidence.live.recent, evidence.good_median, guard.min_samples, now)
    if held is not None:
        findings.append(held)
    for outcome in WORST_FIRST:
        for finding in findings:
            if finding.outcome is outcome:
                return finding
    return _passed(findings)


def tolerated(rule: GuardRule) -> float:
    """Return the rule's tolerance as a number: 1.25 for 1.25x, 0.01 for 1%."""
    return float(parse_ratio(rule.tolerate or DEFAULT_TOLERATE[rule.metric] or "0"))


def _ask(rule: GuardRule, evidence: Evidence, least: int, now: float, *, alone: bool) -> Finding:
    if rule.metric is GuardMetric.GOLDEN:
        return golden.judge(evidence.golden)
    live = _statistic(rule, evidence.live, least, now, alone=alone)
    if live.outcome is not VerdictOutcome.NO_DATA:
        return live
    replayed = _statistic(rule, evidence.replays, least, now, alone=alone)
    return live if replayed.outcome is VerdictOutcome.NO_DATA else replayed


def _statistic(
    rule: GuardRule, traffic: Traffic, least: int, now: float, *, alone: bool
) -> Finding:
    bound, tails, counts = tolerated(rule), traffic.tails, traffic.counts
    if rule.metric is GuardMetric.LATENCY_SHIFT:
        return shift.judge(traffic.recent, bound, least, now)
    if rule.metric is GuardMetric.LATENCY_TAIL:
        return tail.judge(tails[Side.CANDIDATE], tails[Side.STABLE], bound, least)
    stable = None if alone else counts[Side.STABLE]
    return errors.judge(counts[Side.CANDIDATE], stable, bound, least, now)


def _passed(findings: list[Finding]) -> Finding:
    samples = max((finding.samples for finding in findings), default=0)
    observed = "; ".join(finding.observed for finding in findings)
    return Finding(
        VerdictOutcome.PASS,
        "",
        observed=observed[:128],
        samples=samples,
        message=f"every rule passes on {samples} answers",
    )
