"""One target's decision, from its view and the time: the way in of the rollout machine."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from skerry.decide.rollout import report, stories
from skerry.decide.rollout.actions import used_approval
from skerry.decide.rollout.model import TargetDecision
from skerry.decide.rollout.nodes import runs
from skerry.decide.rollout.placement import followed, place
from skerry.decide.rollout.progress import catching_up
from skerry.decide.rollout.record import new_history, new_rejections
from skerry.decide.rollout.roles import next_route, standing_route
from skerry.decide.rollout.schedule import requeue_after
from skerry.decide.rollout.wave import advance, observe_wave

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from skerry.api.modelroute import (
        ModelRouteSpec,
        RouteCandidate,
        RoutePrevious,
        RouteRevision,
    )
    from skerry.decide.rollout.model import TargetView, Wave


def decide_target(view: TargetView, now: datetime) -> TargetDecision:
    """Return what to write for one target now.

    Args:
        view: the state of the target; may be the first that is ever looked at.
        now: UTC.

    Returns:
        The decision. Applied to a state that it already describes, it changes nothing.
    """
    view = _with_runners(view)
    wanted, wave = _next(view, now)
    route = wanted
    if view.route_stands:
        route = standing_route(view, now)
        wave = observe_wave(view, route, now) if route else None
    facts = report.Facts(view, route, wave, now)
    placements = followed(route) if route else {}
    rejections = new_rejections(view, route) if route else ()
    return TargetDecision(
        route=wanted,
        placements=placements,
        delete=_deleted(view, route, placements.keys()),
        story=stories.tell(facts),
        counts=report.count(facts),
        desired=view.desired,
        attempt=view.attempt,
        stable=_revision(route.stable) if route else None,
        candidate=_revision(route.candidate) if route else None,
        previous=_revision(route.previous) if route else None,
        wave=report.wave_status(facts),
        catching_up=catching_up(view, route, now),
        offenders=report.offenders(facts),
        unanswered=report.unanswered(facts),
        approved=used_approval(view, route) if route else None,
        rejections=rejections,
        history=new_history(view, route, rejections, now) if route else (),
        requeue_after=requeue_after(view, route, now),
    )


def _with_runners(view: TargetView) -> TargetView:
    """Return the view with the nodes on which the candidate runs in spite of a taint: they are judged too."""
    tried = view.route.candidate if view.route else None
    if tried is None:
        return view
    nodes = (
        replace(node, left_out="") if node.left_out and runs(node, tried) else node
        for node in view.nodes
    )
    return replace(view, nodes=tuple(nodes))


def _next(view: TargetView, now: datetime) -> tuple[ModelRouteSpec | None, Wave | None]:
    """Return the route that shall be, and the candidate's wave in it.

    The wave is one further when it is done and the spec still asks for the candidate.
    """
    route = next_route(view, now)
    if route is None:
        return None, None
    wave = observe_wave(view, route, now)
    if wave is not None and view.desired == wave.candidate.revision:
        wave = advance(view, route, wave, now)
    return place(view, route, wave, now), wave


def _deleted(
    view: TargetView, route: ModelRouteSpec | None, kept: Collection[str]
) -> frozenset[str]:
    """Return the DaemonSets without a placement in the route; none while the API server refuses the route."""
    if route is None or view.route_stands:
        return frozenset()
    return frozenset(view.daemonsets.keys() - kept)


def _revision(role: RouteRevision | RouteCandidate | RoutePrevious | None) -> str | None:
    return role.revision if role else None
