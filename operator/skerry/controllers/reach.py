"""Who is reachable: the Node is Ready and its agent beats (`skerry.cluster.heartbeats`).

Leases are listed once a minute and not watched: on every node they beat all the time. A standby lists
them too, so that it knows at its takeover who beats.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from skerry.api.common import SYSTEM_NAMESPACE
from skerry.cluster import kinds
from skerry.cluster.heartbeats import LIST_SECONDS, Moment, Renewal
from skerry.cluster.pace import backoff_seconds
from skerry.controllers.agentless import agentless_since, is_awaited, left_out
from skerry.decide.nodes.fleet import NodeFacts
from skerry.decide.rollout.model import NodeView
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from skerry.api import EdgeNode
    from skerry.api.edgenode import NodeModel
    from skerry.cluster.client import Object
    from skerry.controllers.cache import Fleet, FleetNode, Key
    from skerry.controllers.operator import Operator

LEASE_PREFIX = "skerry-agent-"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reach:
    """Whether a node is reachable; see `NodeView` for the other fields."""

    reachable: bool
    since: datetime | None = None
    silent_seconds: float | None = None
    renewed_lately: bool = False


async def run_lease_loop(operator: Operator) -> None:
    """Note each minute who beats, leading or not; look at the classes of nodes that fell silent or are back."""
    failures = 0
    while True:
        try:
            await list_leases(operator)
        except SkerryError as error:
            failures += 1
            operator.fleet.heartbeats.failed()
            logger.warning("heartbeats could not be listed, retrying soon: %s", error)
        except Exception:
            failures += 1
            operator.fleet.heartbeats.failed()
            logger.exception("a defect of the operator; report it with this trace")
        else:
            failures = 0
        await asyncio.sleep(backoff_seconds(failures) if failures else LIST_SECONDS)


async def list_leases(operator: Operator) -> None:
    """Note who beats now."""
    asked, fleet = Moment.now(), operator.fleet
    leases = await operator.cluster.list(kinds.LEASE, SYSTEM_NAMESPACE)
    changed = note_leases(fleet, leases, asked)
    operator.stray_leases = tuple(strays(operator, leases))
    if not changed:
        return
    operator.fleet_stirred.set()
    for name in {n.hardware_class for n in fleet.nodes.values() if n.name in changed} - {None}:
        operator.enqueue_class(name)


def note_leases(fleet: Fleet, leases: Iterable[Object], asked: Moment) -> frozenset[str]:
    """Take in the agents' Leases; nodes whose agent has fallen silent or is back are returned."""
    renewals = {
        item["metadata"]["name"].removeprefix(LEASE_PREFIX): Renewal(
            item["metadata"]["uid"], str(item.get("spec", {}).get("renewTime", ""))
        )
        for item in leases
        if item["metadata"]["name"].startswith(LEASE_PREFIX)
    }
    nodes = {node.name: node.uid for node in fleet.nodes.values()}
    return fleet.heartbeats.note(renewals, nodes, asked)


async def remove_stray_leases(operator: Operator) -> None:
    """Delete the Leases of agents whose Node is gone, each as it was listed."""
    listed, operator.stray_leases = operator.stray_leases, ()
    for item in strays(operator, listed):
        name, metadata = item["metadata"]["name"], item["metadata"]
        try:
            await operator.cluster.delete(
                kinds.LEASE, SYSTEM_NAMESPACE, name, metadata["uid"], metadata["resourceVersion"]
            )
        except SkerryError as error:
            logger.warning("the lease of a node that is gone stays: %s", error)


def strays(operator: Operator, leases: Iterable[Object]) -> Iterable[Object]:
    """Yield the Leases of agents whose Node is gone; a Node that can't be read is there."""
    unreadable = {one.key[1] for one in operator.unreadable.left_out(kinds.NODE.name)}
    for item in leases:
        name = item["metadata"]["name"]
        node = name.removeprefix(LEASE_PREFIX)
        is_there = node in unreadable or operator.fleet.nodes.get("", node) is not None
        if name.startswith(LEASE_PREFIX) and not is_there:
            yield item


