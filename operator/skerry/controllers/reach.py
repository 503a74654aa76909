"""Who is reachable: the Node is Ready and its agent's heartbeat is fresh.

Leases are listed once a minute and not watched: on every node they beat all the time. A heartbeat is
judged by when this process saw it change, not by the device's clock.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from skerry.api.common import SYSTEM_NAMESPACE
from skerry.controllers.cache import Heartbeat
from skerry.controllers.reading import read
from skerry.controllers.views import parse_time
from skerry.decide.fleet import NodeFacts
from skerry.decide.rollout.model import NodeView
from skerry.decide.taints import tolerated, untolerated

if TYPE_CHECKING:
    from skerry.api.edgenode import NodeModel
    from skerry.cluster.client import Object
    from skerry.controllers.cache import Fleet, FleetNode, Key
    from skerry.controllers.operator import Operator
    from skerry.decide.taints import Taint

HEARTBEATS_MISSED = 3
LIST_SECONDS = 60.0
LEASE_PREFIX = "skerry-agent-"
AGENT_SECONDS = 300.0
"""What a new node's agent is given to be pulled and to beat; later it is taken in all the same."""


def node_views(operator: Operator, key: Key) -> dict[str, tuple[NodeView, ...]]:
    """All nodes that carry a class, as an EdgeModel sees them, by class."""
    namespace, name = key
    reports = _reports(operator.fleet, namespace, name)
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
                left_out=left_out(operator, node),
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
            left_out=left_out(operator, node),
        )
        for node in operator.fleet.nodes.values()
    ]  # fmt: skip


def unreachable_since(operator: Operator, node: FleetNode) -> datetime | None:
    """When the node fell silent; None while it is reachable.

    A node whose agent has never beaten is reachable as soon as it is Ready: its agent is being
    brought up, and waves wait for its report anyway, for as long as `agentless_since` gives it.
    """
    if not node.ready:
        return node.ready_since or datetime.now(UTC)
    beat = operator.fleet.heartbeats.get(node.name)
    if beat is None:
        return agentless_since(operator, node)
    patience = HEARTBEATS_MISSED * operator.config.agent.heartbeat_seconds + LIST_SECONDS
    if datetime.now(UTC) - beat.changed_at <= timedelta(seconds=patience):
        return None
    return beat.renewed_at


def agentless_since(operator: Operator, node: FleetNode) -> datetime | None:
    """Return when a Ready node joined without an agent ever since; None while one may still come.

    A taint that the agent's DaemonSet does not tolerate keeps it out at once.
    """
    if not node.ready or node.name in operator.fleet.heartbeats:
        return None
    now = datetime.now(UTC)
    edge_node = operator.fleet.edge_nodes.get("", node.name)
    times = (edge_node.metadata.creation_timestamp if edge_node else now, node.ready_since)
    joined = max((time for time in times if time is not None), default=now)
    is_late = now - joined > timedelta(seconds=AGENT_SECONDS)
    return joined if is_late or _taint(operator, node) else None


def left_out(operator: Operator, node: FleetNode) -> str:
    """Return why waves pass a Ready node over, in words; empty for a node that can take part."""
    if not node.ready:
        return ""
    taint = _taint(operator, node)
    if taint is not None:
        return f"taint {taint}, which the chart's device.tolerations do not tolerate"
    since = agentless_since(operator, node)
    if since is None:
        return ""
    see = f"kubectl -n {SYSTEM_NAMESPACE} describe daemonset skerry-agent"
    return f"no agent beats on it, which joined at {since:%Y-%m-%d %H:%M} UTC: see {see}"


def _taint(operator: Operator, node: FleetNode) -> Taint | None:
    """Return what keeps the agent's pods, and those of models, from the node."""
    return untolerated(node.taints, tolerated(operator.config.device.tolerations))


def note_leases(fleet: Fleet, leases: list[Object], now: datetime) -> set[str]:
    """Take in the agents' Leases; the nodes whose agent beats again or for the first time."""
    seen: dict[str, Heartbeat] = {}
    for lease in leases:
        name = lease["metadata"]["name"]
        node = name.removeprefix(LEASE_PREFIX)
        known = fleet.heartbeats.get(node)
        renewed, unreadable = read("Lease", lease, renewed_at)
        if unreadable is not None and known is not None:
            seen[node] = known  # nothing new: the heartbeat grows old
        if not name.startswith(LEASE_PREFIX) or renewed is None:
            continue
        # Of the first sight it is not known since when: the device's own clock is the best guess.
        changed = min(renewed, now) if known is None else now
        same = known is not None and known.renewed_at == renewed
        seen[node] = known if same and known else Heartbeat(renewed, changed)
    fresh = {node for node, beat in seen.items() if beat != fleet.heartbeats.get(node)}
    fleet.heartbeats = seen
    return fresh


def renewed_at(lease: Object) -> datetime | None:
    """When its holder says that it renewed it; None when it never did.

    Raises:
        ValueError: a year that Python does not have, of a clock that is broken.
    """
    return parse_time(lease.get("spec", {}).get("renewTime"))


def _reports(fleet: Fleet, namespace: str, name: str) -> dict[str, NodeModel]:
    """What each node's agent says about the EdgeModel."""
    return {
        edge_node.metadata.name: model
        for edge_node in fleet.edge_nodes.values()
        for model in edge_node.status.models
        if (model.namespace, model.name) == (namespace, name)
    }


def _ready_revisions(fleet: Fleet, namespace: str, name: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for (pod_namespace, _), pod in fleet.pods.items():
        if pod_namespace == namespace and pod.model == name and pod.ready:
            found[pod.node].add(pod.revision)
    return found
