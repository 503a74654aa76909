"""How a revision without a future leaves the nodes: shard by shard, each when all its nodes let it go.

A node lets a revision go once its agent has acted on the present route and stable answers there.
Offline nodes are waited for: a device whose old server is deleted while it is away would lose it two
seconds after it returns. Two deadlines keep one lost device from holding the fleet for ever.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from skerry.api.placement import ALL_SHARDS, Placement, PlacementKind
from skerry.api.rollout import Standby
from skerry.decide.rollout.nodes import has_released, serves, silence_seconds

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.modelroute import ModelRouteSpec
    from skerry.decide.rollout.model import NodeView, TargetView

OFFLINE_GRACE = timedelta(hours=24)
"""How long an offline node may hold a revision: a warm previous one from the end of its rollback
window on; any other (next to stable) from the node's silence on."""

COPIES_PER_NODE = 2
"""Revisions of a model that are meant for one node at most."""


def leaving(view: TargetView, route: ModelRouteSpec, now: datetime) -> frozenset[str]:
    """Return the revisions whose DaemonSets go: those without a role, and previous when it is not kept warm."""
    roles = {role.revision for role in (route.stable, route.candidate) if role}
    if is_warm(view, route, now) and route.previous:
        roles.add(route.previous.revision)
    return frozenset(view.daemonsets.keys() - roles)


def is_warm(view: TargetView, route: ModelRouteSpec, now: datetime) -> bool:
    """Return whether there is a previous revision whose servers run next to stable's."""
    previous = route.previous
    return (
        previous is not None
        and now < previous.expiration_time
        and view.policy.standby is Standby.WARM
    )


def holders(
    view: TargetView, route: ModelRouteSpec, revision: str, now: datetime
) -> tuple[NodeView, ...]:
    """Return the nodes that still need `revision` where its servers are meant to run or still may.

    None has released anything before the route that says so is written.
    """
    placement = view.placed[revision]
    covered = (node for node in view.nodes if placement.holds(node))
    return tuple(node for node in covered if _needs(view, route, node, revision, now))


def _needs(
    view: TargetView, route: ModelRouteSpec, node: NodeView, revision: str, now: datetime
) -> bool:
    if view.route is None or view.roles_generation != route.roles_generation:
        return True
    if _has_nothing(node, revision):
        return False
    if waits_for_stable(view, route, node) and node.reachable:
        # Two revisions are there, stable is not: the one that answers stays, the other may go.
        return not _answers_without(view, node, revision)
    if _is_overdue(view, route, node, revision, now):
        return False
    return not has_released(node, route, view.roles_generation, revision)


def _has_nothing(node: NodeView, revision: str) -> bool:
    """Return whether the node is left out and has no server of it to lose.

    A pod that is not Ready counts as a server, since Kubernetes marks all pods of an unreachable node so.
    Where no agent has ever reported, only a Ready pod counts.
    """
    if not node.left_out:
        return False
    unused = not node.reachable and node.model is None
    return revision not in (node.ready_revisions if unused else node.placed_revisions)


def waits_for_stable(view: TargetView, route: ModelRouteSpec, node: NodeView) -> bool:
    """Return whether the node gets stable only after another revision has left its shard."""
    if route.stable is None:
        return False
    placement = view.placed.get(route.stable.revision)
    return (
        placement is not None
        and placement.kind is PlacementKind.NOT_IN
        and not placement.holds(node)
    )


def _answers_without(view: TargetView, node: NodeView, revision: str) -> bool:
    """Return whether the node's agent has seen the route, and another revision that stays has the traffic."""
    report = node.model
    if report is None or report.observed_route_generation < view.roles_generation:
        return False
    placement = view.placed.get(report.serving or "")
    return report.serving != revision and placement is not None and placement.holds(node)


def _is_overdue(
    view: TargetView, route: ModelRouteSpec, node: NodeView, revision: str, now: datetime
) -> bool:
    previous = route.previous
    if previous is not None and previous.revision == revision:
        if now >= previous.expiration_time + OFFLINE_GRACE:
            # Where it is the only server, only a candidate that gets its room is worth it.
            alone = _is_alone(route, node, revision)
            return not alone or (route.candidate is not None and _has_use_for_room(view, node))
        if view.policy.standby is Standby.WARM:
            return False
    return silence_seconds(node, now) >= OFFLINE_GRACE.total_seconds()


def _is_alone(route: ModelRouteSpec, node: NodeView, revision: str) -> bool:
    """Return whether a reachable node has its traffic on the revision, and no Ready pod of stable."""
    stable = route.stable
    if not node.reachable or stable is None:
        return False
    return serves(node, revision) and stable.revision not in node.ready_revisions


