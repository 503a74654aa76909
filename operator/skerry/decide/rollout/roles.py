"""The next ModelRoute: which revision is stable, candidate and previous, and what is rolled back.

A chain of small checks, the urgent ones first. Each looks at the situation and returns the route that
it asks for, or None; the first answer is the decision. A reconcile makes one step.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from skerry.api.attempt import Attempt
from skerry.api.modelroute import (
    Halt,
    ModelRouteSpec,
    RouteCandidate,
    RouteGuard,
    RoutePrevious,
    RouteRevision,
)
from skerry.api.placement import PlacementKind
from skerry.api.rollout import Standby
from skerry.decide.rollout.actions import abort, approval, undo
from skerry.decide.rollout.guard import Degraded, describe, judge_candidate, judge_stable
from skerry.decide.rollout.rejected import is_recorded, is_rejected
from skerry.decide.rollout.retire import is_held_aside, is_stopgap
from skerry.decide.rollout.situation import Situation, change, way_back
from skerry.decide.rollout.wave import is_done, is_last, observe_wave, passed_nodes

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.decide.rollout.model import TargetView, Wave

MOST_GENERATION = 2**53
"""Of a route that was lost, so that the API server takes the next one as well."""


def next_route(view: TargetView, now: datetime) -> ModelRouteSpec | None:
    """Return the roles that shall be; None while there are none and no DaemonSet to retire.

    Wave and placements are still those of the observed route: `placement.py` decides them by the roles.
    """
    base = view.route or _recovered(view, now)
    situation = Situation(view, base, observe_wave(view, base, now), now)
    checks = (c for c in CHECKS if not (view.policy.suspended and c in HELD_BY_SUSPEND))
    answers = (check(situation) for check in checks)
    route = next((answer for answer in answers if answer is not None), base)
    if not (view.route or route.stable or route.candidate or view.daemonsets):
        return None
    return _counted(view, _with_policy(view, route, now))


def standing_route(view: TargetView, now: datetime) -> ModelRouteSpec | None:
    """Return the current route, or the deleted one as it was; None while there was none yet."""
    route = view.route or _recovered(view, now)
    return route if route.stable or route.candidate else None


def _roll_back_candidate(now: Situation) -> ModelRouteSpec | None:
    """Remove a candidate that degraded too many nodes, in one write."""
    if now.wave is None:
        return None
    case = judge_candidate(now.view, now.wave, now.now)
    if not case.reached:
        return None
    return change(now.route, candidate=None, halted=_halt(case, now.now))


def _roll_back_stable(now: Situation) -> ModelRouteSpec | None:
    """Roll back a stable revision that degraded too many nodes while the guard is armed."""
    route = now.route
    back = way_back(now)
    if route.stable is None or back is None:
        return None
    case = judge_stable(now.view, Attempt.of(route.stable))
    if not case.reached:
        return None
    return change(route, stable=back, candidate=None, previous=None, halted=_halt(case, now.now))


def _back_to_stable(now: Situation) -> ModelRouteSpec | None:
    """Remove the candidate when the spec asks for stable again; also while suspended, since nothing is tried."""
    tried, stable = now.route.candidate, now.route.stable
    if tried is None or stable is None or now.view.desired != stable.revision:
        return None
    return change(now.route, candidate=None)


def _supersede(now: Situation) -> ModelRouteSpec | None:
    """Replace the candidate when the spec asks for another revision; the new one starts if it may."""
    tried, desired = now.route.candidate, now.view.desired
    if tried is None or desired is None:
        return None
    if tried.revision == desired and not is_rejected(now.view, Attempt.of(tried)):
        return None
    without = change(now.route, candidate=None)
    return _start(Situation(now.view, without, None, now.now)) or without


def _retry_in_flight(now: Situation) -> ModelRouteSpec | None:
    """Retry the candidate in flight: its vetoes are forgotten, its wave continues."""
    tried, attempt = now.route.candidate, now.view.attempt
    if tried is None or now.view.desired != tried.revision or tried.attempt >= attempt:
        return None
    return change(now.route, candidate=tried.model_copy(update={"attempt": attempt}))


def _promote(now: Situation) -> ModelRouteSpec | None:
    """Promote the candidate after the last wave; the old stable stays warm as previous."""
    tried, wave = now.route.candidate, now.wave
    if tried is None or wave is None or now.view.desired != tried.revision:
        return None
    if not is_last(now.view, wave) or not is_done(now.view, wave, now.now):
        return None
    if not _is_room(now, tried.revision, wave):
        return None
    if now.view.policy.manual and approval(now.view, tried) is None:
        return None
    stable = RouteRevision(revision=tried.revision, attempt=tried.attempt)
    return change(now.route, stable=stable, candidate=None, previous=_kept_warm(now))


def _return_to_previous(now: Situation) -> ModelRouteSpec | None:
    """Swap stable and previous when the spec returns to the previous revision, which is proven and kept.

    Nodes keep the traffic where it is until stable answers, so no wave is needed; the guard is armed
    with the one that goes as the way back.
    """
    route, view = now.route, now.view
    previous = route.previous
    if route.stable is None or previous is None or previous.revision != view.desired:
        return None
    if route.candidate or not is_recorded(view, route.halted):
        return None
    if is_rejected(view, Attempt(previous.revision, view.attempt)):
        return None
    if previous.revision not in view.daemonsets and way_back(now) is None:
        return None
    if not _only_roles_run(now, previous.revision):
        return None
    stable = RouteRevision(revision=previous.revision, attempt=view.attempt)
    return change(route, stable=stable, previous=_kept_warm(now), halted=None)


def _drop_previous(now: Situation) -> ModelRouteSpec | None:
    """Drop the previous revision when its window is over and its pods are gone."""
    previous = now.route.previous
    if previous is None or now.now < previous.expiration_time:
        return None
    if previous.revision in now.view.daemonsets:
        return None
    return change(now.route, previous=None)


def _start(now: Situation) -> ModelRouteSpec | None:
    """Make the revision that the spec asks for the candidate, when it may be tried.

    The previous revision's window ends with it, since a node holds two copies at most. One that is still there
    after its window gets the same time from now on: until now nobody needed its room.
    """
    view, route, desired = now.view, now.route, now.view.desired
    if desired is None or route.candidate or not view.nodes:
        return None
    held = {role.revision for role in (route.stable, route.previous) if role}
    if desired in held or not may_start(view, route, desired, now.now):
        return None
    previous = route.previous
    if previous is not None:
        previous = previous.model_copy(update={"expiration_time": now.now})
    candidate = RouteCandidate(revision=desired, attempt=view.attempt)
    return change(route, candidate=candidate, previous=previous, halted=None)


def may_start(view: TargetView, route: ModelRouteSpec, desired: str, now: datetime) -> bool:
    """Return whether a revision may start: not rejected, every halt remembered, no pods left outside of waves.

    Pods of it that nobody waits for count as a part of the first wave.
    """
    if is_rejected(view, Attempt(desired, view.attempt)) or not is_recorded(view, route.halted):
        return False
    left = view.placed[desired] if desired in view.daemonsets else None
    if left is None or left.kind is PlacementKind.IN:
        return True
    return left.kind is PlacementKind.NOT_IN and is_held_aside(view, route, desired, now)


CHECKS = (
    _roll_back_candidate,
    _roll_back_stable,
    abort,
    undo,
    _back_to_stable,
    _supersede,
    _retry_in_flight,
    _promote,
    _return_to_previous,
    _drop_previous,
    _start,
)

HELD_BY_SUSPEND = frozenset({_supersede, _retry_in_flight, _promote, _return_to_previous, _start})


def _recovered(view: TargetView, now: datetime) -> ModelRouteSpec:
    """Return the roles without a route: none yet, or someone deleted it, or a backup lacked it."""
    blank = ModelRouteSpec(edge_model_name=view.edge_model, hardware_class_name=view.hardware_class)
    status = view.status
    stable = status.stable if status and status.stable else _widest(view)
    if stable is None:
        return blank
    previous = status.previous if status else None
    return change(
        blank,
        stable=RouteRevision(revision=stable, attempt=view.attempt),
        previous=RoutePrevious(revision=previous, expiration_time=now) if previous else None,
    )


def _widest(view: TargetView) -> str | None:
    """Return the revision that was stable, read off the DaemonSets: it is not bound to a wave's shards."""
    wide = [
        revision
        for revision, placement in sorted(view.daemonsets.items())
        if placement.kind is not PlacementKind.IN
        and not is_rejected(view, Attempt(revision, view.attempt))
    ]
    return max(wide, key=lambda revision: _ready_nodes(view, revision), default=None)


