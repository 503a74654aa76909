"""The rollout machine: which revision has which role on the nodes of a class, and where its pods go.

`decide_target(view, now)` is the one way in. It looks at the whole state of one target each time and
could always be the first pass: memory lives only in the ModelRoute, the EdgeModel's status and the
DaemonSets' placements. The parts, in the order in which a decision runs through them:

    model.py       what goes in (TargetView) and what comes out (TargetDecision)
    roles.py       the next route: roll back, restore, supersede, promote, start a candidate
    wave.py        how far the candidate's wave is, and which shards it opens next
    placement.py   where each revision's pods go; what is retired, shard by shard, and deleted
    record.py      what the status remembers: rejections and history
    report.py      phase, reason, message, counts: for people
"""

from skerry.decide.rollout.model import (
    NodeView,
    Placement,
    PlacementKind,
    RolloutPolicy,
    TargetDecision,
    TargetView,
)
from skerry.decide.rollout.policy import policy_from_spec

__all__ = [
    "NodeView",
    "Placement",
    "PlacementKind",
    "RolloutPolicy",
    "TargetDecision",
    "TargetView",
    "policy_from_spec",
]
