"""A target's counts, offenders and wave, as the status says them, from what was decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.attempt import Attempt
from skerry.api.edgemodel import NodeCounts, WaveStatus
from skerry.decide.rollout import why
from skerry.decide.rollout.nodes import has_failed, serves
from skerry.decide.rollout.progress import behind, progressed_at
from skerry.decide.rollout.wave import (
    counted_nodes,
    lost_nodes,
    passed_nodes,
    waiting_nodes,
)

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.modelroute import ModelRouteSpec
    from skerry.decide.rollout.model import NodeView, TargetView, Wave

OFFENDERS = 3


@dataclass(frozen=True)
class Facts:
    """What a report is made of: the view, the route and wave after this reconcile, the time."""

    view: TargetView
    route: ModelRouteSpec | None
    wave: Wave | None
    now: datetime


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


def _failed(facts: Facts) -> list[NodeView]:
    """Return the nodes that failed the guarded revision or the one rolled back last."""
    route = facts.route
    if route is None:
        return []
    tried = route.candidate or route.halted or route.stable
    if tried is None:
        return []
    return [node for node in facts.view.nodes if has_failed(node, Attempt.of(tried))]


def _answers(node: NodeView) -> bool:
    return node.model is not None and (node.model.healthy or node.model.serving is not None)


def _expected_to_answer(view: TargetView) -> list[NodeView]:
    """Return the reachable nodes; of those that are left out, the ones that answer all the same."""
    return [node for node in view.nodes if node.reachable and (not node.left_out or _answers(node))]
