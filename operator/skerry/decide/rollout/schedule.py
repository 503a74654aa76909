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
    from skerry.decide.rollout.model import TargetView


def requeue_after(view: TargetView, route: ModelRouteSpec | None, now: datetime) -> float | None:
    """Seconds to the next deadline, None when there is none ahead."""
    if route is None:
        return None
    ahead = [at for at in _deadlines(view, route, now) if at > now]
    return (min(ahead) - now).total_seconds() if ahead else None


def _deadlines(view: TargetView, route: ModelRouteSpec, now: datetime) -> Iterator[datetime]:
    if route.previous is not None:
        yield route.previous.until
        yield route.previous.until + OFFLINE_GRACE
    stalled_at = deadline(view)
    if stalled_at is not None:
        yield stalled_at
    roles = {role.revision for role in (route.stable, route.candidate, route.previous) if role}
    leftovers = bool(view.daemonsets.keys() - roles)
    for node in view.nodes:
        if node.reachable:
            continue
        silent_since = now - timedelta(seconds=silence_seconds(node, now))
        if route.candidate is not None:
            yield silent_since + timedelta(seconds=view.policy.lost_after_seconds)
        if leftovers:
            yield silent_since + OFFLINE_GRACE
