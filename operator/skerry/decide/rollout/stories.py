"""A target's phase, reason and message: what people read, from what was decided.

A chain of small checks; the first that has something to say is the target's reason.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from skerry.api.actions import ANNOTATION_PROMOTE, Mark, join
from skerry.api.attempt import Attempt
from skerry.api.edgemodel import Phase
from skerry.api.reasons import Cause, GeneralReason, RolloutReason
from skerry.decide.rollout import wave_stories, why
from skerry.decide.rollout.actions import RULE_ABORTED, RULE_UNDONE, approval
from skerry.decide.rollout.model import Story
from skerry.decide.rollout.nodes import serves
from skerry.decide.rollout.progress import behind, catching_up, deadline
from skerry.decide.rollout.rejected import rejection_of
from skerry.decide.rollout.report import count
from skerry.decide.rollout.retire import leaving, waits_for_stable
from skerry.decide.rollout.wave import (
    is_done,
    is_last,
    passed_nodes,
)

if TYPE_CHECKING:
    from skerry.api.edgemodel import Rejection
    from skerry.api.modelroute import Halt, ModelRouteSpec
    from skerry.decide.rollout.model import NodeView
    from skerry.decide.rollout.report import Facts

BY_HAND = {RULE_ABORTED: RolloutReason.ABORTED, RULE_UNDONE: RolloutReason.UNDONE}
USED_NONCE = "again"


def tell(facts: Facts) -> Story:
    """Return the first story that holds."""
    stories = (check(facts) for check in STORIES)
    return next(story for story in stories if story is not None)


def _no_nodes(facts: Facts) -> Story | None:
    if facts.view.nodes:
        return None
    text = (
        f"class {facts.view.hardware_class} has no nodes: label a node so that the class selects it"
    )
    return Story(Phase.PENDING, Cause(GeneralReason.NO_NODES, text), without_nodes=True)


def _no_fallback(facts: Facts) -> Story | None:
    """Report a rolled-back revision that is all that answers somewhere: it stays there until stable is back."""
    view, route = facts.view, facts.route
    if route is None or route.stable is None:
        return None
    alone = [
        node
        for revision in leaving(view, route, facts.now)
        for node in view.nodes
        if node.reachable and not node.left_out and serves(node, revision)
        if node.model and not node.model.healthy
    ]
    if not alone:
        return None
    text = f"stable {route.stable.revision} does not answer on {why.names(alone)}, "
    text += "so the revision that runs there keeps the traffic"
    cause = why.summary(why.causes(view, alone, route.stable.revision))
    text += f"; {cause}" if cause else ""
    rejected = _rejected(facts)
    phase = rejected.phase if rejected else Phase.ROLLING_OUT
    return Story(phase, Cause(RolloutReason.NO_FALLBACK, text, stalls=rejected is not None))


def _rejected(facts: Facts) -> Story | None:
    view, route = facts.view, facts.route
    if view.desired is None or (route and view.desired in _live(route)):
        return None
    desired = Attempt(view.desired, view.attempt)
    recorded, halted = rejection_of(view, view.desired), route.halted if route else None
    rejection: Rejection | Halt | None = None
    if recorded is not None and desired.is_ruled_out_by(recorded):
        rejection = recorded
    if halted and desired.matches(halted):
        rejection = halted
    if rejection is None:
        return None
    text = f"{view.desired} was rolled back: {rejection.message}."
    text += f" Change the spec, or run kubectl skerry retry {view.edge_model}"
    reason = BY_HAND.get(rejection.rule, RolloutReason.ROLLED_BACK)
    return Story(Phase.ROLLED_BACK, Cause(reason, text, stalls=True))


def _suspended(facts: Facts) -> Story | None:
    """Report suspension, only where there is something to hold."""
    view, route = facts.view, facts.route
    if not view.policy.suspended or view.desired is None:
        return None
    if facts.wave is None and (route and route.stable and route.stable.revision == view.desired):
        return None
    held = wave_stories.wave_words(facts) if facts.wave else f"the rollout of {view.desired}"
    text = f"{held} is paused while spec.suspend is true; the guard stays active"
    return Story(Phase.PAUSED, Cause(GeneralReason.SUSPENDED, text))


def _awaits_promotion(facts: Facts) -> Story | None:
    view, wave, route = facts.view, facts.wave, facts.route
    if not view.policy.manual or wave is None or route is None or view.desired is None:
        return None
    tried = wave.candidate
    if tried.revision != view.desired or approval(view, tried) is not None:
        return None
    if not is_last(view, wave) or not is_done(view, wave, facts.now):
        return None
    mark = Mark(Attempt.of(tried))
    passed = len(passed_nodes(view, wave))
    text = f"{tried.revision} passed on {passed} of {len(view.nodes)} nodes and awaits approval:"
    text += (
        f" run kubectl skerry promote {view.edge_model}, or annotate {ANNOTATION_PROMOTE}={mark}"
    )
    if any(said.attempt == mark.attempt for said in view.actions.promote):
        text += f"/{USED_NONCE} (the existing approval was used before)"
    elif view.actions.promote:
        said = join(view.actions.promote)
        text += f" (the annotation names {said}, which does not await approval)"
    return Story(Phase.PAUSED, Cause(RolloutReason.AWAITING_PROMOTION, text))


def _all_left_out(facts: Facts) -> Story | None:
    view = facts.view
    if view.desired is None or any(
        not node.left_out or serves(node, view.desired) for node in view.nodes
    ):
        return None
    text = f"no node of class {view.hardware_class} can run {view.desired}; {why.left_out(view)}"
    return Story(Phase.PENDING, Cause(GeneralReason.NODES_LEFT_OUT, text, stalls=True))


def _awaiting_build(facts: Facts) -> Story | None:
    if facts.view.desired is not None:
        return None
    trusted = facts.route is not None and facts.route.stable is not None
    serving = trusted and count(facts).ready
    text = "the spec has no certified build yet" + (
        "; stable continues to serve" if serving else ""
    )
    return Story(Phase.PENDING, Cause(RolloutReason.AWAITING_BUILD, text))


def _waiting_to_start(facts: Facts) -> Story | None:
    view, route = facts.view, facts.route
    if route and route.stable and route.stable.revision == view.desired:
        return None
    text = f"{view.desired} waits until nodes release older revisions"
    return wave_stories.rolling_out(RolloutReason.RETIRING_REVISION, text)


def _catching_up(facts: Facts) -> Story | None:
    view = facts.view
    late, before = behind(view, facts.route), catching_up(view, facts.route, facts.now)
    if before is None or view.desired is None:
        return None
    text = f"{view.desired} is promoted; {len(late)} of {len(view.nodes)} nodes still catching up"
    until = deadline(view)
    if until is None or facts.now < until or before.last_progress_time == facts.now:
        return _caught_up_later(facts, late, text)
    text += f", no progress since {before.last_progress_time:%Y-%m-%d %H:%M:%S} UTC"
    text += f"; {why.any_cause(view, late, view.desired)}"
    return wave_stories.overdue(text)


def _caught_up_later(facts: Facts, late: list[NodeView], text: str) -> Story:
    """Return the story before the deadline: by name, and why where that is known."""
    view = facts.view
    found = why.causes(view, late, view.desired or "")
    cause = why.shared(found, late)
    if cause is not None:
        return Story(Phase.ROLLING_OUT, replace(cause, message=f"{text}; {cause.message}"))
    said = why.summary(found) or why.names(late)
    return wave_stories.rolling_out(RolloutReason.CATCHING_UP, f"{text}; {said}")


def _serving(facts: Facts) -> Story:
    view = facts.view
    offline = sum(not node.reachable and not node.left_out for node in view.nodes)
    text = f"{view.desired} answers on every reachable node"
    text += f"; {offline} offline nodes catch up when they return" if offline else ""
    outside = why.left_out(view)
    text += f"; {outside}" if outside else ""
    full = _waiting_for_room(facts)
    if full:
        text += f"; {why.names(full)} can't change until an offline node of the same shard returns"
    return Story(Phase.SERVING, Cause(RolloutReason.SERVING, text))


STORIES = (
    _no_nodes,
    _no_fallback,
    _rejected,
    _suspended,
    _awaits_promotion,
    _all_left_out,
    wave_stories.stalled,
    wave_stories.ring_without_nodes,
    wave_stories.lost,
    wave_stories.held,
    wave_stories.waits_for_room,
    wave_stories.waits_for_pulls,
    wave_stories.runs,
    _awaiting_build,
    _waiting_to_start,
    _catching_up,
    _serving,
)


def _live(route: ModelRouteSpec) -> set[str]:
    return {role.revision for role in (route.stable, route.candidate) if role}


def _waiting_for_room(facts: Facts) -> list[NodeView]:
    """Return the reachable nodes that stable can't reach yet, since an offline one keeps their shard full."""
    view, route = facts.view, facts.route
    if route is None:
        return []
    return [n for n in view.nodes if n.reachable and waits_for_stable(view, route, n)]
