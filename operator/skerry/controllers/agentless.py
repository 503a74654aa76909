"""Nodes that can't take part in rollouts: a taint keeps Skerry's pods out, or no agent has ever come."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from skerry.api.common import SYSTEM_NAMESPACE
from skerry.decide.nodes.taints import untolerated

if TYPE_CHECKING:
    from datetime import datetime

    from skerry.cluster.heartbeats import Moment
    from skerry.controllers.cache import Fleet, FleetNode
    from skerry.decide.nodes.taints import Taint

AGENT_SECONDS = 300.0
"""What a new node's agent is given to be pulled and to beat; later it is taken in all the same."""


def is_awaited(fleet: Fleet, node: FleetNode) -> bool:
    """Return whether the node is Ready and, as of the last list, no agent has ever beaten on it."""
    return node.ready and not fleet.heartbeats.may_beat(node.name, node.uid)


def agentless_since(fleet: Fleet, node: FleetNode, now: Moment) -> datetime | None:
    """Return when a Ready node joined without an agent ever since; None while one may still come.

    A taint that the agent's DaemonSet does not tolerate keeps it out at once.
    """
    if not is_awaited(fleet, node):
        return None
    edge_node = fleet.edge_nodes.get("", node.name)
    created = edge_node.metadata.creation_timestamp if edge_node else now.wall
    joined = max((time for time in (created, node.ready_since) if time), default=now.wall)
    is_late = now.wall - joined > timedelta(seconds=AGENT_SECONDS)
    return joined if is_late or _taint(fleet, node) else None


def left_out(fleet: Fleet, node: FleetNode, now: Moment) -> str:
    """Return why waves pass a node over, in words; empty for a node that can take part once it is reachable."""
    taint = _taint(fleet, node)
    if taint is not None:
        return f"taint {taint}, which the chart's device.tolerations do not tolerate"
    since = agentless_since(fleet, node, now)
    if since is None:
        return ""
    see = f"kubectl -n {SYSTEM_NAMESPACE} describe daemonset skerry-agent"
    return f"its agent has no heartbeat since it joined at {since:%Y-%m-%d %H:%M} UTC: run {see}"


def _taint(fleet: Fleet, node: FleetNode) -> Taint | None:
    """Return what keeps the agent's pods, and those of models, from the node.

    Kubernetes taints a node that is not Ready. These taints end when it is back.
    """
    taints = node.taints if node.ready else (t for t in node.taints if not t.is_of_kubernetes)
    return untolerated(taints, fleet.tolerated)
