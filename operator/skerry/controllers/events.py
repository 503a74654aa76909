"""Lines for `kubectl describe`, after all writes of a pass: what they tell of has happened."""

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

    from skerry.api import EdgeModel
    from skerry.cluster.client import Cluster
    from skerry.decide.decision import Event

CONTROLLER = "skerry.dev/operator"
NOTE_LENGTH = 1000  # events.k8s.io takes 1 kB

logger = logging.getLogger(__name__)


async def publish(cluster: Cluster, model: EdgeModel, events: Iterable[Event]) -> None:
    """Write the events; one that is refused is logged and costs nothing else."""
    for event in events:
        log = logger.warning if event.warning else logger.info
        log(
            "%s/%s: %s: %s",
            model.metadata.namespace,
            model.metadata.name,
            event.reason,
            event.message,
        )
        try:
            await cluster.create(kinds.EVENT, _body(model, event))
        except ClusterError as error:
            logger.warning("the event could not be written: %s", error)


def _body(model: EdgeModel, event: Event) -> dict[str, object]:
    metadata = model.metadata
    return {
        "metadata": {"namespace": metadata.namespace, "generateName": f"{metadata.name}-"},
        "eventTime": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "reportingController": CONTROLLER,
        "reportingInstance": os.environ.get("POD_NAME", "skerry-operator"),
        "action": event.reason,
        "reason": event.reason,
        "type": "Warning" if event.warning else "Normal",
        "note": shortened(event.message, NOTE_LENGTH),
        "regarding": {
            "apiVersion": API_VERSION, "kind": "EdgeModel",
            "namespace": metadata.namespace, "name": metadata.name, "uid": metadata.uid,
        },
    }  # fmt: skip
