"""What `helm test` asks: are the kinds served, does an operator lead, do the devices' parts run.

It only reads. Each finding is a line; one that is not well gets time to become so, as right after an
installation, and then ends it with what to do.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from skerry.api import KINDS
from skerry.api.common import GROUP, SYSTEM_NAMESPACE, VERSION
from skerry.cluster import kinds
from skerry.controllers.leader import LEASE_NAME, LEASE_SECONDS
from skerry.controllers.views import parse_time
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from skerry.cluster.client import Cluster, Object

DEVICE_PARTS = ("skerry-agent", "skerry-gateway")
PATIENCE_SECONDS = 60.0
"""Until all of it must be well: pods that have just been made need a while until they are ready."""
AGAIN_SECONDS = 1.0


async def check(cluster: Cluster, patience: float) -> AsyncIterator[str]:
    """Yield what was found to be well, within `patience` seconds in all.

    Raises:
        SkerryError: the first thing that is not.
    """
    end = time.monotonic() + patience
    for kind in KINDS:
        yield await _kind_is_served(cluster, f"{kind.info.plural}.{GROUP}")
    yield await _in_time(end, partial(_operator_leads, cluster))
    for name in DEVICE_PARTS:
        yield await _in_time(end, partial(_runs_everywhere, cluster, name))


async def _in_time(end: float, find: Callable[[], Awaitable[str]]) -> str:
    """Look again until it is well or the time is over; the last error counts."""
    while True:
        try:
            return await find()
        except SkerryError:
            if time.monotonic() >= end:
                raise
        await asyncio.sleep(AGAIN_SECONDS)


async def _kind_is_served(cluster: Cluster, name: str) -> str:
    found = await cluster.get(kinds.CRD, None, name)
    served = [v["name"] for v in found["spec"]["versions"] if v["served"]] if found else []
    if VERSION not in served:
        raise SkerryError(
            f"{VERSION} is not served",
            f"CustomResourceDefinition {name}",
            "apply the chart's crds/ folder with `kubectl apply --server-side -f`",
        )
    return f"{name} is served"


async def _operator_leads(cluster: Cluster) -> str:
    found = await cluster.get(kinds.LEASE, SYSTEM_NAMESPACE, LEASE_NAME)
    spec = found["spec"] if found else {}
    holder, renewed = spec.get("holderIdentity"), parse_time(spec.get("renewTime"))
    oldest = datetime.now(UTC) - timedelta(seconds=LEASE_SECONDS)
    if not holder or renewed is None or renewed < oldest:
        said = f"{holder} renewed it last at {renewed}" if holder else "nobody holds it"
        raise SkerryError(
            f"no operator leads: {said}",
            f"Lease {SYSTEM_NAMESPACE}/{LEASE_NAME}",
            f"see `kubectl -n {SYSTEM_NAMESPACE} logs deploy/skerry-operator`",
        )
    return f"operator {holder} leads"


async def _runs_everywhere(cluster: Cluster, name: str) -> str:
    found = await cluster.get(kinds.DAEMON_SET, SYSTEM_NAMESPACE, name)
    where = f"DaemonSet {SYSTEM_NAMESPACE}/{name}"
    if found is None:
        raise SkerryError("is not there", where, "install the chart again")
    wanted, ready = _counts(found)
    if ready < wanted:
        raise SkerryError(
            f"runs the present version on {ready} of {wanted} nodes",
            where,
            f"see `kubectl -n {SYSTEM_NAMESPACE} get pods -o wide` and describe those that are not ready",
        )
    if not wanted:
        return f"{name}: no node has a class yet (kubectl get hardwareclasses)"
    return f"{name} runs on {ready} nodes"


def _counts(daemonset: Object) -> tuple[int, int]:
    """Return how many nodes need a pod, and how many have a ready pod of the present version."""
    status = daemonset.get("status", {})
    if status.get("observedGeneration") != daemonset["metadata"]["generation"]:
        return 1, 0
    ready = min(status.get("numberReady", 0), status.get("updatedNumberScheduled", 0))
    return status.get("desiredNumberScheduled", 0), ready
