"""What the agents say of a rollback in their logs: when each went back, to the millisecond."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tests.lab.client.timeline import NodeEvent

if TYPE_CHECKING:
    from tests.lab.client.environment import Environment

AGENTS = ("-n", "skerry-system", "pods", "-l", "app.kubernetes.io/component=agent")


def node_events(environment: Environment, model: str) -> list[NodeEvent]:
    """Return all that the agents logged of a model, `NAMESPACE.NAME`."""
    found = []
    for pod in environment.get(*AGENTS)["items"]:
        name, node = pod["metadata"]["name"], pod["spec"]["nodeName"]
        text = environment.kubectl("-n", "skerry-system", "logs", "-c", "agent", name)
        records = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        found += [event for record in records for event in _events(record, node, model)]
    return found


def _events(record: dict[str, Any], node: str, model: str) -> list[NodeEvent]:
    at = datetime.fromisoformat(record["at"]).timestamp()
    if record["event"] == "reported":
        states = [one["state"] for one in record["models"] if one["model"] == model]
        return [NodeEvent(at, node, "idle", "") for state in states if state is None]
    if record.get("model") != model or "revision" not in record:
        return []
    return [NodeEvent(at, node, record["event"], record["revision"])]
