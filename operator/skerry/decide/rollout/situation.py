"""What the checks of `roles` and `actions` look at, and the small questions that both ask."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from skerry.api.modelroute import RouteRevision

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.modelroute import ModelRouteSpec
    from skerry.decide.rollout.model import TargetView, Wave


@dataclass(frozen=True)
class Situation:
    """The view, the route as it is (or is recovered), its wave, the time."""

    view: TargetView
    route: ModelRouteSpec
    wave: Wave | None
    now: datetime


def way_back(now: Situation) -> RouteRevision | None:
    """Return the previous revision as stable, while its window is open and it can run."""
    previous = now.route.previous
    if (
        previous is None
        or now.now >= previous.expiration_time
        or not can_run(now.view, previous.revision)
    ):
        return None
    return RouteRevision(revision=previous.revision, attempt=previous.attempt)


def can_run(view: TargetView, revision: str) -> bool:
    """Return whether a revision has its DaemonSet, or one can be made."""
    return revision in view.daemonsets or revision in view.makeable


def change(route: ModelRouteSpec, **fields: object) -> ModelRouteSpec:
    """Return the route with other fields."""
    return route.model_copy(update=fields)
