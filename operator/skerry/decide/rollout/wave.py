"""How far the candidate's wave is: what is open, who passed, who holds it, and what opens next.

The route holds all of it: index, time, and what was opened as the candidate's placement. Of a route that
was lost the status still has index and time, and the DaemonSet the placement.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from skerry.api.attempt import Attempt
from skerry.api.modelroute import RouteWave
from skerry.decide.rollout.model import Wave
from skerry.decide.rollout.nodes import counts_since, has_failed, has_passed, silence_seconds
from skerry.decide.rollout.opening import index_of, is_empty, is_passed_over, opened, plan

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.edgemodel import WaveStatus
    from skerry.api.modelroute import ModelRouteSpec
    from skerry.api.placement import Placement
    from skerry.decide.rollout.model import NodeView, TargetView


def observe_wave(view: TargetView, route: ModelRouteSpec, now: datetime) -> Wave | None:
    """Return the wave of the route's candidate, None without one."""
    if route.candidate is None:
        return None
    extent = opened(view, route.candidate.revision)
    remembered = _remembered(view, route.candidate.revision)
    opened_at = remembered.open_time if remembered else now
    index = remembered.index if remembered else index_of(view, extent, opened_at)
    index = min(index, len(view.policy.waves) - 1)
    return _planned(view, route, Wave(route.candidate, index, opened_at, extent, extent), now)


def advance(view: TargetView, route: ModelRouteSpec, wave: Wave, now: datetime) -> Wave:
    """Return the next wave when this one is done, else the same; one step per reconcile."""
    if view.policy.suspended or is_last(view, wave) or not is_done(view, wave, now):
        return wave
    return _planned(view, route, replace(wave, index=wave.index + 1, opened_at=now), now)


def is_last(view: TargetView, wave: Wave) -> bool:
    """Return whether no wave comes after it."""
    return wave.index >= len(view.policy.waves) - 1


def is_done(view: TargetView, wave: Wave, now: datetime) -> bool:
    """Return whether all that was planned is open, a node passed, and no node is waited for.

    A ring without a node here is done at once when another class has one, else never.
    """
    if wave.planned != wave.opened:
        return False
    step = view.policy.waves[wave.index]
    if is_empty(view, step):
        return is_passed_over(view, step)
    if not passed_nodes(view, wave):
        return False
    return not waiting_nodes(view, wave) and not lost_nodes(view, wave, now)


def member_nodes(view: TargetView, wave: Wave) -> tuple[NodeView, ...]:
    """Return the nodes that count where the wave is open: those that were online when it opened."""
    return counted_nodes(view, wave.opened, wave.opened_at)


def counted_nodes(view: TargetView, extent: Placement, opened_at: datetime) -> tuple[NodeView, ...]:
    """Return the nodes that the extent covers without those that were offline before `opened_at`."""
    inside = (node for node in view.nodes if extent.holds(node))
    return tuple(node for node in inside if counts_since(node, opened_at))


def outside_nodes(view: TargetView, wave: Wave) -> tuple[NodeView, ...]:
    """Return the nodes outside of the wave, to compare losses with."""
    outside = (node for node in view.nodes if not wave.opened.holds(node))
    return tuple(node for node in outside if counts_since(node, wave.opened_at))


def passed_nodes(view: TargetView, wave: Wave) -> tuple[NodeView, ...]:
    """Return the members whose agents passed the candidate."""
    return tuple(node for node in member_nodes(view, wave) if _passed(view, wave, node))


def waiting_nodes(view: TargetView, wave: Wave) -> tuple[NodeView, ...]:
    """Return the members that have neither passed nor failed: the wave waits for them."""
    tried = Attempt.of(wave.candidate)
    return tuple(
        node
        for node in member_nodes(view, wave)
        if not _passed(view, wave, node) and not has_failed(node, tried)
    )


def lost_nodes(view: TargetView, wave: Wave, now: datetime) -> tuple[NodeView, ...]:
    """Return the members that fell silent since the wave opened, for longer than `lostAfter`: they hold it.

    A node that failed before it fell silent is counted as failed, and holds nothing.
    """
    tried = Attempt.of(wave.candidate)
    lost = lost_of(view, member_nodes(view, wave), now)
    return tuple(n for n in lost if not has_failed(n, tried))


def lost_of(view: TargetView, nodes: tuple[NodeView, ...], now: datetime) -> tuple[NodeView, ...]:
    """Return those of `nodes` that have been silent for `lostAfter` or longer."""
    limit = view.policy.lost_after_seconds
    return tuple(n for n in nodes if not n.reachable and silence_seconds(n, now) >= limit)


def _passed(view: TargetView, wave: Wave, node: NodeView) -> bool:
    tried = Attempt.of(wave.candidate)
    return has_passed(node, tried, view.roles_generation)


def reported_wave(view: TargetView, revision: str) -> WaveStatus | None:
    """Return what the status says of this candidate's wave."""
    if view.status is None or view.status.candidate != revision:
        return None
    return view.status.wave


def _remembered(view: TargetView, revision: str) -> RouteWave | None:
    """Return the wave that the route has of this candidate; of a lost route, what the status says of it."""
    route = view.route
    if route is not None:
        tried = route.candidate
        return route.wave if tried is not None and tried.revision == revision else None
    reported = reported_wave(view, revision)
    return RouteWave(index=reported.index, open_time=reported.open_time) if reported else None


def _planned(view: TargetView, route: ModelRouteSpec, wave: Wave, now: datetime) -> Wave:
    return replace(wave, planned=plan(view, route, wave, now))
