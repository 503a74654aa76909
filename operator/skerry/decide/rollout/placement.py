"""Where each revision's pods are meant to be after this pass, and which DaemonSets go.

Stable: the whole class. Candidate: the shards that its waves opened. Previous: where it is, until its
window ends. Whatever has no role shrinks as nodes let it go. Only stable and candidate ever widen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.decide.rollout.model import Placement, PlacementKind
from skerry.decide.rollout.retire import holders, leaving, shrink
from skerry.decide.rollout.wave import shards_to_open

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.modelroute import ModelRouteSpec
    from skerry.decide.rollout.model import TargetView
    from skerry.decide.rollout.wave import Wave


def place(
    view: TargetView, route: ModelRouteSpec, wave: Wave | None, now: datetime
) -> tuple[dict[str, Placement], frozenset[str]]:
    """Placements to apply by revision, and revisions whose DaemonSets are deleted."""
    placements = _with_roles(view, route, wave, now)
    deleted = set()
    for revision in sorted(leaving(view, route, now)):
        rest = shrink(view.daemonsets[revision], holders(view, route, revision, now))
        if rest is None:
            deleted.add(revision)
        else:
            placements[revision] = rest
    return placements, frozenset(deleted)


def _with_roles(
    view: TargetView, route: ModelRouteSpec, wave: Wave | None, now: datetime
) -> dict[str, Placement]:
    placements = {}
    if route.stable is not None:
        placements[route.stable.revision] = Placement()
    if wave is not None:
        shards = shards_to_open(view, route, wave)
        if shards:
            placements[wave.candidate.revision] = Placement(PlacementKind.IN, shards)
    previous = route.previous
    if previous is not None and now < previous.until:
        observed = view.daemonsets.get(previous.revision, Placement())
        placements[previous.revision] = observed
    return placements
