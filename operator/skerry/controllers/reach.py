"""Who is reachable: the Node is Ready and its agent's heartbeat is fresh.

Leases are listed once a minute and not watched: on every node they beat all the time. A heartbeat is
judged by when this process saw it change, not by the device's clock.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from skerry.cluster.fleet import Heartbeat
from skerry.cluster.views import parse_time
from skerry.decide.fleet import NodeFacts
from skerry.decide.rollout.model import NodeView

if TYPE_CHECKING:
    from skerry.api.edgenode import NodeModel
    from skerry.cluster.client import Object
    from skerry.cluster.fleet import Fleet, FleetNode, Key
    from skerry.controllers.operator import Operator

HEARTBEATS_MISSED = 3
LIST_SECONDS = 60.0
LEASE_PREFIX = "skerry-agent-"


def node_views(operator: Operator, key: Key, uid: str | None) -> dict[str, tuple[NodeView, ...]]:
    """All nodes that carry a class, as the EdgeModel with this uid sees them, by class."""
    namespace, name = key
    reports = _reports(operator.fleet, key, uid)
    ready = _ready_revisions(operator.fleet, namespace, name)
    found: dict[str, list[NodeView]] = defaultdict(list)
    for node in operator.fleet.nodes.values():
        if node.hardware_class is None:
            continue
        since = unreachable_since(operator, node)
        found[node.hardware_class].append(
            NodeView(
                name=node.name,
                shard=node.shard,
                reachable=since is None,
                unreachable_since=since,
                model=reports.get(node.name),
                ready_revisions=frozenset(ready.get(node.name, ())),
                labels=node.labels,
            )
        )
    return {
        hardware_class: tuple(sorted(nodes, key=lambda node: node.name))
        for hardware_class, nodes in found.items()
    }


def node_facts(operator: Operator) -> list[NodeFacts]:
    """All nodes, for the fleet's decision."""
    return [
        NodeFacts(
            node.name, node.uid, node.labels, node.hardware_class, node.shard,
            reachable=unreachable_since(operator, node) is None,
        )
        for node in operator.fleet.nodes.values()
    ]  # fmt: skip


def unreachable_since(operator: Operator, node: FleetNode) -> datetime | None:
    """When the node fell silent; None while it is reachable.

    A node whose agent has never beaten is reachable as soon as it is Ready: its agent is being
    brought up, and waves wait for its report anyway.
    """
    if not node.ready:
        return node.ready_since or datetime.now(UTC)
    beat = operator.fleet.heartbeats.get(node.name)
    if beat is None:
        return None
    patience = HEARTBEATS_MISSED * operator.config.agent.heartbeat_seconds + LIST_SECONDS
    if datetime.now(UTC) - beat.changed_at <= timedelta(seconds=patience):
        return None
    return beat.renewed_at


def note_leases(fleet: Fleet, leases: list[Object], now: datetime) -> set[str]:
    """Take in the agents' Leases; the nodes whose agent beats again or for the first time."""
    seen: dict[str, Heartbeat] = {}
    for lease in leases:
        name = lease["metadata"]["name"]
        renewed = parse_time(lease.get("spec", {}).get("renewTime"))
        if not name.startswith(LEASE_PREFIX) or renewed is None:
            continue
        node = name.removeprefix(LEASE_PREFIX)
        known = fleet.heartbeats.get(node)
        # Of the first sight it is not known since when: the device's own clock is the best guess.
        changed = min(renewed, now) if known is None else now
        same = known is not None and known.renewed_at == renewed
        seen[node] = known if same and known else Heartbeat(renewed, changed)
    fresh = {node for node, beat in seen.items() if beat != fleet.heartbeats.get(node)}
    fleet.heartbeats = seen
    return fresh


def _reports(fleet: Fleet, key: Key, uid: str | None) -> dict[str, NodeModel]:
    """What each node's agent says about the EdgeModel, and not about an earlier one of its name.

    An agent of an earlier version reports no uid: what it says counts.
    """
    return {
        edge_node.metadata.name: model
        for edge_node in fleet.edge_nodes.values()
        for model in edge_node.status.models
        if (model.namespace, model.name) == key and model.edge_model_uid in (None, uid)
    }


def _ready_revisions(fleet: Fleet, namespace: str, name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for (pod_namespace, _), pod in fleet.pods.items():
        if pod_namespace == namespace and pod.model == name and pod.ready:
            found[pod.node].add(pod.revision)
    return found
