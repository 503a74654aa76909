"""Where each revision's servers are meant to be after this reconcile, as the route says, and which DaemonSets go.

Stable: the whole class, but shards where two others are still held. Candidate: what its waves opened.
Previous: where it is, until its window ends or it is not kept warm. Whatever has no role shrinks as
nodes let it go. Only stable and candidate ever widen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.api.modelroute import RoutePlacement, RouteWave
from skerry.api.placement import Placement
from skerry.decide.rollout.opening import to_open
from skerry.decide.rollout.retire import holders, is_warm, leaving, shrink, stable_placement
from skerry.decide.rollout.situation import change

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.modelroute import ModelRouteSpec
    from skerry.decide.rollout.model import TargetView, Wave


def place(
    view: TargetView, route: ModelRouteSpec, wave: Wave | None, now: datetime
) -> ModelRouteSpec:
    """Return the route with the wave, and the placement of each revision that is to be somewhere."""
    placements = _with_roles(view, route, wave, now)
    for revision in leaving(view, route, now):
        rest = shrink(view.placed[revision], holders(view, route, revision, now))
        if rest is not None:
            placements[revision] = rest
    entries = (RoutePlacement.of(revision, placements[revision]) for revision in sorted(placements))
    written = RouteWave(index=wave.index, open_time=wave.opened_at) if wave else None
    return change(route, wave=written, placements=tuple(entries))


def followed(route: ModelRouteSpec) -> dict[str, Placement]:
    """Return what the DaemonSets of a route cover, by revision."""
    return {entry.revision: entry.placement for entry in route.placements}


def _with_roles(
    view: TargetView, route: ModelRouteSpec, wave: Wave | None, now: datetime
) -> dict[str, Placement]:
    placements = {}
    if route.stable is not None:
        placements[route.stable.revision] = stable_placement(view, route.stable.revision)
    if wave is not None:
        opening = to_open(view, route, wave)
        if opening.shards or opening.rings:
            placements[wave.candidate.revision] = opening
    previous = route.previous
    if previous is not None and is_warm(view, route, now):
        placements[previous.revision] = view.placed.get(previous.revision, Placement())
    return placements
