"""Where each revision's pods are meant to be after this pass, and which DaemonSets go.

Stable: the whole class, but shards where two others are still held. Candidate: what its waves opened.
Previous: where it is, until its window ends or it is not kept warm. Whatever has no role shrinks as
nodes let it go. Only stable and candidate ever widen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from skerry.decide.rollout.model import Placement
from skerry.decide.rollout.opening import to_open
from skerry.decide.rollout.retire import holders, is_warm, leaving, shrink, stable_placement

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
        placements[route.stable.revision] = stable_placement(view, route.stable.revision)
    if wave is not None:
        opening = to_open(view, route, wave)
        if opening.shards or opening.rings:
            placements[wave.candidate.revision] = opening
    previous = route.previous
    if previous is not None and is_warm(view, route, now):
        observed = view.daemonsets.get(previous.revision, Placement())
        placements[previous.revision] = observed
    return placements
