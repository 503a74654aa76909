"""Whether a rollout gets on: when a node last joined its wave, passed it or caught up after it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from skerry.api.edgemodel import CatchingUp
from skerry.decide.rollout.nodes import serves
from skerry.decide.rollout.retire import waits_for_stable
from skerry.decide.rollout.wave import reported_wave

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.modelroute import ModelRouteSpec
    from skerry.decide.rollout.model import NodeView, TargetView, Wave


def progressed_at(
    view: TargetView, wave: Wave, nodes: int, passed: int, now: datetime
) -> datetime | None:
    """Return when the wave last made progress, for the status; None while suspended: waiting is then no fault.

    Args:
        view: with the status as last written.
        wave: as of this reconcile.
        nodes: in the wave now.
        passed: of these.
        now: UTC.
    """
    if view.policy.suspended:
        return None
    before = reported_wave(view, wave.candidate.revision)
    same = before is not None and before.index == wave.index
    if before is None or not same or before.last_progress_time is None:
        return now
    return now if nodes > before.nodes or passed > before.passed else before.last_progress_time


def behind(view: TargetView, route: ModelRouteSpec | None) -> list[NodeView]:
    """Return the reachable nodes that a promoted revision is to serve on and does not yet."""
    if route is None or route.candidate is not None or route.stable is None:
        return []
    if route.stable.revision != view.desired:
        return []
    return [
        node
        for node in view.nodes
        if node.reachable
        and not node.left_out
        and not serves(node, view.desired)
        and not waits_for_stable(view, route, node)
    ]


def catching_up(view: TargetView, route: ModelRouteSpec | None, now: datetime) -> CatchingUp | None:
    """Return the nodes that are behind, for the status, so that the next reconcile knows since when.

    Args:
        view: with the status as last written.
        route: as of this reconcile.
        now: UTC.
    """
    nodes = len(behind(view, route))
    if nodes == 0:
        return None
    status = view.status
    before = status.catching_up if status and status.stable == view.desired else None
    if before is None or nodes < before.nodes:
        return CatchingUp(nodes=nodes, last_progress_time=now)
    return CatchingUp(nodes=nodes, last_progress_time=before.last_progress_time)


def deadline(view: TargetView) -> datetime | None:
    """Return when the remembered wave or the remembered nodes count as stalled; None when nothing waits."""
    status = view.status
    if status is None:
        return None
    remembered = status.wave or status.catching_up
    if remembered is None or remembered.last_progress_time is None:
        return None
    patience = view.policy.soak_seconds + view.policy.progress_seconds
    return remembered.last_progress_time + timedelta(seconds=patience)