def _ready_nodes(view: TargetView, revision: str) -> int:
    return sum(revision in node.ready_revisions for node in view.nodes)


def _only_roles_run(now: Situation, other: str) -> bool:
    """Return whether no third revision is left on any node, except where nobody waits for its holders."""
    view, route = now.view, now.route
    return all(is_held_aside(view, route, third, now.now) for third in _thirds(now, other))


def _is_room(now: Situation, tried: str, wave: Wave) -> bool:
    """Return whether the promotion leaves no reachable node with a third revision."""
    view, route = now.view, now.route
    passed = frozenset(node.name for node in passed_nodes(view, wave) if node.reachable)
    thirds = _thirds(now, tried)
    return all(is_stopgap(view, route, third, passed, now.now) for third in thirds)


def _thirds(now: Situation, other: str) -> frozenset[str]:
    """Return the revisions next to stable and `other` of which there is a DaemonSet."""
    stable = {now.route.stable.revision} if now.route.stable else set()
    return frozenset(now.view.daemonsets.keys() - {other} - stable)


def _kept_warm(now: Situation) -> RoutePrevious | None:
    stable = now.route.stable
    if stable is None:
        return None
    until = now.now + timedelta(seconds=now.view.policy.rollback_window_seconds)
    return RoutePrevious(revision=stable.revision, attempt=stable.attempt, expiration_time=until)


