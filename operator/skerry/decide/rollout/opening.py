"""Where a wave puts the candidate: shards for its share of the nodes, rings for those with its labels.

A wave holds what the waves before it hold. What was opened stays open, whatever nodes come and go or
change their labels. `plan` says what the wave shall cover in the end, `to_open` what of it now: where
a node has room for a second copy, and no more nodes at once than may pull.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from skerry.api.labels import matches
from skerry.api.placement import ALL_SHARDS, Placement, PlacementKind
from skerry.api.units import parse_count
from skerry.decide.rollout.nodes import counts_since
from skerry.decide.rollout.retire import crowded_shards, stuck_shards
from skerry.decide.rollout.waves import needed_nodes, open_shards, shard_order

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from skerry.api.labels import Selector
    from skerry.api.modelroute import ModelRouteSpec
    from skerry.decide.rollout.model import NodeView, TargetView, Wave, WaveStep

NOTHING = Placement.only()


def opened(view: TargetView, revision: str) -> Placement:
    """Return where the candidate's servers are meant to be, or still are from an earlier role."""
    placement = view.placed.get(revision, NOTHING)
    if placement.kind is PlacementKind.IN:
        return placement
    return Placement.only(ALL_SHARDS - placement.shards)


def plan(view: TargetView, route: ModelRouteSpec, wave: Wave, now: datetime) -> Placement:
    """Return what the wave is to cover; shards that an offline node keeps full are not waited for."""
    stuck = stuck_shards(view, route, now)
    steps = view.policy.waves[: wave.index + 1]
    planned = wave.opened
    for selector in (step.selector for step in steps if step.percent is None):
        planned = planned.with_ring(selector, _shards_of(view, selector) - stuck)
    counted = [n for n in view.nodes if n.shard is not None and counts_since(n, wave.opened_at)]
    only_rings = planned.model_copy(update={"shards": frozenset()})
    others = Counter(n.shard for n in counted if n.shard is not None and not only_rings.holds(n))
    need = _needed(steps, len(counted)) - (len(counted) - others.total())
    order = shard_order(view.edge_model, view.hardware_class)
    shards = open_shards(order, others, planned.shards, need, stuck)
    return planned.model_copy(update={"shards": shards})


def index_of(view: TargetView, extent: Placement, opened_at: datetime) -> int:
    """Return the last wave that the extent fills, with all before it; the first when it fills none."""
    counted = [node for node in view.nodes if counts_since(node, opened_at)]
    held = sum(extent.holds(node) for node in counted)
    index = 0
    for number, step in enumerate(view.policy.waves):
        if step.percent is not None:
            filled = needed_nodes(step.percent, len(counted)) <= held
        elif is_empty(view, step):
            filled = is_passed_over(view, step)
        else:
            members = (node for node in counted if matches(step.selector, node.labels))
            filled = all(extent.holds(node) for node in members)
        if not filled:
            break
        index = number
    return index


def is_empty(view: TargetView, step: WaveStep) -> bool:
    """Return whether the step is a ring without nodes of the class."""
    return step.percent is None and not any(
        matches(step.selector, node.labels) for node in view.nodes
    )


def is_passed_over(view: TargetView, step: WaveStep) -> bool:
    """Return whether an empty ring has nodes in another class, so that it is no spelling mistake."""
    return is_empty(view, step) and step.selector in view.rings_elsewhere


def to_open(view: TargetView, route: ModelRouteSpec, wave: Wave) -> Placement:
    """Return the candidate's placement after this reconcile; nothing new while suspended."""
    if view.policy.suspended:
        return wave.opened
    crowded = crowded_shards(view, route)
    limit = view.policy.max_concurrent_pulls
    most = len(view.nodes) if limit is None else parse_count(limit, len(view.nodes))
    extent = wave.opened
    pulling = len(pulling_nodes(view, wave.candidate.revision, extent))
    for wider in _bit_by_bit(view, wave, crowded):
        grown = extent.union(wider)
        fresh = [n for n in view.nodes if _pulls(n) and grown.holds(n) and not extent.holds(n)]
        if fresh and pulling and pulling + len(fresh) > most:
            break
        extent, pulling = grown, pulling + len(fresh)
    return extent


def pulling_nodes(view: TargetView, revision: str, extent: Placement) -> tuple[NodeView, ...]:
    """Return the reachable nodes that are to have the revision and have no ready pod of it."""
    return tuple(
        node
        for node in view.nodes
        if _pulls(node) and extent.holds(node) and revision not in node.ready_revisions
    )


def _pulls(node: NodeView) -> bool:
    return node.reachable and not node.left_out


def _bit_by_bit(view: TargetView, wave: Wave, crowded: frozenset[int]) -> Iterator[Placement]:
    """Yield the planned parts that have room, as the smallest ones, in the order in which they open."""
    order = shard_order(view.edge_model, view.hardware_class)
    for ring in wave.planned.rings:
        for shard in (s for s in order if s in ring.shards and s not in crowded):
            yield NOTHING.with_ring(ring.node_selector, frozenset({shard}))
    for shard in (s for s in order if s in wave.planned.shards and s not in crowded):
        yield Placement.only(frozenset({shard}))


def _shards_of(view: TargetView, selector: Selector) -> frozenset[int]:
    """Return the shards that have a node of the ring."""
    return frozenset(
        node.shard
        for node in view.nodes
        if node.shard is not None and matches(selector, node.labels)
    )


def _needed(steps: tuple[WaveStep, ...], nodes: int) -> int:
    percent = max((step.percent for step in steps if step.percent is not None), default=0)
    return needed_nodes(percent, nodes) if percent else 0
