"""Brings the CRDs to the version of this image, before the chart's objects are upgraded.

Helm installs what lies in a chart's `crds/` once and never again, so a hook does it. The definitions are
made from the models that the new operator itself reads with; there is no second copy to go stale.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from skerry.api import KINDS
from skerry.api.crd import custom_resource_definition
from skerry.cluster import kinds
from skerry.errors import SkerryError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from skerry.cluster.client import Cluster, Object

LOOKS = 120
LOOK_SECONDS = 0.25


async def apply_crds(cluster: Cluster) -> AsyncIterator[str]:
    """Apply all CRDs on the server's side and wait until each is served; yields a line for each.

    Raises:
        SkerryError: the API server refuses one (it names the reason), or does not serve it in time.
    """
    for kind in KINDS:
        definition = custom_resource_definition(kind)
        name = definition["metadata"]["name"]
        before = await cluster.get(kinds.CRD, None, name)
        applied = await cluster.apply(kinds.CRD, definition)
        await _served(cluster, name)
        yield f"{name}: {_change(before, applied)}"


async def _served(cluster: Cluster, name: str) -> None:
    for _ in range(LOOKS):
        if _established(await cluster.get(kinds.CRD, None, name)):
            return
        await asyncio.sleep(LOOK_SECONDS)
    raise SkerryError(
        f"is not served {LOOKS * LOOK_SECONDS:.0f} s after it was applied",
        f"CustomResourceDefinition {name}",
        f"see `kubectl describe crd {name}`, then run the upgrade again",
    )


def _established(found: Object | None) -> bool:
    conditions = found.get("status", {}).get("conditions", ()) if found else ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _change(before: Object | None, after: Object) -> str:
    if before is None:
        return "made"
    return "unchanged" if before["spec"] == after["spec"] else "brought up to date"
