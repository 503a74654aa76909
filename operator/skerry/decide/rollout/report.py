"""A target's phase, reason, message and counts: what people read, from what was decided.

Again a chain of small checks; the first that has something to say is the target's reason.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skerry.api.actions import ANNOTATION_PROMOTE, Mark, join
from skerry.api.attempt import Attempt
from skerry.api.edgemodel import NodeCounts, Phase, WaveStatus
from skerry.api.reasons import Cause, GeneralReason, RolloutReason
from skerry.decide.rollout import why
from skerry.decide.rollout.by_hand import RULE_ABORTED, RULE_UNDONE, approval
from skerry.decide.rollout.model import Story
from skerry.decide.rollout.nodes import has_failed, serves
from skerry.decide.rollout.opening import is_empty, is_passed_over, pulling_nodes
from skerry.decide.rollout.progress import behind, catching_up, deadline, progressed_at
from skerry.decide.rollout.rejected import rejection_of
from skerry.decide.rollout.retire import holders, leaving, waits_for_stable
from skerry.decide.rollout.wave import (
    counted_nodes,
    is_done,
    is_last,
    lost_nodes,
    passed_nodes,
    waiting_nodes,
)

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from skerry.api.edgemodel import Rejection
    from skerry.api.modelroute import Halt, ModelRouteSpec
    from skerry.decide.rollout.model import NodeView, TargetView, Wave

OFFENDERS = 3
BY_HAND = {RULE_ABORTED: RolloutReason.ABORTED, RULE_UNDONE: RolloutReason.UNDONE}
USED_NONCE = "again"


@dataclass(frozen=True)
class Facts:
    """What a report is made of: the view, the route and wave after this reconcile, the time."""

    view: TargetView
    route: ModelRouteSpec | None
    wave: Wave | None
    now: datetime


def tell(facts: Facts) -> Story:
    """Return the first story that holds."""
    stories = (check(facts) for check in STORIES)
    return next(story for story in stories if story is not None)


def count(facts: Facts) -> NodeCounts:
    """Count the nodes of the class."""
    view = facts.view
    counted = _expected_to_answer(view)
    return NodeCounts(
        desired=len(view.nodes),
        updated=sum(serves(node, view.desired) for node in view.nodes),
        ready=sum(_answers(node) for node in counted),
        degraded=len(_failed(facts)),
        offline=len(view.nodes) - len(counted),
    )


def offenders(facts: Facts) -> tuple[str, ...]:
    """Return the first few nodes that failed, are lost, or lack a pod that they should have."""
    view, wave = facts.view, facts.wave
    bad = [node.name for node in _failed(facts)]
    if wave is not None:
        bad += [node.name for node in lost_nodes(view, wave, facts.now)]
        bad += why.causes(view, waiting_nodes(view, wave), wave.candidate.revision)
    if view.desired is not None:
        bad += why.causes(view, behind(view, facts.route), view.desired)
    return tuple(dict.fromkeys(bad))[:OFFENDERS]


def unanswered(facts: Facts) -> str:
    """Return why reachable nodes have no server that answers, as far as their pods say it."""
    route = facts.route
    silent = [node for node in _expected_to_answer(facts.view) if not _answers(node)]
    role = (route.stable or route.candidate) if route else None
    return why.summary(why.causes(facts.view, silent, role.revision)) if role else ""


def wave_status(facts: Facts) -> WaveStatus | None:
    """Return the wave for the status: what it covers once this reconcile is applied."""
    view, wave = facts.view, facts.wave
    if wave is None or facts.route is None:
        return None
    extent = facts.route.placement_of(wave.candidate.revision) or wave.opened
    nodes, passed = sum(map(extent.holds, view.nodes)), len(passed_nodes(view, wave))
    return WaveStatus(
        index=wave.index,
        of=len(view.policy.waves),
        open_time=wave.opened_at,
        nodes=nodes,
        denominator=len(counted_nodes(view, extent, wave.opened_at)),
        passed=passed,
        last_progress_time=progressed_at(view, wave, nodes, passed, facts.now),
        message=why.summary(why.causes(view, waiting_nodes(view, wave), wave.candidate.revision)),
    )


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
    text = f"stable {route.stable.revision} does not answer on {_names(alone)}, "
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
    held = _wave_words(facts) if facts.wave else f"the rollout of {view.desired}"
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


def _ring_without_nodes(facts: Facts) -> Story | None:
    view, wave = facts.view, facts.wave
    if wave is None or is_last(view, wave):
        return None
    step = view.policy.waves[wave.index]
    if not is_empty(view, step) or is_passed_over(view, step):
        return None
    text = f"{_wave_words(facts)}: no node of any class has these labels; label nodes of class"
    text += f" {view.hardware_class}, or correct spec.rollout.waves[{wave.index}].nodeSelector"
    return _rolling_out(RolloutReason.RING_WITHOUT_NODES, text)


def _stalled(facts: Facts) -> Story | None:
    """Report a wave without progress for longer than `progressDeadline`, with the cause if it is known."""
    view, wave, route = facts.view, facts.wave, facts.route
    until = deadline(view)
    if wave is None or route is None or until is None or facts.now < until:
        return None
    if view.desired is None or is_done(view, wave, facts.now):
        return None
    status = wave_status(facts)
    if status is None or status.last_progress_time == facts.now:
        return None
    since = f"no progress since {status.last_progress_time:%Y-%m-%d %H:%M:%S} UTC"
    known = _ring_without_nodes(facts) or _wave_lost(facts)
    if known is not None:
        return _overdue(f"{known.cause.message}; {since}")
    waiting = waiting_nodes(view, wave)
    whom = f"{len(waiting)} of its nodes" if waiting else "a free slot on its nodes"
    text = f"{_wave_words(facts)} has made {since} and waits for {whom}"
    cause = why.any_cause(view, waiting, wave.candidate.revision)
    text += f"; {cause}" if cause else ""
    text += f". To end it, run kubectl skerry abort {view.edge_model}"
    return _overdue(text)


def _wave_held(facts: Facts) -> Story | None:
    """Report a wave whose nodes all lack their pods for a known cause."""
    view, wave = facts.view, facts.wave
    if wave is None or view.desired is None:
        return None
    waiting = waiting_nodes(view, wave)
    cause = why.shared(why.causes(view, waiting, wave.candidate.revision), waiting)
    if cause is None:
        return None
    cause = replace(cause, message=f"{_wave_words(facts)}; {cause.message}")
    return Story(Phase.ROLLING_OUT, cause)


def _wave_lost(facts: Facts) -> Story | None:
    if facts.wave is None:
        return None
    lost = lost_nodes(facts.view, facts.wave, facts.now)
    if not lost:
        return None
    text = f"{_wave_words(facts)} waits for {_names(lost)}, silent since the wave opened: "
    text += "bring the nodes back, or delete their Node objects if they are gone for good"
    return _rolling_out(RolloutReason.NODES_LOST, text)


def _wave_waits_for_room(facts: Facts) -> Story | None:
    view, wave, route = facts.view, facts.wave, facts.route
    if wave is None or route is None or waiting_nodes(view, wave):
        return None
    left = leaving(view, route, facts.now)
    held = [node for rev in sorted(left) for node in holders(view, route, rev, facts.now)]
    if not left:
        return None
    revisions = ", ".join(sorted(left))
    released = (
        f"for {_names(held)} to release {revisions}" if held else f"until {revisions} is gone"
    )
    text = f"{_wave_words(facts)} waits {released}"
    outside = why.left_out(view)
    text += f"; {outside}" if outside else ""
    return _rolling_out(RolloutReason.RETIRING_REVISION, text)


def _wave_waits_for_pulls(facts: Facts) -> Story | None:
    view, wave = facts.view, facts.wave
    limit = view.policy.max_concurrent_pulls
    if wave is None or limit is None or wave.planned == wave.opened:
        return None
    pulling = pulling_nodes(view, wave.candidate.revision, wave.opened)
    text = (
        f"{_wave_words(facts)}: pulling and starting on {_names(pulling)}, at most {limit} at once"
    )
    cause = why.summary(why.causes(view, pulling, wave.candidate.revision))
    text += f"; {cause}" if cause else ""
    return _rolling_out(RolloutReason.PULLING_CANDIDATE, text) if pulling else None


def _wave_runs(facts: Facts) -> Story | None:
    view, wave = facts.view, facts.wave
    if wave is None:
        return None
    passed = len(passed_nodes(view, wave))
    waiting = waiting_nodes(view, wave)
    text = f"{_wave_words(facts)}: {passed} passed, {len(waiting)} in progress"
    cause = why.summary(why.causes(view, waiting, wave.candidate.revision))
    said = (cause, why.without_agent(waiting), why.left_out(view))
    text += "".join(f"; {words}" for words in said if words)
    if facts.view.desired is None:
        text += "; held until the changed spec is built"
        return _rolling_out(RolloutReason.AWAITING_NEW_BUILD, text)
    return _rolling_out(RolloutReason.WAVE_IN_PROGRESS, text)


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
    return _rolling_out(RolloutReason.RETIRING_REVISION, text)


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
    return _overdue(text)


def _caught_up_later(facts: Facts, late: list[NodeView], text: str) -> Story:
    """Return the story before the deadline: by name, and why where that is known."""
    view = facts.view
    found = why.causes(view, late, view.desired or "")
    cause = why.shared(found, late)
    if cause is not None:
        return Story(Phase.ROLLING_OUT, replace(cause, message=f"{text}; {cause.message}"))
    said = why.summary(found) or _names(late)
    return _rolling_out(RolloutReason.CATCHING_UP, f"{text}; {said}")


def _serving(facts: Facts) -> Story:
    view = facts.view
    offline = sum(not node.reachable and not node.left_out for node in view.nodes)
    text = f"{view.desired} answers on every reachable node"
    text += f"; {offline} offline nodes catch up when they return" if offline else ""
    outside = why.left_out(view)
    text += f"; {outside}" if outside else ""
    full = _waiting_for_room(facts)
    if full:
        text += f"; {_names(full)} can't change until an offline node of the same shard returns"
    return Story(Phase.SERVING, Cause(RolloutReason.SERVING, text))


STORIES = (
    _no_nodes,
    _no_fallback,
    _rejected,
    _suspended,
    _awaits_promotion,
    _all_left_out,
    _stalled,
    _ring_without_nodes,
    _wave_lost,
    _wave_held,
    _wave_waits_for_room,
    _wave_waits_for_pulls,
    _wave_runs,
    _awaiting_build,
    _waiting_to_start,
    _catching_up,
    _serving,
)


def _live(route: ModelRouteSpec) -> set[str]:
    return {role.revision for role in (route.stable, route.candidate) if role}


def _rolling_out(reason: RolloutReason, text: str) -> Story:
    return Story(Phase.ROLLING_OUT, Cause(reason, text))


def _overdue(text: str) -> Story:
    cause = Cause(RolloutReason.DEADLINE_EXCEEDED, text, stalls=True)
    return Story(Phase.ROLLING_OUT, cause)


def _failed(facts: Facts) -> list[NodeView]:
    """Return the nodes that failed the guarded revision or the one rolled back last."""
    route = facts.route
    if route is None:
        return []
    tried = route.candidate or route.halted or route.stable
    if tried is None:
        return []
    return [node for node in facts.view.nodes if has_failed(node, Attempt.of(tried))]


def _waiting_for_room(facts: Facts) -> list[NodeView]:
    """Return the reachable nodes that stable can't reach yet, since an offline one keeps their shard full."""
    view, route = facts.view, facts.route
    if route is None:
        return []
    return [n for n in view.nodes if n.reachable and waits_for_stable(view, route, n)]


def _answers(node: NodeView) -> bool:
    return node.model is not None and (node.model.healthy or node.model.serving is not None)


def _expected_to_answer(view: TargetView) -> list[NodeView]:
    """Return the reachable nodes; of those that are left out, the ones that answer all the same."""
    return [node for node in view.nodes if node.reachable and (not node.left_out or _answers(node))]


def _names(nodes: Iterable[NodeView]) -> str:
    return why.names(nodes)


def _wave_words(facts: Facts) -> str:
    wave = facts.wave
    if wave is None:
        return "no wave"
    steps = facts.view.policy.waves
    step = steps[wave.index]
    return f"wave {wave.index + 1} of {len(steps)} ({step}) of {wave.candidate.revision}"
