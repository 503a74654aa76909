"""How far the candidate's wave is: what is open, who passed, who holds it, and what opens next.

The wave's index lies in the status, what it opened in the placement of the candidate's DaemonSet. The
index is written first; a placement that lags behind is widened by the next pass. Without a status the
index is read off the placement.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from skerry.decide.rollout.model import PlacementKind
from skerry.decide.rollout.nodes import counts_since, has_failed, has_passed, silence_seconds
from skerry.decide.rollout.retire import ALL_SHARDS, crowded_shards, stuck_shards
from skerry.decide.waves import open_shards, shard_order, wave_of

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.api.edgemodel import WaveStatus
    from skerry.api.modelroute import ModelRouteSpec, RouteCandidate
    from skerry.decide.rollout.model import NodeView, TargetView


@dataclass(frozen=True)
class Wave:
    """The candidate's present wave.

    Attributes:
        index: from 0.
        opened_at: nodes that were offline before are skipped; those lost since hold it.
        opened: shards where the candidate's pods are meant to be, as observed.
        planned: shards that the wave shall open, `opened` included.
    """

    candidate: RouteCandidate
    index: int
    opened_at: datetime
    opened: frozenset[int]
    planned: frozenset[int]


def observe_wave(view: TargetView, route: ModelRouteSpec, now: datetime) -> Wave | None:
    """The wave of the route's candidate, None without one."""
    if route.candidate is None:
        return None
    opened = _opened(view, route.candidate.revision)
    remembered = _remembered(view, route.candidate.revision)
    opened_at = remembered.opened_at if remembered else now
    index = remembered.index if remembered else _index_of(view, opened, opened_at)
    index = min(index, len(view.policy.wave_percents) - 1)
    return _plan(view, route, Wave(route.candidate, index, opened_at, opened, opened), now)


def advance(view: TargetView, route: ModelRouteSpec, wave: Wave, now: datetime) -> Wave:
    """The next wave when this one is done, else the same; one step a pass."""
    if is_last(view, wave) or not is_done(view, wave, now):
        return wave
    return _plan(view, route, replace(wave, index=wave.index + 1, opened_at=now), now)


def is_last(view: TargetView, wave: Wave) -> bool:
    """No wave comes after it."""
    return wave.index >= len(view.policy.wave_percents) - 1


def is_done(view: TargetView, wave: Wave, now: datetime) -> bool:
    """All that was planned is open, someone passed, and nobody is waited for."""
    if wave.planned != wave.opened or not passed_nodes(view, wave):
        return False
    return not waiting_nodes(view, wave) and not lost_nodes(view, wave, now)


def member_nodes(view: TargetView, wave: Wave) -> tuple[NodeView, ...]:
    """Nodes in the open shards that count: not those that were offline before the wave opened."""
    return counted_nodes(view, wave.opened, wave.opened_at)


def counted_nodes(
    view: TargetView, shards: frozenset[int], opened_at: datetime
) -> tuple[NodeView, ...]:
    """Nodes in `shards` but those that were offline before `opened_at`."""
    inside = (node for node in view.nodes if node.shard in shards)
    return tuple(node for node in inside if counts_since(node, opened_at))


def outside_nodes(view: TargetView, wave: Wave) -> tuple[NodeView, ...]:
    """Nodes beside the wave, to compare losses with."""
    outside = (node for node in view.nodes if node.shard not in wave.opened)
    return tuple(node for node in outside if counts_since(node, wave.opened_at))


def passed_nodes(view: TargetView, wave: Wave) -> tuple[NodeView, ...]:
    """Members whose agents passed the candidate."""
    return tuple(node for node in member_nodes(view, wave) if _passed(view, wave, node))


def waiting_nodes(view: TargetView, wave: Wave) -> tuple[NodeView, ...]:
    """Members that have neither passed nor failed: the wave waits for them."""
    tried = wave.candidate
    return tuple(
        node
        for node in member_nodes(view, wave)
        if not _passed(view, wave, node) and not has_failed(node, tried.revision, tried.attempt)
    )


def lost_nodes(view: TargetView, wave: Wave, now: datetime) -> tuple[NodeView, ...]:
    """Members that fell silent since the wave opened, for longer than `lostAfter`: they hold it.

    A node that failed before it fell silent is counted as failed, and holds nothing.
    """
    tried = wave.candidate
    lost = lost_of(view, member_nodes(view, wave), now)
    return tuple(n for n in lost if not has_failed(n, tried.revision, tried.attempt))


def lost_of(view: TargetView, nodes: tuple[NodeView, ...], now: datetime) -> tuple[NodeView, ...]:
    """Those of `nodes` that have been silent for `lostAfter` or longer."""
    limit = view.policy.lost_after_seconds
    return tuple(n for n in nodes if not n.reachable and silence_seconds(n, now) >= limit)


def _passed(view: TargetView, wave: Wave, node: NodeView) -> bool:
    tried = wave.candidate
    return has_passed(node, tried.revision, tried.attempt, view.route_generation)


def _opened(view: TargetView, revision: str) -> frozenset[int]:
    placement = view.daemonsets.get(revision)
    if placement is None:
        return frozenset()
    if placement.kind is PlacementKind.IN:
        return placement.shards
    return ALL_SHARDS - placement.shards


def _remembered(view: TargetView, revision: str) -> WaveStatus | None:
    if view.status is None or view.status.candidate != revision:
        return None
    return view.status.wave


def _sizes(view: TargetView, opened_at: datetime) -> Counter[int]:
    """Nodes that count, by shard. Lost ones count, or a wave that loses nodes would spread."""
    counted = (node for node in view.nodes if counts_since(node, opened_at))
    return Counter(node.shard for node in counted if node.shard is not None)


def _index_of(view: TargetView, opened: frozenset[int], opened_at: datetime) -> int:
    sizes = _sizes(view, opened_at)
    held = sum(sizes[shard] for shard in opened)
    return wave_of(view.policy.wave_percents, held, sizes.total())


def _plan(view: TargetView, route: ModelRouteSpec, wave: Wave, now: datetime) -> Wave:
    planned = open_shards(
        shard_order(view.edge_model, view.hardware_class),
        _sizes(view, wave.opened_at),
        wave.opened,
        view.policy.wave_percents[wave.index],
        stuck_shards(view, route, now),
    )
    return replace(wave, planned=planned)


def shards_to_open(view: TargetView, route: ModelRouteSpec, wave: Wave) -> frozenset[int]:
    """What the candidate's DaemonSet covers after this pass: what is open, and what has room."""
    return wave.opened | (wave.planned - crowded_shards(view, route))
