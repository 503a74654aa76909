"""Whether a revision has degraded enough nodes to be rolled back in its class.

The bar is the larger of `maxDegradedNodes` and what false verdicts and the fleet's own losses would
give by chance, as a Poisson quantile.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.attempt import Attempt
from skerry.api.units import parse_count
from skerry.decide.rollout.nodes import failing_rule, has_failed, verdict
from skerry.decide.rollout.wave import lost_of, member_nodes, outside_nodes

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.decide.rollout.model import NodeView, TargetView, Wave

FALSE_VERDICTS_PER_NODE = 0.001
"""Of equal builds, per node and rollout: the guard's simulation sees none in 1,000 soaks."""

CHANCE = 0.01
"""A class is rolled back when chance alone would give so many bad nodes less often than this."""

LARGE_MEAN = 500.0
"""Above it exp(-mean) nears the end of floating point; the normal approximation is exact enough."""

NORMAL_QUANTILE = 2.3264
"""Of the standard normal distribution at 1 - CHANCE."""

RULE_LOST = "Lost"


@dataclass(frozen=True)
class Degraded:
    """Nodes that speak against a revision, and how many it takes."""

    attempt: Attempt
    failed: tuple[NodeView, ...]
    lost: tuple[NodeView, ...]
    judged: int
    threshold: int

    @property
    def reached(self) -> bool:
        """Whether the revision is to be rolled back."""
        return len(self.failed) + len(self.lost) >= self.threshold


def judge_candidate(view: TargetView, wave: Wave, now: datetime) -> Degraded:
    """Return the candidate's case: failures anywhere, and losses where they exceed those of the other nodes.

    The rest are the nodes elsewhere that are lost or renewed lately: the others are unknown. The bar
    is never above the wave's size: a wave in which every node failed can't continue.
    """
    tried = Attempt.of(wave.candidate)
    failed = _failed(view, tried)
    inside, outside = member_nodes(view, wave), outside_nodes(view, wave)
    lost, lost_outside = lost_of(view, inside, now), lost_of(view, outside, now)
    alive = sum(node.reachable and node.renewed_lately for node in outside)
    usual = len(lost_outside) / (len(lost_outside) + alive) if lost_outside or alive else 1.0
    unusual = bool(lost) and len(lost) / len(inside) > usual
    counted = tuple(node for node in lost if node not in failed) if unusual else ()
    expected = len(inside) * (FALSE_VERDICTS_PER_NODE + (usual if unusual else 0.0))
    bar = min(_threshold(view, expected), max(1, len(inside)))
    return Degraded(tried, failed, counted, len(inside), bar)


def judge_stable(view: TargetView, attempt: Attempt) -> Degraded:
    """Return stable's case while the guard is armed: failures only, since silence never counts."""
    failed = _failed(view, attempt)
    bar = _threshold(view, len(view.nodes) * FALSE_VERDICTS_PER_NODE)
    return Degraded(attempt, failed, (), len(view.nodes), bar)


def chance_threshold(expected: float) -> int:
    """Return the least count that a Poisson variable of that mean reaches with a chance below `CHANCE`."""
    if expected > LARGE_MEAN:
        return math.ceil(expected + NORMAL_QUANTILE * math.sqrt(expected)) + 1
    count, term, tail = 0, math.exp(-expected), 1.0
    while tail >= CHANCE:
        tail -= term
        count += 1
        term *= expected / count
    return count


def describe(case: Degraded) -> tuple[str, str, str]:
    """Return rule, node and message (at most 256 characters) of the halt that a case leads to."""
    bad = case.failed or case.lost
    node = bad[0]
    rules = Counter(failing_rule(n, case.attempt) for n in case.failed)
    rule = rules.most_common(1)[0][0] if rules else RULE_LOST
    text = f"{len(case.failed)} of {case.judged} nodes reported Fail"
    if case.lost:
        text += f", {len(case.lost)} went silent, more than elsewhere"
    found = verdict(node, case.attempt)
    detail = f": {rule} on {node.name}" + (f", {found.message or found.observed}" if found else "")
    return rule, node.name, (text + detail)[:256]


def _failed(view: TargetView, attempt: Attempt) -> tuple[NodeView, ...]:
    failed = (node for node in view.nodes if has_failed(node, attempt))
    return tuple(sorted(failed, key=lambda node: node.name))


def _threshold(view: TargetView, expected: float) -> int:
    allowed = parse_count(view.policy.max_degraded_nodes, len(view.nodes))
    return max(allowed, chance_threshold(expected))