def _halt(case: Degraded, now: datetime) -> Halt:
    rule, node, message = describe(case)
    return Halt(
        revision=case.attempt.revision,
        attempt=case.attempt.number,
        rule=rule,
        node_name=node,
        message=message,
        rollback_time=now,
    )


def _counted(view: TargetView, route: ModelRouteSpec) -> ModelRouteSpec:
    """Return the route with the next generation of its roles when agents have anything to learn.

    The generations of a lost route are known from what agents reported. One of them may report any number.
    """
    if route == view.route:
        return route
    reported = (node.model.observed_route_generation for node in view.nodes if node.model)
    likely = (generation for generation in reported if generation <= MOST_GENERATION)
    last = view.roles_generation if view.route else max(likely, default=0)
    return change(route, roles_generation=last + 1)


def _with_policy(view: TargetView, route: ModelRouteSpec, now: datetime) -> ModelRouteSpec:
    """Return the route with the EdgeModel's uid, and with the spec's guard, traffic, soak and standby."""
    policy = view.policy
    guard = RouteGuard(min_samples=policy.min_samples, rules=policy.rules)
    route = change(route, edge_model_uid=view.edge_model_uid, guard=guard)
    previous = route.previous
    if previous and policy.standby is Standby.NONE and now < previous.expiration_time:
        # Its way back ends, but it stays named until its pods are gone, as after any window.
        route = change(route, previous=previous.model_copy(update={"expiration_time": now}))
    if route.candidate is None:
        return route
    steps = {"traffic": policy.traffic, "soak_seconds": policy.soak_seconds}
    return change(route, candidate=route.candidate.model_copy(update=steps))
