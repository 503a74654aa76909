"""A write carries what it was decided on: if that has changed since, the API server refuses it (409).

A ModelRoute carries the resourceVersion that was gathered. A DaemonSet's status changes with every pod,
so that its resourceVersion would refuse most writes of a large rollout: it is read again right before
the write, and what must be as gathered is its generation.

Where it changes between that read and the write, only this write is made again. What the decision was
made on still holds, so a reconcile from the start would find nothing new and cost every read again.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from skerry.cluster import kinds
from skerry.cluster.errors import ClusterError, from_status

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from skerry.cluster.client import Cluster, Object
    from skerry.cluster.kinds import Kind

TRIES = 5
"""Of one write, while others change what it was not decided on."""

T = TypeVar("T")


async def fenced(
    cluster: Cluster, kind: Kind, gathered: Object, send: Callable[[dict[str, str]], Awaitable[T]]
) -> T:
    """Make a write over the gathered object, again where it was changed in what does not matter.

    Args:
        cluster: to read the object with.
        kind: of the object.
        gathered: what the write was decided on.
        send: makes the write, with what to put into its metadata.

    Raises:
        ClusterError: a conflict, when the decision does not hold any more, or after all tries.
    """
    fence = await fence_of(cluster, kind, gathered)
    for _ in range(TRIES - 1):
        try:
            return await send(fence)
        except ClusterError as error:
            if error.status != HTTPStatus.CONFLICT or not fence:
                raise
        fence = await _read_again(cluster, kind, gathered)
    return await send(fence)


async def fence_of(cluster: Cluster, kind: Kind, gathered: Object) -> dict[str, str]:
    """Return the metadata that binds a write to the object as it was gathered.

    Raises:
        ClusterError: a conflict, when the object has already changed.
    """
    metadata = gathered["metadata"]
    if kind == kinds.MODEL_ROUTE:
        return {"resourceVersion": metadata["resourceVersion"]}
    return await _read_again(cluster, kind, gathered) if kind == kinds.DAEMON_SET else {}


async def _read_again(cluster: Cluster, kind: Kind, gathered: Object) -> dict[str, str]:
    metadata = gathered["metadata"]
    found = await cluster.get(kind, metadata["namespace"], metadata["name"])
    if found is None or _spec_of(found) != _spec_of(gathered):
        where = f"{kind.name} {metadata['namespace']}/{metadata['name']}"
        raise from_status(HTTPStatus.CONFLICT, "it has changed since it was read", where)
    return {"resourceVersion": found["metadata"]["resourceVersion"]}


def _spec_of(item: Object) -> tuple[str, int]:
    return item["metadata"]["uid"], item["metadata"].get("generation", 0)
