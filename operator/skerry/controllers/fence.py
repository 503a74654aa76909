"""A write carries what it was decided on: if that has changed since, the API server refuses it (409).

A ModelRoute carries the resourceVersion that was gathered. A DaemonSet's status changes with every pod,
so that its resourceVersion would refuse most writes of a large rollout: it is read again right before
the write, and what must be as gathered is its generation.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from skerry.cluster import kinds
from skerry.cluster.errors import from_status

if TYPE_CHECKING:
    from skerry.cluster.client import Cluster, Object
    from skerry.cluster.kinds import Kind


async def fence_of(cluster: Cluster, kind: Kind, gathered: Object) -> dict[str, str]:
    """What to put into the metadata of a write over the gathered object.

    Raises:
        ClusterError: a conflict, when the object has already changed.
    """
    metadata = gathered["metadata"]
    if kind == kinds.MODEL_ROUTE:
        return {"resourceVersion": metadata["resourceVersion"]}
    if kind != kinds.DAEMON_SET:
        return {}
    found = await cluster.get(kind, metadata["namespace"], metadata["name"])
    if found is None or _spec_of(found) != _spec_of(gathered):
        where = f"{kind.name} {metadata['namespace']}/{metadata['name']}"
        raise from_status(HTTPStatus.CONFLICT, "it has changed since it was read", where)
    return {"resourceVersion": found["metadata"]["resourceVersion"]}


def _spec_of(item: Object) -> tuple[str, int]:
    return item["metadata"]["uid"], item["metadata"].get("generation", 0)
