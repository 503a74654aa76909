"""Nodes that can't take part in rollouts: a taint keeps Skerry's pods out, or no agent has ever come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from skerry.api.common import SYSTEM_NAMESPACE
from skerry.decide.taints import tolerated, untolerated

if TYPE_CHECKING:
    from skerry.cluster.fleet import FleetNode
    from skerry.controllers.operator import Operator
    from skerry.decide.taints import Taint

AGENT_SECONDS = 300.0
"""What a new node's agent is given to be pulled and to beat; later it is taken in all the same."""


def is_awaited(operator: Operator, node: FleetNode) -> bool:
    """Return whether the node is Ready and no agent has ever beaten on it."""
    return node.ready and node.name not in operator.fleet.heartbeats


def agentless_since(operator: Operator, node: FleetNode) -> datetime | None:
    """Return when a Ready node joined without an agent ever since; None while one may still come.

    A taint that the agent's DaemonSet does not tolerate keeps it out at once.
    """
    if not is_awaited(operator, node):
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
