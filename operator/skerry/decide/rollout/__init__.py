"""The rollout machine: which revision has which role on the nodes of a class, and where its pods go.

`decide_target(view, now)` is the one way in. It looks at the whole state of one target each time and
could always be the first pass: memory lives only in the ModelRoute (roles, wave, placements) and the
EdgeModel's status. The parts, in the order in which a decision runs through them:

    model.py       what goes in (TargetView) and what comes out (TargetDecision)
    roles.py       the next route: roll back, supersede, promote, swap, start a candidate
    actions.py     what a person does to it: approve, abort, undo; situation.py: what all checks look at
    guard.py       when enough nodes are degraded; nodes.py: what one node says; rejected.py
    wave.py        how far the candidate's wave is, and whether the next may open
    opening.py     which shards and rings a wave opens; progress.py: whether it gets on
    retire.py      how a revision leaves the nodes, shard by shard
    placement.py   where each revision's servers are meant to be: the route with wave and placements
    record.py      what the status remembers: rejections and history
    report.py      counts and wave, for the status; schedule.py: when to look again
    stories.py     phase, reason, message: for people; wave_stories.py: while a wave is open
"""

from skerry.decide.rollout.decide import decide_target
from skerry.decide.rollout.model import (
    NodeView,
    RolloutPolicy,
    TargetDecision,
    TargetView,
)
from skerry.decide.rollout.policy import actions_from, policy_from_spec

__all__ = [
    "NodeView",
    "RolloutPolicy",
    "TargetDecision",
    "TargetView",
    "actions_from",
    "decide_target",
    "policy_from_spec",
]