def _has_use_for_room(view: TargetView, node: NodeView) -> bool:
    """Return whether a candidate can come to the node's shard: to a node that is not left out."""
    return any(other.shard == node.shard and not other.left_out for other in view.nodes)


def _is_kept(
    view: TargetView, route: ModelRouteSpec, node: NodeView, revision: str, now: datetime
) -> bool:
    """Return whether a node keeps its only server although the time to release it is over."""
    previous = route.previous
    if (
        previous
        and previous.revision == revision
        and now < previous.expiration_time + OFFLINE_GRACE
    ):
        return False
    return _is_alone(route, node, revision) and not _has_use_for_room(view, node)


def is_held_aside(view: TargetView, route: ModelRouteSpec, revision: str, now: datetime) -> bool:
    """Return whether nobody waits for the nodes that keep the revision, in each of its shards.

    An offline node catches up when it returns. A node that is left out, alone in its shard, keeps its only server.
    """
    return not _shards_waited_for(view, route, revision, now)


def is_stopgap(
    view: TargetView, route: ModelRouteSpec, revision: str, passed: frozenset[str], now: datetime
) -> bool:
    """Return whether the revision is held aside, or where stable has no room and the candidate passed.

    Such a node has two revisions, and gets no third when the candidate takes the place of stable.

    Args:
        view: the state of the target.
        route: its route.
        revision: neither stable nor candidate.
        passed: names of the reachable nodes that passed the candidate.
        now: UTC.
    """
    shards = _shards_waited_for(view, route, revision, now)
    left = [n for n in holders(view, route, revision, now) if n.shard in shards]
    served = all(n.name in passed and waits_for_stable(view, route, n) for n in left)
    return served and {n.shard for n in left} == shards


def _shards_waited_for(
    view: TargetView, route: ModelRouteSpec, revision: str, now: datetime
) -> frozenset[int]:
    holding = holders(view, route, revision, now)
    aside = (n for n in holding if not n.reachable or _is_kept(view, route, n, revision, now))
    held = {node.shard for node in aside}
    placement = view.placed[revision]
    return frozenset(s for s in ALL_SHARDS if placement.reaches(s) and s not in held)


def stable_placement(view: TargetView, stable: str) -> Placement:
    """Return the whole class without shards that two other revisions occupy; stable follows when one leaves."""
    meant, copies = view.placed.get(stable), _copies(view, frozenset({stable}))
    full = {shard for shard, others in copies.items() if others >= COPIES_PER_NODE}
    return Placement.without(frozenset(s for s in full if meant is None or not meant.reaches(s)))


def shrink(placement: Placement, held_by: tuple[NodeView, ...]) -> Placement | None:
    """Return the placement without the shards that no holder is in; None when no holder is left."""
    if not held_by:
        return None
    held = frozenset(node.shard for node in held_by if node.shard is not None)
    if placement.kind is PlacementKind.IN:
        rings = (r.model_copy(update={"shards": r.shards & held}) for r in placement.rings)
        kept = tuple(ring for ring in rings if ring.shards)
        return Placement.only(placement.shards & held, kept)
    return Placement.without(placement.shards | (ALL_SHARDS - held))


def crowded_shards(view: TargetView, route: ModelRouteSpec) -> frozenset[int]:
    """Return the shards where the candidate would be a copy too many."""
    roles = frozenset(role.revision for role in (route.stable, route.candidate) if role)
    room = COPIES_PER_NODE - (route.stable is not None)
    return frozenset(shard for shard, others in _copies(view, roles).items() if others >= room)


def _copies(view: TargetView, left_out: frozenset[str]) -> Counter[int]:
    """Count the revisions that are meant for a shard or still there, but those left out."""
    copies: Counter[int] = Counter()
    for revision in (view.placed.keys() | view.daemonsets.keys()) - left_out:
        places = [found[revision] for found in (view.placed, view.daemonsets) if revision in found]
        copies.update(s for s in ALL_SHARDS if any(place.reaches(s) for place in places))
    return copies


def stuck_shards(view: TargetView, route: ModelRouteSpec, now: datetime) -> frozenset[int]:
    """Return the crowded shards held by a node that is offline or left out: a wave does not wait for them."""
    held = {
        node.shard
        for revision in leaving(view, route, now)
        for node in holders(view, route, revision, now)
        if not node.reachable or node.left_out
    }
    return frozenset(shard for shard in crowded_shards(view, route) if shard in held)
