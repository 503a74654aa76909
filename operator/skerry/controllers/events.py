"""Events for `kubectl describe`, sent after all writes of a reconcile: what they report has happened."""

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from skerry.api.common import API_VERSION
from skerry.cluster import kinds
from skerry.cluster.errors import ClusterError
from skerry.decide.conditions import shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from skerry.api.common import Resource
    from skerry.cluster.client import Cluster
    from skerry.decide.decision import Event

CONTROLLER = "skerry.dev/operator"
CLUSTER_SCOPED = "default"
"""Where the events of objects without a namespace lie; `kubectl describe` looks there."""
NOTE_LENGTH = 1000  # events.k8s.io takes 1 kB

logger = logging.getLogger(__name__)


async def publish(cluster: Cluster, regarding: Resource, events: Iterable[Event]) -> None:
    """Write the events of an object; one that is refused is logged and costs nothing else."""
    for event in events:
        log = logger.warning if event.warning else logger.info
        log(
            "%s/%s: %s: %s",
            regarding.metadata.namespace or regarding.kind,
            regarding.metadata.name,
            event.reason,
            event.message,
        )
        try:
            await cluster.create(kinds.EVENT, _body(regarding, event))
        except ClusterError as error:
            logger.warning("the event could not be written: %s", error)


def _body(regarding: Resource, event: Event) -> dict[str, object]:
    metadata = regarding.metadata
    namespace = {"namespace": metadata.namespace} if metadata.namespace else {}
    return {
        "metadata": {"namespace": metadata.namespace or CLUSTER_SCOPED, "generateName": f"{metadata.name}-"},
        "eventTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": CONTROLLER,
        "reportingInstance": os.environ.get("POD_NAME", "skerry-operator"),
        "action": event.reason,
        "reason": event.reason,
        "type": "Warning" if event.warning else "Normal",
        "note": shortened(event.message, NOTE_LENGTH),
        "regarding": {
            "apiVersion": API_VERSION, "kind": regarding.kind, **namespace,
            "name": metadata.name, "uid": metadata.uid,
        },
    }  # fmt: skip