def node_views(
    fleet: Fleet, key: Key, uid: str | None, now: Moment
) -> dict[str, tuple[NodeView, ...]]:
    """Return all nodes that carry a class, as the EdgeModel with this uid sees them, by class."""
    namespace, name = key
    reports = _reports(fleet, key, uid)
    placed, ready = _revisions(fleet, namespace, name)
    found: dict[str, list[NodeView]] = defaultdict(list)
    for node in fleet.nodes.values():
        if node.hardware_class is None:
            continue
        reach, outside = reach_of(fleet, node, now), left_out(fleet, node, now)
        found[node.hardware_class].append(
            NodeView(
                name=node.name,
                shard=node.shard,
                reachable=reach.reachable,
                unreachable_since=reach.since,
                model=reports.get((node.name, node.uid)),
                ready_revisions=frozenset(ready.get(node.name, ())),
                placed_revisions=frozenset(placed.get(node.name, ())),
                labels=node.labels,
                left_out=outside,
                agent_awaited=not outside and is_awaited(fleet, node),
                silent_seconds=reach.silent_seconds,
                renewed_lately=reach.renewed_lately,
            )
        )
    return {
        hardware_class: tuple(sorted(nodes, key=lambda node: node.name))
        for hardware_class, nodes in found.items()
    }


def node_facts(fleet: Fleet, now: Moment) -> list[NodeFacts]:
    """Return all nodes, for the fleet's decision."""
    return [
        NodeFacts(
            node.name, node.uid, node.labels, node.hardware_class, node.shard,
            reachable=reach_of(fleet, node, now).reachable,
            left_out=left_out(fleet, node, now),
        )
        for node in fleet.nodes.values()
    ]  # fmt: skip


def reach_of(fleet: Fleet, node: FleetNode, now: Moment) -> Reach:
    """Return whether the node is reachable, and how long it has been silent.

    A new node is reachable as soon as it is Ready: its agent is being started, and waves wait for its
    report anyway, for as long as `agentless_since` gives it. One that is not Ready and on which no agent has
    ever beaten was never seen alive. What is known is as old as the last list of Leases.
    """
    beats = fleet.heartbeats
    if not node.ready:
        since = node.ready_since if beats.may_beat(node.name, node.uid) else None
        silent = 0.0
        if node.ready_since is not None and beats.is_settled:
            known_at = now.wall - timedelta(seconds=beats.seconds_since_list(now))
            silent = max((known_at - node.ready_since).total_seconds(), 0.0)
        return Reach(reachable=False, since=since, silent_seconds=silent)
    silence = beats.silence(node.name, node.uid)
    if silence is not None:
        return Reach(reachable=False, since=silence.since, silent_seconds=silence.seconds)
    without = agentless_since(fleet, node, now)
    if without is not None:
        return Reach(reachable=False, since=without, silent_seconds=0.0)
    return Reach(reachable=True, renewed_lately=beats.renewed_lately(node.name, node.uid))


def _reports(fleet: Fleet, key: Key, uid: str | None) -> dict[tuple[str, str], NodeModel]:
    """Return each agent's report about the EdgeModel, by the Node's name and uid.

    What was reported about an earlier EdgeModel of this name, or by an earlier Node of the EdgeNode's
    name, does not count. An agent of an earlier version reports no uid: what it says counts.
    """
    nodes = {node.name: node.uid for node in fleet.nodes.values()}
    return {
        (edge_node.metadata.name, nodes[edge_node.metadata.name]): model
        for edge_node in fleet.edge_nodes.values()
        for model in edge_node.status.models
        if (model.namespace, model.name) == key
        and model.edge_model_uid in (None, uid)
        and _is_of(edge_node, nodes.get(edge_node.metadata.name))
    }


def _is_of(edge_node: EdgeNode, node_uid: str | None) -> bool:
    """Return whether the EdgeNode was created for this very Node."""
    owners = [owner.uid for owner in edge_node.metadata.owner_references if owner.kind == "Node"]
    return node_uid is not None and (not owners or node_uid in owners)


def _revisions(
    fleet: Fleet, namespace: str, name: str
) -> tuple[dict[str, set[str]], dict[str, set[str]]]:
    """Return the revisions that have a pod, and those that have a Ready pod, by node."""
    placed: dict[str, set[str]] = defaultdict(set)
    ready: dict[str, set[str]] = defaultdict(set)
    for (pod_namespace, _), pod in fleet.pods.items():
        if pod_namespace == namespace and pod.model == name:
            placed[pod.node].add(pod.revision)
            if pod.ready:
                ready[pod.node].add(pod.revision)
    return placed, ready
