"""When the passing of time alone can change a decision: the next moment to look again."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from skerry.decide.rollout.nodes import silence_seconds
from skerry.decide.rollout.progress import deadline
from skerry.decide.rollout.retire import OFFLINE_GRACE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from skerry.api.modelroute import ModelRouteSpec
    from skerry.decide.rollout.model import NodeView, TargetView

LEAST_WAIT = timedelta(seconds=5)
"""Heartbeats are listed once a minute."""


def requeue_after(view: TargetView, route: ModelRouteSpec | None, now: datetime) -> float | None:
    """Return the seconds to the next deadline; None when there is none ahead."""
    if route is None:
        return None
    ahead = [at for at in _deadlines(view, route, now) if at > now]
    return (min(ahead) - now).total_seconds() if ahead else None


def _deadlines(view: TargetView, route: ModelRouteSpec, now: datetime) -> Iterator[datetime]:
    if route.previous is not None:
        yield route.previous.expiration_time
        yield route.previous.expiration_time + OFFLINE_GRACE
    stalled_at = deadline(view)
    if stalled_at is not None:
        yield stalled_at
    roles = {role.revision for role in (route.stable, route.candidate, route.previous) if role}
    leftovers = bool(view.daemonsets.keys() - roles)
    limits = [OFFLINE_GRACE] if leftovers else []
    if route.candidate is not None:
        limits.append(timedelta(seconds=view.policy.lost_after_seconds))
    for node in view.nodes:
        if not node.reachable:
            yield from (_silent_for(node, limit, now) for limit in limits)


def _silent_for(node: NodeView, limit: timedelta, now: datetime) -> datetime:
    """Return when the node will have been silent for so long; in the past when it has been.

    What is known as of a list does not grow before the next one: an end that is near is waited for in steps.
    """
    left = limit - timedelta(seconds=silence_seconds(node, now))
    known_later = node.silent_seconds is not None and left > timedelta()
    return now + (max(left, LEAST_WAIT) if known_later else left)
